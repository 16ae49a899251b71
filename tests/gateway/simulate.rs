//! `gateway simulate`.

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_tests::{Gateway, Setup};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::GATEWAY;

/// Starts a simulator on a free port, and answers with it and the variables that its first lines name.
async fn simulate(arguments: &[&str]) -> (Gateway, Vec<(String, String)>) {
    let setup = ["simulate", "--listen", "127.0.0.1:0", "--rate", "100"].into_iter().chain(arguments.iter().copied());
    let setup = setup.fold(Setup::new(GATEWAY), |setup, argument| setup.argument(argument));
    let mut simulator = setup.start();
    let mut variables = Vec::new();
    while variables.is_empty() {
        let line = simulator.next_line().await.unwrap();
        variables = line
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
    }
    (simulator, variables)
}

/// A simulator with these arguments, and a gateway on it.
async fn gateway_on(arguments: &str) -> (Gateway, Gateway) {
    let (simulator, variables) = simulate(&arguments.split_whitespace().collect::<Vec<_>>()).await;
    (simulator, connecting(&variables).with_metrics().start())
}

/// The simulator's host and port.
fn host(variables: &[(String, String)]) -> &str {
    let (_, host) = variables.iter().find(|(name, _)| name == "DISCORD_API_HOST").unwrap();
    host
}

fn connecting(variables: &[(String, String)]) -> Setup {
    variables.iter().fold(Setup::new(GATEWAY).variable("DISCORD_RAW_INTENTS", "53608447"), |setup, (name, value)| {
        setup.variable(name, value)
    })
}

#[tokio::test]
async fn a_gateway_connects_with_the_variables_that_simulate_prints() {
    let (mut simulator, variables) = simulate(&["--shards", "2"]).await;
    let mut gateway = connecting(&variables).start();
    gateway.next_named("READY").await;
    gateway.next_named("MESSAGE_CREATE").await;
    gateway.drain().await;
    simulator.signal("INT").await;
    assert!(simulator.ended().await.success());
}

#[tokio::test]
async fn a_gateway_that_trusts_the_printed_certificate_connects_over_tls() {
    let (mut simulator, variables) = simulate(&["--tls"]).await;
    let mut pem = String::new();
    while !pem.contains("-----END CERTIFICATE-----") {
        let line = simulator.next_line().await.unwrap();
        if !pem.is_empty() || line.starts_with("-----BEGIN") {
            pem += &format!("{line}\n");
        }
    }
    let setup = connecting(&variables);
    let path = setup.path("simulator.pem");
    std::fs::write(&path, pem).unwrap();
    let mut gateway = setup.variable("SSL_CERT_FILE", &path.display().to_string()).start();
    gateway.next_named("READY").await;
    gateway.drain().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Setup::new(GATEWAY).argument("simulate").argument("--listen").argument(&address).output().await;
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(&address) && error.contains("in use"), "{error}");
}

#[tokio::test]
async fn the_answer_to_gateway_bot_is_what_was_asked_for() {
    let (_simulator, variables) =
        simulate(&["--shards", "3", "--max-concurrency", "2", "--identifies-left", "5"]).await;
    let host = host(&variables);
    let mut socket = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "GET /api/v10/gateway/bot HTTP/1.1\r\nhost: {host}\r\nauthorization: Bot any\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let bot: Value = serde_json::from_str(body).unwrap();
    let limit = &bot["session_start_limit"];
    assert_eq!((&bot["shards"], &limit["max_concurrency"], &limit["remaining"]), (&json!(3), &json!(2), &json!(5)));
}

/// The first message of a connection that asked for zstd-stream.
async fn first_message(arguments: &[&str]) -> Vec<u8> {
    let (_simulator, variables) = simulate(arguments).await;
    let url = format!("ws://{}/?v=10&encoding=json&compress=zstd-stream", host(&variables));
    let (mut socket, _) = connect_async(url).await.unwrap();
    socket.next().await.unwrap().unwrap().into_data().to_vec()
}

#[tokio::test]
async fn hello_has_the_interval_and_the_framing_that_were_asked_for() {
    let message = first_message(&["--heartbeat-interval", "1500ms", "--zstd-frame-per-message"]).await;
    let hello: Value = serde_json::from_slice(&zstd::decode_all(&*message).unwrap()).unwrap();
    assert_eq!((&hello["op"], &hello["d"]["heartbeat_interval"]), (&json!(10), &json!(1500)));
    let message = first_message(&[]).await;
    assert!(zstd::decode_all(&*message).is_err(), "the frame of a whole connection ends with it");
}

#[tokio::test]
async fn heartbeats_are_left_unacknowledged_as_often_as_asked_for() {
    let (_simulator, variables) = simulate(&["--fault", "no-acks,times=2"]).await;
    let (mut socket, _) = connect_async(format!("ws://{}/?v=10&encoding=json", host(&variables))).await.unwrap();
    for _ in 0..5 {
        socket.send(Message::text(r#"{"op":1,"d":null}"#)).await.unwrap();
    }
    let identify = json!({"op": 2, "d": {"token": "any", "intents": 0, "properties": {}}});
    socket.send(Message::text(identify.to_string())).await.unwrap();
    let mut acknowledged = 0;
    loop {
        let message = socket.next().await.unwrap().unwrap();
        let payload: Value = serde_json::from_slice(&message.into_data()).unwrap();
        acknowledged += u32::from(payload["op"] == 11);
        if payload["t"] == "READY" {
            break;
        }
    }
    assert_eq!(acknowledged, 3);
}

#[tokio::test]
async fn guilds_are_as_many_and_as_large_as_asked_for() {
    let (_simulator, mut gateway) = gateway_on("--guilds 2 --guild-size 3").await;
    assert_eq!(gateway.next_named("READY").await.data["guilds"].as_array().unwrap().len(), 2);
    assert_eq!(gateway.next_named("GUILD_CREATE").await.data["roles"].as_array().unwrap().len(), 24);

    let (_simulator, mut gateway) = gateway_on("--guilds 1 --unavailable-guilds 100").await;
    gateway.next_named("READY").await;
    let outage = gateway.next_event().await;
    assert_eq!((outage.name.as_str(), &outage.data["unavailable"]), ("GUILD_DELETE", &json!(true)));
}

#[tokio::test]
async fn connections_end_as_asked_for_and_sessions_go_on() {
    for (arguments, cause) in [
        ("--fault reconnect,every=20", "requested"),
        ("--fault invalid-session-resumable,every=20", "invalid_session"),
        ("--fault close=4008,every=20", "rate_limited"),
        ("--fault close-without-code,every=20", "connection_lost"),
        ("--fault drop,every=20", "connection_lost"),
        ("--fault reset,every=20", "connection_lost"),
        ("--fault corrupt,every=20", "undecodable"),
        ("--fault half-open,every=20 --heartbeat-interval 1s", "zombie"),
    ] {
        let (_simulator, mut gateway) = gateway_on(arguments).await;
        gateway.next_named("READY").await;
        gateway.next_named("RESUMED").await;
        gateway.logged(&format!("connecting anew ({cause})")).await;
    }
}

#[tokio::test]
async fn a_fault_comes_back_until_it_has_come_as_often_as_asked_for() {
    let (_simulator, mut gateway) = gateway_on("--guilds 0 --fault reconnect,every=15,times=2").await;
    gateway.next_named("READY").await;
    for _ in 0..2 {
        gateway.next_named("RESUMED").await;
    }
    gateway.next_events(60).await;
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_reconnects_total{cause="requested",shard="0"}"#), Some(2.0));
}

#[tokio::test]
async fn sessions_are_lost_as_asked_for() {
    for arguments in [
        "--fault invalid-session,every=20",
        "--fault close=4009,every=20",
        "--fault drop,every=20 --fault resume=invalid-session,times=1",
        "--fault drop,every=20 --replay-window 0s",
        "--fault drop,every=20 --replay-events 0",
    ] {
        let (_simulator, gateway) = gateway_on(arguments).await;
        gateway.logged("the session is lost").await;
    }
}

#[tokio::test]
async fn a_client_meets_the_faults_of_its_start() {
    for (arguments, expected) in [
        ("--fault rest=503,times=1", "Discord cannot answer at the moment (503)"),
        ("--fault rate-limit=1500ms,times=1", "Discord asks to wait 2 s before the next request (429)"),
        ("--fault rest-html,times=1", "Discord's answer makes no sense"),
        ("--fault refuse-upgrade=502,times=1", "connecting anew (connect_failed)"),
        ("--fault reconnect-before-hello,times=1", "connecting anew (requested)"),
        ("--fault identify=drop,times=1", "connecting anew (connection_lost)"),
    ] {
        let (_simulator, gateway) = gateway_on(arguments).await;
        gateway.logged(expected).await;
    }
}

#[tokio::test]
async fn a_client_is_turned_away_as_asked_for() {
    for (arguments, expected) in [
        ("--fault revoked-token", "(401)"),
        ("--fault revoked-intents", "4014"),
        ("--fault required-shards=2", "4011"),
        ("--identifies-left 0", "0 of 1000 session starts left today"),
    ] {
        let (_simulator, gateway) = gateway_on(arguments).await;
        gateway.logged(expected).await;
    }
}

#[tokio::test]
async fn a_fault_that_does_not_exist_is_named_with_what_is_meant() {
    let output = Setup::new(GATEWAY).argument("simulate").argument("--fault").argument("reconect").output().await;
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(r#"no fault is called "reconect"; did you mean "reconnect"?"#), "{error}");
}
