//! The binary with a hostile guest: it goes on, says what happened, or ends in order.

use gateway_simulator::{Happening, Options, Simulator};
use gateway_tests::{Gateway, Setup, guest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::GATEWAY;

/// A simulated Discord without guilds: after READY, only what the test sends.
pub(crate) async fn quiet_discord() -> Simulator {
    Simulator::start(Options { guilds_per_shard: 0, ..Options::default() }).await.unwrap()
}

/// The table of a hostile filter that is asked about events named TEST, with further lines.
pub(crate) fn hostile_filter(mode: &str, further: &str) -> String {
    let path = guest("hostile-filter").display().to_string();
    format!("[[filters]]\ncomponent = '{path}'\nevents = ['TEST']\nconfig = {{ mode = '{mode}' }}\n{further}\n")
}

/// Waits until shard 0 has a session.
pub(crate) async fn ready(simulator: &Simulator) {
    simulator.control().wait_for(|entry| matches!(entry.happening, Happening::Ready { .. })).await.unwrap();
}

/// Sends events named TEST one after another, each when the one before it has come out.
pub(crate) async fn send_and_receive(simulator: &Simulator, gateway: &mut Gateway, count: u64) {
    for number in 1..=count {
        simulator.control().send_event(0, "TEST", format!("{{\"number\":{number}}}"));
        assert_eq!(gateway.next_named("TEST").await.data["number"], number);
    }
}

#[tokio::test]
async fn a_trap_is_logged_and_counted_and_every_event_comes_out() {
    let simulator = quiet_discord().await;
    let setup = Setup::on(GATEWAY, &simulator)
        .file(&hostile_filter("trap", "on_error = 'pass'"))
        .variable("PROMETHEUS_ADDRESS", "127.0.0.1:0");
    let mut gateway = setup.start();
    ready(&simulator).await;
    send_and_receive(&simulator, &mut gateway, 3).await;
    gateway.logged("filter failed: it crashed").await;
    let figures = metrics(&mut gateway).await;
    let failures = "gateway_component_failures_total{component=\"hostile_filter\",reason=\"trap\"} 3";
    assert!(figures.lines().any(|line| line == failures), "{figures}");
    gateway.drain().await;
}

#[tokio::test]
async fn with_stop_the_gateway_ends_with_an_error_and_the_event_comes_after_a_restart() {
    let simulator = quiet_discord().await;
    let setup = Setup::on(GATEWAY, &simulator).file(&hostile_filter("trap", "on_error = 'stop'"));
    let mut gateway = setup.start();
    ready(&simulator).await;
    assert_eq!(gateway.next_event().await.name, "READY");
    simulator.control().send_event(0, "TEST", r#"{"kept":true}"#);
    assert!(gateway.rest().await.is_empty());
    assert_eq!(gateway.ended().await.code(), Some(1));
    let reason = gateway.logged("gateway: component `hostile_filter` failed: it crashed").await;
    assert!(reason.contains("`on_error` is `stop`"), "{reason}");

    let setup = setup.file(&hostile_filter("well-behaved", ""));
    let mut gateway = setup.start();
    assert_eq!(gateway.next_named("TEST").await.data["kept"], true);
    gateway.drain().await;
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_short_and_forges_nothing() {
    let simulator = quiet_discord().await;
    let setup = Setup::on(GATEWAY, &simulator).file(&hostile_filter("log-flood", ""));
    let mut gateway = setup.start();
    ready(&simulator).await;
    send_and_receive(&simulator, &mut gateway, 2).await;
    gateway.drain().await;
    let log = gateway.log();
    let flood = log.lines().filter(|line| line.contains("flood")).count();
    // Two calls, each of which may reach into another second.
    assert!((50..=200).contains(&flood), "{flood} lines");
    assert!(log.lines().filter(|line| line.contains("forged")).all(|line| line.contains("flood")));
}

#[tokio::test]
async fn a_huge_log_line_is_cut() {
    let simulator = quiet_discord().await;
    let setup = Setup::on(GATEWAY, &simulator).file(&hostile_filter("log-huge", ""));
    let mut gateway = setup.start();
    ready(&simulator).await;
    send_and_receive(&simulator, &mut gateway, 1).await;
    let line = gateway.logged("xxxx").await;
    assert!(line.len() < 2500 && line.contains("x…"), "{} bytes", line.len());
    gateway.drain().await;
}

/// What `/metrics` answers.
async fn metrics(gateway: &mut Gateway) -> String {
    let line = gateway.logged("metrics on http://").await;
    let address = line.split("http://").nth(1).unwrap().trim();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
