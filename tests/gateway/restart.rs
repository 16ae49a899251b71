//! A gateway that was stopped goes on with its sessions when it is started again.

use std::path::{Path, PathBuf};

use gateway_simulator::{Happening, Options, Sent};
use gateway_tests::{Gateway, Setup};

use crate::support::{
    assert_same, busy, happens, identifies, quiet, setup, shards, start, start_at_once, without_guilds,
};

#[tokio::test]
async fn a_restarted_gateway_resumes_and_nothing_is_lost_or_comes_twice() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator);
    let mut gateway = setup.start();
    let mut events = gateway.until("READY").await;
    for number in 0..10 {
        control.send_event(0, "BEFORE", number.to_string());
    }
    events.extend(gateway.next_events(10).await);
    events.extend(gateway.drain().await);
    for number in 0..10 {
        control.send_event(0, "BETWEEN", number.to_string());
    }
    let mut gateway = setup.start();
    events.extend(gateway.until("RESUMED").await);
    control.send_event(0, "AFTER", "{}");
    events.extend(gateway.until("AFTER").await);
    assert_same(&events, &control.sent(0));
    let resume = happens(&control, 1, |entry| matches!(entry.happening, Happening::Resume { .. })).await;
    assert!(matches!(resume.happening, Happening::Resume { sequence: 11, .. }), "{resume:?}");
    assert_eq!(identifies(&control), 1);
    gateway.logged("going on with the session of an earlier run, after event 11").await;
}

#[tokio::test]
async fn a_killed_gateway_resumes_from_its_watermark_and_loses_nothing() {
    let simulator = start(busy(300.0)).await;
    let control = simulator.control();
    let setup = setup(&simulator);
    let mut gateway = setup.start();
    let mut first = gateway.until("READY").await;
    // Events go on until the first checkpoint is on the disk, and beyond.
    while session_file(&setup, 0).is_none() {
        first.extend(gateway.next_events(1).await);
    }
    first.extend(gateway.next_events(100).await);
    gateway.signal("KILL").await;
    first.extend(gateway.rest().await);
    assert_eq!(gateway.ended().await.code(), None);

    let mut gateway = setup.start();
    let mut second = gateway.until("RESUMED").await;
    control.pause();
    control.send_event(0, "LAST", "{}");
    second.extend(gateway.until("LAST").await);
    let resume = happens(&control, 1, |entry| matches!(entry.happening, Happening::Resume { .. })).await;
    let Happening::Resume { sequence, .. } = resume.happening else { unreachable!() };
    let watermark = usize::try_from(sequence).unwrap();
    assert!((1..=first.len()).contains(&watermark), "{watermark} of {}", first.len());
    let sent = control.sent(0);
    assert_same(&first, &sent[..first.len()]);
    assert_same(&second, &sent[watermark..]);
    assert_eq!(identifies(&control), 1);
}

#[tokio::test]
async fn an_event_that_comes_again_after_a_kill_has_the_identity_that_it_had() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator).variable("BROKER_MESSAGE_IDS", "true");
    ready_once(&setup).await;
    let file = session_file(&setup, 0).unwrap();
    let checkpoint = std::fs::read(&file).unwrap();
    let mut gateway = setup.start();
    gateway.until("RESUMED").await;
    for number in 0..10 {
        control.send_event(0, "NUMBER", number.to_string());
    }
    let first = gateway.next_events(10).await;
    gateway.signal("KILL").await;
    gateway.ended().await;
    // As if none had been saved since.
    std::fs::write(&file, checkpoint).unwrap();
    let mut gateway = setup.start();
    let again = gateway.until("RESUMED").await;
    let again: Vec<_> = again.into_iter().filter(|event| event.name == "NUMBER").collect();
    assert_eq!(again, first);
    let sent = control.sent(0).into_iter().filter(|sent| &*sent.name == "NUMBER");
    let lines = sent.map(|sent| {
        let Sent { session, sequence, payload, .. } = sent;
        format!(r#"{{"event":"NUMBER","data":{payload},"id":"{session}:{sequence}"}}"#)
    });
    assert_eq!(first.into_iter().map(|event| event.line).collect::<Vec<_>>(), lines.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_memory_store_starts_a_new_session_each_time() {
    let simulator = start_at_once(without_guilds()).await;
    let setup = setup(&simulator).variable("SHARD_STORE_TYPE", "memory");
    for times in 1..=2 {
        let mut gateway = setup.start();
        gateway.next_named("READY").await;
        gateway.drain().await;
        assert_eq!(identifies(&simulator.control()), times);
    }
    assert_eq!(session_file(&setup, 0), None);
}

#[tokio::test]
async fn a_corrupt_file_is_a_new_session_with_a_warning() {
    let simulator = start_at_once(without_guilds()).await;
    let setup = setup(&simulator);
    ready_once(&setup).await;
    let file = session_file(&setup, 0).unwrap();
    for (times, content) in (2..).zip(["", "\0\0\0\0", "{\"version\":99}", "[]"]) {
        std::fs::write(&file, content).unwrap();
        let gateway = ready_once(&setup).await;
        let line = gateway.logged("is not used, so a new session starts").await;
        assert!(line.contains(&file.display().to_string()), "{line}");
        assert_eq!(identifies(&simulator.control()), times);
    }
}

#[tokio::test]
async fn another_number_of_shards_starts_new_sessions() {
    let simulator = start_at_once(without_guilds()).await;
    let alone = setup(&simulator).variable("SHARD_STORE_PATH", "store");
    ready_once(&alone).await;
    let mut gateway = alone.variable("DISCORD_SHARD_COUNT", "2").start();
    gateway.logged("(the session is of a run with another number of shards)").await;
    gateway.next_named("READY").await;
    gateway.next_named("READY").await;
}

#[tokio::test]
async fn a_session_that_discord_ended_meanwhile_is_replaced_and_the_loss_is_told() {
    let simulator = start_at_once(Options { replay_events: 1, ..without_guilds() }).await;
    let control = simulator.control();
    let setup = setup(&simulator).with_metrics();
    ready_once(&setup).await;
    for number in 0..3 {
        control.send_event(0, "LOST", number.to_string());
    }
    let mut gateway = setup.start();
    let line = gateway.logged("the session is lost (invalidated)").await;
    assert!(line.contains("from 2 on"), "{line}");
    gateway.next_named("READY").await;
    assert_eq!(gateway.figures().await.of(r#"gateway_sessions_lost_total{shard="0"}"#), Some(1.0));
    assert_eq!(identifies(&control), 2);
}

#[tokio::test]
async fn a_place_that_was_asked_for_and_cannot_be_written_is_an_error() {
    let simulator = quiet().await;
    let setup = setup(&simulator);
    std::fs::write(setup.path("file"), "").unwrap();
    let error = setup.variable("SHARD_STORE_PATH", "file/store").failure().await;
    assert!(error.contains("cannot keep sessions in file/store"), "{error}");
    assert!(error.contains("`shard_store.path`") && error.contains("`memory`"), "{error}");
    assert_eq!(identifies(&simulator.control()), 0);
}

#[tokio::test]
async fn a_default_place_that_cannot_be_written_is_a_warning() {
    let simulator = quiet().await;
    let setup = setup(&simulator);
    let file = setup.path("file");
    std::fs::write(&file, "").unwrap();
    let mut gateway = setup.variable("XDG_STATE_HOME", &file.display().to_string()).start();
    gateway.logged("For now, sessions are not kept").await;
    gateway.next_named("READY").await;
}

#[tokio::test]
async fn two_gateways_cannot_run_one_shard() {
    let simulator = start(shards(2)).await;
    let one = setup(&simulator);
    let store = one.path("store").display().to_string();
    let one = one.variable("SHARD_STORE_PATH", &store);
    let mut running = one.start();
    running.next_named("READY").await;
    let two = setup(&simulator).variable("SHARD_STORE_PATH", &store);
    let two = two.variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", "1");
    let error = two.failure().await;
    assert!(error.contains("another gateway on this machine runs shard 1 of this bot"), "{error}");
    assert!(error.contains("`shards.ids`"), "{error}");
    // The first one has lost nothing by it, and its end frees the shard.
    running.drain().await;
    let mut gateway = two.start();
    gateway.next_named("RESUMED").await;
}

/// Runs it until it is ready, and drains it.
async fn ready_once(setup: &Setup) -> Gateway {
    let mut gateway = setup.start();
    gateway.next_named("READY").await;
    gateway.drain().await;
    gateway
}

/// The file of a shard's session, at the default place.
fn session_file(setup: &Setup, shard: u32) -> Option<PathBuf> {
    let name = format!("shard-{shard}.json");
    let bots = std::fs::read_dir(setup.path(".local/state/spectacles-gateway")).ok()?;
    bots.map(|bot| bot.unwrap().path().join(&name)).find(|path: &PathBuf| Path::exists(path))
}
