//! Sessions in Redis, under the original's keys.

use gateway_simulator::{Entry, FaultKind, Happening, Simulator};
use gateway_tests::{Redis, Setup};

use crate::support::{discord, happens, on_redis, ready, redis, settled, until};

#[tokio::test]
async fn a_session_of_the_original_is_resumed_and_a_new_one_takes_its_place() {
    let redis = redis().await;
    let () = redis.command(&["SET", "gateway0seq", "500"]).await;
    let () = redis.command(&["SET", "gateway0session", "old"]).await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = storing(&simulator, &redis).start();
    let resume = happens(&control, 1, |happening| matches!(happening, Happening::Resume { .. })).await;
    assert_eq!(resume.happening, Happening::Resume { session: "old".to_owned(), sequence: 500 });
    // Discord does not know it.
    let ready = happens(&control, 1, |happening| matches!(happening, Happening::Ready { .. })).await;
    let Happening::Ready { session } = ready.happening else { panic!("READY") };
    let sequence = control.send_event(0, "LAST", "{}");
    until(async || sequence_of(&redis).await == Some(sequence)).await;
    assert_eq!(redis.command::<String>(&["GET", "gateway0session"]).await, session);
    assert!(sequence < 500);
    gateway.drain().await;
}

#[tokio::test]
async fn what_is_stored_is_enough_for_the_original_and_for_another_machine() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = storing(&simulator, &redis).start();
    ready(&control, 1).await;
    let sequence = control.send_event(0, "LAST", "{}");
    settled(&mut gateway, 2).await;
    gateway.drain().await;
    let session: String = redis.command(&["GET", "gateway0session"]).await;
    assert_eq!(sequence_of(&redis).await, Some(sequence));
    assert_eq!(redis.command::<i64>(&["TTL", "gateway0seq"]).await, -1);

    // The original knows two keys, and so may the next gateway.
    let others: Vec<String> = redis.command(&["KEYS", "gateway0*"]).await;
    for key in others.iter().filter(|key| !["gateway0seq", "gateway0session"].contains(&key.as_str())) {
        let () = redis.command(&["DEL", key]).await;
    }
    let mut gateway = storing(&simulator, &redis).start();
    let resumed = happens(&control, 1, |happening| matches!(happening, Happening::Resumed { .. })).await;
    assert_eq!(resumed.happening, Happening::Resumed { session, replayed: 0 });
    gateway.drain().await;
}

#[tokio::test]
async fn half_a_session_is_not_resumed() {
    for (key, value) in [("gateway0seq", "500"), ("gateway0session", "old")] {
        let redis = redis().await;
        let () = redis.command(&["SET", key, value]).await;
        let simulator = discord(1).await;
        let control = simulator.control();
        let mut gateway = storing(&simulator, &redis).start();
        ready(&control, 1).await;
        let resumes = |entry: &Entry| matches!(entry.happening, Happening::Resume { .. });
        assert!(!control.journal().iter().any(resumes));
        gateway.drain().await;
    }
}

#[tokio::test]
async fn a_lost_session_leaves_no_number_of_its_own() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = storing(&simulator, &redis).start();
    ready(&control, 1).await;
    let mut high = 0;
    for _ in 0..100 {
        high = control.send_event(0, "EVENT", "{}");
    }
    until(async || sequence_of(&redis).await == Some(high)).await;
    control.fault(FaultKind::InvalidSession { resumable: false });
    ready(&control, 2).await;
    let low = control.send_event(0, "EVENT", "{}");
    assert!(low < high);
    until(async || sequence_of(&redis).await == Some(low)).await;
    gateway.drain().await;
}

/// What is stored of the only shard. A session that was lost leaves nothing until the next one begins.
async fn sequence_of(redis: &Redis) -> Option<u64> {
    redis.command(&["GET", "gateway0seq"]).await
}

/// A gateway that keeps its sessions in Redis, with the prefix of the original's README.
fn storing(simulator: &Simulator, redis: &Redis) -> Setup {
    let setup = on_redis(simulator, redis).variable("BROKER_GROUP", "bot");
    setup.variable("SHARD_STORE_TYPE", "redis").variable("SHARD_STORE_PREFIX", "gateway")
}
