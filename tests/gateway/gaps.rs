//! What is lost is said: in the log, in the figures, and to bots that want to hear of it.

use std::path::PathBuf;

use gateway_simulator::{FaultKind, Happening, Options, Simulator};
use gateway_tests::{Event, Setup};

use crate::support::{happens, setup, start_at_once, without_guilds};

#[tokio::test]
async fn a_lost_session_is_told_between_its_events_and_those_of_the_next() {
    let simulator = start_at_once(without_guilds()).await;
    let control = simulator.control();
    let mut gateway = telling(&simulator).with_metrics().start();
    let ready = gateway.next_named("READY").await;
    control.send_event(0, "LAST", "{}");
    gateway.next_named("LAST").await;
    control.fault(FaultKind::InvalidSession { resumable: false });
    let gap = gateway.next_event().await;
    assert_gap(&gap, &ready, 3, None, "session_lost");
    gateway.next_named("READY").await;
    let line = gateway.logged("the session is lost (invalidated)").await;
    assert!(line.contains("shard 0") && line.contains("from 3 on"), "{line}");
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_gaps_total{reason="session_lost",shard="0"}"#), Some(1.0));
    assert_eq!(figures.of(r#"gateway_gaps_total{reason="left_out",shard="0"}"#), Some(0.0), "shown from the start");
}

#[tokio::test]
async fn who_does_not_name_the_event_is_not_told() {
    let simulator = start_at_once(without_guilds()).await;
    let mut gateway = setup(&simulator).with_metrics().start();
    gateway.next_named("READY").await;
    simulator.control().fault(FaultKind::InvalidSession { resumable: false });
    assert_eq!(gateway.next_event().await.name, "READY");
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_gaps_total{reason="session_lost",shard="0"}"#), Some(1.0));
}

#[tokio::test]
async fn sequences_that_discord_leaves_out_are_told() {
    let simulator = start_at_once(without_guilds()).await;
    let control = simulator.control();
    let setup = telling(&simulator).variable("DISCORD_EVENTS", "READY,NEXT,GATEWAY_GAP");
    let mut gateway = setup.start();
    let ready = gateway.next_named("READY").await;
    control.fault(FaultKind::SequenceGap { skipped: 10 });
    control.send_event(0, "NEXT", "{}");
    let gap = gateway.next_event().await;
    assert_gap(&gap, &ready, 2, Some(11), "left_out");
    gateway.next_named("NEXT").await;
    gateway.logged("events 2 to 11 of session").await;
}

#[tokio::test]
async fn a_session_that_ended_between_two_runs_is_told() {
    let simulator = start_at_once(Options { replay_events: 1, ..without_guilds() }).await;
    let control = simulator.control();
    let setup = telling(&simulator);
    let mut gateway = setup.start();
    let ready = gateway.next_named("READY").await;
    gateway.drain().await;
    for number in 0..3 {
        control.send_event(0, "LOST", number.to_string());
    }
    let mut gateway = setup.start();
    assert_gap(&gateway.next_event().await, &ready, 2, None, "session_lost");
    gateway.next_named("READY").await;
}

#[tokio::test]
async fn another_number_of_shards_is_told() {
    let simulator = start_at_once(without_guilds()).await;
    let setup = telling(&simulator);
    let mut gateway = setup.start();
    let ready = gateway.next_named("READY").await;
    gateway.drain().await;
    let setup = setup.variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", "0");
    let mut gateway = setup.start();
    assert_gap(&gateway.next_event().await, &ready, 2, None, "shard_count");
    gateway.next_named("READY").await;
}

/// As if the store were of another world: Discord has never sent so much.
#[tokio::test]
async fn a_watermark_ahead_of_the_session_is_a_new_session_and_a_gap() {
    let simulator = start_at_once(without_guilds()).await;
    let setup = telling(&simulator).variable("SHARD_STORE_PATH", "store");
    let mut gateway = setup.start();
    let ready = gateway.next_named("READY").await;
    gateway.drain().await;
    let file = session_file(&setup);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(r#""sequence":1}"#), "{text}");
    std::fs::write(&file, text.replace(r#""sequence":1}"#, r#""sequence":1000}"#)).unwrap();
    let mut gateway = setup.start();
    assert_gap(&gateway.next_event().await, &ready, 1001, None, "session_lost");
    let again = gateway.next_named("READY").await;
    assert_ne!(again.data["session_id"], ready.data["session_id"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told() {
    let simulator = start_at_once(without_guilds()).await;
    let setup = telling(&simulator).variable("SHARD_STORE_PATH", "store");
    for damaged in ["{\"version\":1,\"shard\":0,\"shard_co", "{\"version\":99}", "\0\0\0"] {
        let mut gateway = setup.start();
        gateway.next_named("READY").await;
        gateway.drain().await;
        std::fs::write(session_file(&setup), damaged).unwrap();
        let mut gateway = setup.start();
        let gap = gateway.next_event().await;
        assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("GATEWAY_GAP", &"store_unreadable".into()));
        gateway.logged("is not used, so a new session starts").await;
        gateway.drain().await;
    }
}

/// The session ended while STDOUT took nothing, and the gateway was killed: nobody has what it had received.
#[tokio::test]
async fn what_was_received_of_an_ended_session_and_not_delivered_is_told_by_the_next_run() {
    let simulator = start_at_once(without_guilds()).await;
    let control = simulator.control();
    let setup = telling(&simulator).variable("SHARD_STORE_PATH", "store");
    let mut gateway = setup.start_unread();
    let first = happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    let Happening::Ready { session: first } = first.happening else { unreachable!() };
    // More than a pipe holds.
    control.send_event(0, "LARGE", format!("{:?}", "x".repeat(1 << 21)));
    control.fault(FaultKind::InvalidSession { resumable: false });
    let second = happens(&control, 2, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    let Happening::Ready { session: second } = second.happening else { unreachable!() };
    while !std::fs::read_to_string(session_file(&setup)).is_ok_and(|stored| stored.contains(&second)) {
        tokio::task::yield_now().await;
    }
    gateway.signal("KILL").await;
    gateway.ended().await;

    let mut gateway = setup.start();
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(gateway.next_named("GATEWAY_GAP").await.data);
    }
    let of = |reason: &str| told.iter().find(|gap| gap["reason"] == reason).unwrap();
    let lost = of("session_lost");
    assert_eq!((lost["session"].as_str(), lost["from"].as_u64()), (Some(&*first), Some(3)));
    // READY was small enough for the pipe.
    let undelivered = of("not_delivered");
    assert_eq!(undelivered["session"].as_str(), Some(&*first));
    assert_eq!(undelivered["to"].as_u64(), Some(2), "{undelivered}");
    assert_eq!(of("nothing_delivered")["session"].as_str(), Some(&*second));
    gateway.next_named("READY").await;
    gateway.logged("lost in an earlier run: events").await;
}

fn assert_gap(gap: &Event, ready: &Event, from: u64, to: Option<u64>, reason: &str) {
    assert_eq!(gap.name, "GATEWAY_GAP");
    let session = &ready.data["session_id"];
    let expected = serde_json::json!({ "shard": 0, "session": session, "from": from, "to": to, "reason": reason });
    assert_eq!(gap.data, expected);
}

fn session_file(setup: &Setup) -> PathBuf {
    let bots: Vec<_> = std::fs::read_dir(setup.path("store")).unwrap().map(|bot| bot.unwrap().path()).collect();
    assert_eq!(bots.len(), 1);
    bots[0].join("shard-0.json")
}

fn telling(simulator: &Simulator) -> Setup {
    setup(simulator).variable("DISCORD_EVENTS", "*,GATEWAY_GAP")
}
