//! A shard whose heartbeats are answered and to which no events come.

use std::time::Duration;

use gateway_simulator::{Control, Entry, FaultKind, Happening, Limits, Options};
use gateway_tests::{Event, Gateway};

use crate::support::{assert_same, busy, count, happens, identifies, setup, start};

/// Traffic, and a heartbeat each second.
fn lively(shards: u32) -> Options {
    let limits = Limits { heartbeat_tolerance: 60.0, ..Limits::default() };
    let hello_interval = Duration::from_secs(1);
    Options { recommended_shards: shards, max_concurrency: shards, hello_interval, limits, ..busy(100.0) }
}

/// Of each shard: more than it must know to suspect something.
const HEARTBEATS: usize = 12;

/// Waits until there is traffic of all shards, and then for their heartbeats. Answers with what came before.
async fn traffic_flows(control: &Control, gateway: &mut Gateway, shards: u32) -> Vec<Event> {
    let events = gateway.next_events(1000).await;
    heartbeats(control, shards, HEARTBEATS).await;
    events
}

/// Waits for so many more of each shard.
async fn heartbeats(control: &Control, shards: u32, beats: usize) {
    for shard in 0..shards {
        let beat = |entry: &Entry| entry.shard == Some(shard) && matches!(entry.happening, Happening::Heartbeat { .. });
        let before = control.journal().iter().filter(|entry| beat(entry)).count();
        happens(control, before + beats, beat).await;
    }
}

#[tokio::test]
async fn a_deaf_shard_resumes_and_loses_nothing() {
    let simulator = start(lively(1)).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).variable("DISCORD_SHARD_SILENCE", "2s").with_metrics().start();
    let mut events = traffic_flows(&control, &mut gateway, 1).await;
    control.fault(FaultKind::Deaf);
    gateway.logged("shard 0: heartbeats are answered, but no event has come").await;
    events.extend(gateway.until("RESUMED").await);
    control.pause();
    control.send_event(0, "LAST", "{}");
    events.extend(gateway.until("LAST").await);
    assert_same(&events, &control.sent(0));
    assert_eq!(identifies(&control), 1);
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_reconnects_total{cause="deaf",shard="0"}"#), Some(1.0));
}

#[tokio::test]
async fn a_deaf_shard_among_others_is_known_by_them_and_told_when_it_hears_again() {
    let simulator = start(lively(2)).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).variable("DISCORD_SHARD_SILENCE", "2s").with_metrics().start();
    traffic_flows(&control, &mut gateway, 2).await;
    control.fault(FaultKind::Deaf.on_shard(1));
    gateway.logged("shard 1: heartbeats are answered, but no event has come").await;
    gateway.logged("shard 1: it hears events again").await;
    let resumed = |happening: &Happening| matches!(happening, Happening::Resumed { .. });
    assert_eq!((count(&control, resumed), identifies(&control)), (1, 2));
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_reconnects_total{cause="deaf",shard="1"}"#), Some(1.0));
    assert_eq!(figures.of(r#"gateway_reconnects_total{cause="deaf",shard="0"}"#), None);
    assert_eq!(figures.of(r#"gateway_shard_deaf{shard="1"}"#), Some(0.0));
}

#[tokio::test]
async fn shards_that_all_hear_nothing_keep_their_connections() {
    let simulator = start(lively(2)).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).variable("DISCORD_SHARD_SILENCE", "2s").with_metrics().start();
    traffic_flows(&control, &mut gateway, 2).await;
    control.pause();
    heartbeats(&control, 2, HEARTBEATS).await;
    assert_eq!(count(&control, |happening| matches!(happening, Happening::Opened { .. })), 2);
    assert_eq!(gateway.get("/readyz").await.status, 200);
}
