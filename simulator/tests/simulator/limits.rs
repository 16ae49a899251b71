use gateway_simulator::{Happening, Limits, Options, SendLimiter, SessionStarts};
use serde_json::{Value, json};
use std::time::Duration;

use crate::client::{Client, QUERY, TOKEN, get, identify, quiet, start};

async fn answer_to_identify(simulator: &gateway_simulator::Simulator, shard: u32, count: u32) -> Value {
    let mut client = Client::connect(simulator, QUERY).await;
    client.hello().await;
    client.send(identify(shard, count, 0)).await;
    client.next().await
}

#[tokio::test]
async fn one_identify_for_each_key_and_the_next_is_invalid() {
    let rejection = Duration::from_millis(5)..=Duration::from_millis(10);
    let limits = Limits { identify_rejection: rejection, ..Limits::default() };
    let options = Options { guilds_per_shard: 0, max_concurrency: 2, limits, ..Options::default() };
    let simulator = start(options).await;
    assert_eq!(answer_to_identify(&simulator, 0, 4).await["t"], "READY");
    assert_eq!(answer_to_identify(&simulator, 1, 4).await["t"], "READY");
    let refused = answer_to_identify(&simulator, 2, 4).await;
    assert_eq!((&refused["op"], &refused["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn the_budget_is_live_and_overspending_revokes_the_token() {
    let session_starts = SessionStarts { total: 10, remaining: 1, reset_after: Duration::from_secs(60) };
    let limits = Limits { identify_interval: Duration::ZERO, ..Limits::default() };
    let simulator = start(Options { guilds_per_shard: 0, session_starts, limits, ..Options::default() }).await;
    let (mut first, _) = Client::ready(&simulator, 0).await;
    let authorization = format!("Authorization: Bot {TOKEN}\r\n");
    let (_, body) = get(simulator.address(), "/api/v10/gateway/bot", &authorization).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["session_start_limit"]["remaining"], 0);
    assert!(body["session_start_limit"]["reset_after"].as_u64().unwrap() <= 60_000);

    let mut second = Client::connect(&simulator, QUERY).await;
    second.hello().await;
    second.send(identify(0, 1, 0)).await;
    assert_eq!(second.closed().await, Some(4004));
    assert_eq!(first.closed().await, Some(4004));
    let (head, body) = get(simulator.address(), "/api/v10/gateway/bot", &authorization).await;
    assert!(head.starts_with("http/1.1 401") && body.contains("401: Unauthorized"));
}

#[tokio::test]
async fn the_payload_after_the_last_allowed_one_closes_with_4008() {
    for send_limiter in [SendLimiter::Fixed, SendLimiter::Sliding] {
        let limits = Limits { send_limiter, ..Limits::default() };
        let simulator = start(Options { guilds_per_shard: 0, limits, ..Options::default() }).await;
        let mut client = Client::connect(&simulator, QUERY).await;
        client.hello().await;
        for _ in 0..121 {
            client.send(json!({"op": 1, "d": null})).await;
        }
        assert_eq!(client.closed().await, Some(4008));
        let journal = simulator.control().journal();
        let beats = journal.iter().filter(|entry| matches!(entry.happening, Happening::Heartbeat { .. }));
        assert_eq!(beats.count(), 120);
    }
}

#[tokio::test]
async fn a_payload_of_4096_bytes_passes_and_one_more_byte_does_not() {
    let simulator = quiet().await;
    let heartbeat = |length: usize| format!("{:<length$}", r#"{"op":1,"d":null}"#);
    let mut client = Client::connect(&simulator, QUERY).await;
    client.hello().await;
    client.send_text(heartbeat(4096)).await;
    assert_eq!(client.next().await["op"], 11);
    client.send_text(heartbeat(4097)).await;
    assert_eq!(client.closed().await, Some(4002));
}

#[tokio::test]
async fn too_many_guilds_close_with_4011() {
    let limits = Limits { guilds_per_shard: 5, ..Limits::default() };
    let simulator = start(Options { guilds_per_shard: 6, limits, ..Options::default() }).await;
    let mut client = Client::connect(&simulator, QUERY).await;
    client.hello().await;
    client.send(identify(0, 1, 0)).await;
    assert_eq!(client.closed().await, Some(4011));
}

#[tokio::test]
async fn a_client_that_does_not_identify_is_closed_if_asked_for() {
    let limits = Limits { identify_timeout: Some(Duration::from_millis(10)), ..Limits::default() };
    let simulator = start(Options { limits, ..Options::default() }).await;
    let mut client = Client::connect(&simulator, QUERY).await;
    assert_eq!(client.closed().await, Some(4003));
}
