//! A reader of STDOUT that takes its time: nothing is lost, and memory is bounded.

use std::time::Duration;

use gateway_simulator::{Control, Entry, Happening, Limits, Options};

use crate::support::{assert_same, close_codes, count, happens, identifies, quiet, setup, start, without_guilds};

/// Many times what may wait in the gateway.
const EVENTS: usize = 600;
const SIZE: usize = 100_000;

#[tokio::test]
async fn a_slow_reader_gets_everything_while_heartbeats_go_on_and_memory_is_bounded() {
    let limits = Limits { heartbeat_tolerance: 60.0, ..Limits::default() };
    let hello_interval = Duration::from_secs(1);
    let simulator = start(Options { hello_interval, limits, ..without_guilds() }).await;
    let control = simulator.control();
    let setup = setup(&simulator).with_metrics();
    let setup = setup.variable("GATEWAY_BUFFER_PER_SHARD", "1MiB").variable("DISCORD_COMPRESSION", "none");
    let mut gateway = setup.start_unread();
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    let before = memory(gateway.id());
    for number in 0..EVENTS {
        control.send_event(0, "LARGE", format!(r#"{{"number":{number},"filler":"{}"}}"#, "x".repeat(SIZE)));
    }
    // Heartbeats that come now come from a gateway that does not read.
    for _ in 0..3 {
        let beat = |entry: &Entry| matches!(entry.happening, Happening::Heartbeat { .. });
        control.wait_for_after(control.position(), beat).await.unwrap();
    }
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_shard_paused{shard="0"}"#), Some(1.0));
    assert!(figures.of(r#"gateway_queue_bytes{shard="0"}"#) <= Some(f64::from(1 << 20)), "{figures:?}");
    let grown = memory(gateway.id()).saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more, of {} that were sent", EVENTS * SIZE);

    let mut gateway = gateway.reading();
    let events = gateway.next_events(EVENTS + 1).await;
    assert_same(&events, &control.sent(0));
    assert_eq!(
        gateway.figures().await.of(r#"gateway_shard_pauses_total{shard="0"}"#).map(|pauses| pauses >= 1.0),
        Some(true)
    );
    let ended = |happening: &Happening| {
        matches!(happening, Happening::ServerClosed { .. } | Happening::ClientClosed { .. } | Happening::Lost)
    };
    assert_eq!(count(&control, ended), 0);
}

#[tokio::test]
async fn a_reader_that_stops_for_long_costs_the_connection_but_no_event() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator).with_metrics().variable("DISCORD_COMPRESSION", "none");
    let setup = setup.variable("GATEWAY_BUFFER_PER_SHARD", "64KiB").variable("GATEWAY_BUFFER_PATIENCE", "500ms");
    let mut gateway = setup.start_unread();
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    more_than_pipe_and_buffer_hold(&control);
    gateway.logged("no connection until there is room").await;
    // Unread bytes may reset the connection before the code arrives.
    let ended = |entry: &Entry| matches!(entry.happening, Happening::ClientClosed { .. } | Happening::Lost);
    happens(&control, 1, ended).await;
    assert!(close_codes(&control).iter().all(|code| *code == Some(4000)), "it keeps the session");
    assert_eq!(gateway.get("/readyz").await.status, 503);
    control.send_event(0, "MEANWHILE", "{}");
    assert_eq!(count(&control, |happening| matches!(happening, Happening::Opened { .. })), 1, "it waits");

    let mut gateway = gateway.reading();
    let mut events = gateway.until("RESUMED").await;
    control.send_event(0, "AFTER", "{}");
    events.extend(gateway.until("AFTER").await);
    assert_same(&events, &control.sent(0));
    assert_eq!(identifies(&control), 1);
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_reconnects_total{cause="backpressure",shard="0"}"#), Some(1.0));
}

#[tokio::test]
async fn a_gateway_whose_shard_has_no_connection_for_want_of_room_ends_when_told() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator).variable("DISCORD_COMPRESSION", "none");
    let setup = setup.variable("GATEWAY_BUFFER_PER_SHARD", "64KiB").variable("GATEWAY_BUFFER_PATIENCE", "100ms");
    let gateway = setup.start_unread();
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    more_than_pipe_and_buffer_hold(&control);
    gateway.logged("no connection until there is room").await;
    gateway.signal("TERM").await;
    let mut gateway = gateway.reading();
    let mut events = gateway.rest().await;
    assert!(gateway.ended().await.success(), "{}", gateway.log());
    let mut gateway = setup.start();
    events.extend(gateway.until("RESUMED").await);
    assert_same(&events, &control.sent(0));
}

fn more_than_pipe_and_buffer_hold(control: &Control) {
    for number in 0..200 {
        control.send_event(0, "LARGE", format!(r#"{{"number":{number},"filler":"{}"}}"#, "x".repeat(10_000)));
    }
}

/// Bytes of a process that are in memory; 0 where the system has no such file.
fn memory(process: u32) -> usize {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
