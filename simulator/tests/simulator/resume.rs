use gateway_simulator::{Answer, FaultKind, Happening, Knobs, Options, Refusal, Simulator};
use serde_json::{Value, json};
use std::time::Duration;

use crate::client::{Client, QUERY, quiet, resume, resume_url, start};

/// A session that saw READY, lost its connection, and missed events 2 to `last`.
async fn interrupted(simulator: &Simulator, last: u64) -> Value {
    let (client, ready) = Client::ready(simulator, 0).await;
    client.close(4000).await;
    for number in 2..=last {
        assert_eq!(simulator.control().send_event(0, "MISSED", number.to_string()), number);
    }
    ready
}

async fn resumed(ready: &Value, sequence: u64) -> Client {
    let mut client = Client::connect_to(resume_url(ready), QUERY).await;
    client.hello().await;
    client.send(resume(ready, sequence)).await;
    client
}

#[tokio::test]
async fn missed_events_are_replayed_in_order_and_resumed_ends_them() {
    let simulator = quiet().await;
    let ready = interrupted(&simulator, 20).await;
    let mut client = resumed(&ready, 5).await;
    for sequence in 6..=20 {
        assert_eq!(client.next_text().await, format!(r#"{{"t":"MISSED","s":{sequence},"op":0,"d":{sequence}}}"#));
    }
    let end = client.next().await;
    assert_eq!((&end["t"], &end["s"]), (&json!("RESUMED"), &json!(21)));
    assert_eq!(simulator.control().send_event(0, "NEW", "{}"), 22);
    assert_eq!(client.next().await["s"], 22);
    let starts = simulator.control().journal();
    assert_eq!(starts.iter().filter(|entry| matches!(entry.happening, Happening::Identify { .. })).count(), 1);
}

#[tokio::test]
async fn a_second_replay_has_no_mark_of_the_first() {
    let simulator = quiet().await;
    let ready = interrupted(&simulator, 3).await;
    let mut client = resumed(&ready, 1).await;
    client.event("RESUMED").await;
    client.close(4000).await;
    let mut client = resumed(&ready, 1).await;
    let names = [client.next().await["t"].clone(), client.next().await["t"].clone(), client.next().await["t"].clone()];
    assert_eq!(names, ["MISSED", "MISSED", "RESUMED"]);
}

#[tokio::test]
async fn resumed_can_have_a_null_sequence() {
    let knobs = Knobs { resumed_sequence: false, ..Knobs::default() };
    let simulator = start(Options { guilds_per_shard: 0, knobs, ..Options::default() }).await;
    let ready = interrupted(&simulator, 2).await;
    let mut client = resumed(&ready, 1).await;
    assert_eq!(client.next().await["t"], "MISSED");
    let end = client.next().await;
    assert_eq!((&end["t"], &end["s"]), (&json!("RESUMED"), &Value::Null));
}

#[tokio::test]
async fn the_resume_url_differs_from_the_base_url() {
    let simulator = quiet().await;
    let (_client, ready) = Client::ready(&simulator, 0).await;
    assert_ne!(resume_url(&ready), format!("ws://{}", simulator.address()));
}

#[tokio::test]
async fn a_normal_close_ends_the_session_and_others_keep_it() {
    for (code, outcome) in [(1000, 9), (1001, 9), (4000, 0), (4900, 0)] {
        let simulator = quiet().await;
        let (client, ready) = Client::ready(&simulator, 0).await;
        client.close(code).await;
        let mut client = resumed(&ready, 1).await;
        let answer = client.next().await;
        assert_eq!(answer["op"], outcome, "{code}");
        assert!(outcome == 0 || answer["d"] == false);
    }
}

#[tokio::test]
async fn what_can_not_be_replayed_is_invalid() {
    let options = Options { guilds_per_shard: 0, replay_events: 4, ..Options::default() };
    let simulator = start(options.clone()).await;
    let ready = interrupted(&simulator, 10).await;
    assert_eq!(resumed(&ready, 5).await.next().await["op"], 9);

    let simulator = start(options).await;
    let ready = interrupted(&simulator, 10).await;
    assert_eq!(resumed(&ready, 6).await.next().await["s"], 7);
}

#[tokio::test]
async fn a_session_expires_after_the_window() {
    let options = Options { guilds_per_shard: 0, replay_window: Duration::from_millis(1), ..Options::default() };
    let simulator = start(options).await;
    let ready = interrupted(&simulator, 1).await;
    let ended = |happening: &Happening| matches!(happening, Happening::SessionEnded { .. });
    simulator.control().wait_for(|entry| ended(&entry.happening)).await.unwrap();
    assert_eq!(resumed(&ready, 1).await.next().await["d"], false);
}

#[tokio::test]
async fn a_sequence_ahead_is_refused_as_the_knob_says() {
    let simulator = quiet().await;
    let ready = interrupted(&simulator, 2).await;
    assert_eq!(resumed(&ready, 99).await.closed().await, Some(4007));
    let knobs = Knobs { sequence_ahead: Refusal::InvalidSession, ..Knobs::default() };
    let simulator = start(Options { guilds_per_shard: 0, knobs, ..Options::default() }).await;
    let ready = interrupted(&simulator, 2).await;
    assert_eq!(resumed(&ready, 99).await.next().await["op"], 9);
}

#[tokio::test]
async fn a_new_connection_takes_a_live_session_over() {
    let simulator = quiet().await;
    let (mut old, ready) = Client::ready(&simulator, 0).await;
    let mut new = resumed(&ready, 1).await;
    new.event("RESUMED").await;
    assert_eq!(old.closed().await, Some(4000));
    assert_eq!(simulator.control().send_event(0, "AFTER", "1"), 3);
    assert_eq!(new.next().await["t"], "AFTER");
}

#[tokio::test]
async fn an_invalid_session_can_identify_on_the_same_socket() {
    let limits = gateway_simulator::Limits { identify_interval: Duration::ZERO, ..Default::default() };
    let simulator = start(Options { guilds_per_shard: 0, limits, ..Options::default() }).await;
    let (mut client, _) = Client::ready(&simulator, 0).await;
    simulator.control().send_event(0, "BEFORE", "1");
    simulator.control().fault(FaultKind::InvalidSession { resumable: false });
    assert_eq!(client.next().await["t"], "BEFORE");
    assert_eq!(client.next_text().await, r#"{"t":null,"s":null,"op":9,"d":false}"#);
    client.send(crate::client::identify(0, 1, 0)).await;
    let ready = client.next().await;
    assert_eq!((&ready["t"], &ready["s"]), (&json!("READY"), &json!(1)));
}

#[tokio::test]
async fn a_resumable_session_can_resume_on_the_same_socket() {
    let simulator = quiet().await;
    let (mut client, ready) = Client::ready(&simulator, 0).await;
    simulator.control().send_event(0, "BEFORE", "1");
    simulator.control().fault(FaultKind::InvalidSession { resumable: true });
    assert_eq!(client.next().await["t"], "BEFORE");
    assert_eq!(client.next_text().await, r#"{"t":null,"s":null,"op":9,"d":true}"#);
    simulator.control().send_event(0, "MISSED", "2");
    client.send(resume(&ready, 1)).await;
    let names = [client.next().await["t"].clone(), client.next().await["t"].clone(), client.next().await["t"].clone()];
    assert_eq!(names, ["BEFORE", "MISSED", "RESUMED"]);
    assert_eq!(simulator.control().send_event(0, "NEW", "3"), 5);
    assert_eq!(client.next().await["s"], 5);
}

#[tokio::test]
async fn resumes_fail_as_asked() {
    let simulator = quiet().await;
    let control = simulator.control();
    let ready = interrupted(&simulator, 4).await;
    control.fault(FaultKind::AnswerResume(Answer::Drop).times(2));
    for _ in 0..2 {
        assert_eq!(resumed(&ready, 1).await.closed().await, None);
    }
    control.fault(FaultKind::AnswerResume(Answer::InvalidSession { resumable: true }));
    assert_eq!(resumed(&ready, 1).await.next().await["d"], true);
    control.fault(FaultKind::DuplicateReplay);
    let mut client = resumed(&ready, 1).await;
    let mut sequences = Vec::new();
    while sequences.len() < 6 {
        sequences.push(client.next().await["s"].as_u64().unwrap());
    }
    assert_eq!(sequences, [2, 2, 3, 3, 4, 4]);
    client.close(4000).await;
    control.fault(FaultKind::ResumedWithoutReplay);
    assert_eq!(resumed(&ready, 1).await.next().await["t"], "RESUMED");
}

#[tokio::test]
async fn a_resume_on_a_fresh_context_is_compressed_from_the_start() {
    let simulator = quiet().await;
    let ready = interrupted(&simulator, 3).await;
    for compress in ["zlib-stream", "zstd-stream"] {
        let mut client = Client::connect_to(resume_url(&ready), &format!("{QUERY}&compress={compress}")).await;
        client.hello().await;
        client.send(resume(&ready, 2)).await;
        assert_eq!(client.next().await["s"], 3);
        client.close(4000).await;
    }
}
