//! Sessions in Redis: on a real server and a real cluster, beside the keys of the original gateway.

use gateway_simulator::{Answer, Control, Entry, FaultKind, Happening};
use gateway_tests::{Gateway, Redis, RedisCluster, RedisOptions, Setup};

use crate::support::{assert_same, busy, happens, identifies, quiet, setup, shards, start, start_at_once};

#[tokio::test]
async fn the_keys_of_the_original_are_resumed_and_a_lost_session_is_overwritten() {
    let redis = Redis::start(RedisOptions::default()).await;
    set(&redis, "gateway0seq", "500").await;
    set(&redis, "gateway0session", "old").await;
    let simulator = start_at_once(shards(1)).await;
    let control = simulator.control();
    let setup = in_redis(setup(&simulator), &redis.url());
    let mut gateway = setup.start();
    assert_eq!(resume(&control, 1).await, ("old".into(), 500));
    gateway.next_named("READY").await;
    control.send_event(0, "AFTER", "{}");
    gateway.next_named("AFTER").await;
    gateway.drain().await;

    // What a reader of the original's keys finds is the new session, at its own low sequence.
    let session = get(&redis, "gateway0session").await;
    assert!(session != "old" && !session.is_empty(), "{session}");
    assert_eq!(get(&redis, "gateway0seq").await, "2");
    for key in ["gateway0seq", "gateway0session"] {
        assert_eq!(redis.command::<i64>(&["TTL", key]).await, -1, "{key}");
    }
    assert_eq!(get(&redis, "gateway0count").await, "1");

    let mut gateway = setup.start();
    gateway.next_named("RESUMED").await;
    assert_eq!(resume(&control, 2).await, (session, 2));
    gateway.drain().await;
}

#[tokio::test]
async fn a_killed_gateway_resumes_from_its_watermark_and_loses_nothing() {
    let redis = Redis::start(RedisOptions::default()).await;
    loses_nothing_when_killed(&redis.url(), async || redis.command(&["GET", "gateway0seq"]).await).await;
}

#[tokio::test]
async fn a_killed_gateway_resumes_from_its_watermark_in_a_cluster() {
    let cluster = RedisCluster::start(3).await;
    let owner = &cluster.nodes[cluster.owner("gateway0seq").await];
    loses_nothing_when_killed(&cluster.urls().join(","), async || owner.command(&["GET", "gateway0seq"]).await).await;
}

#[tokio::test]
async fn a_dead_resume_url_is_forgotten_in_redis_too() {
    let redis = Redis::start(RedisOptions::default()).await;
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = in_redis(setup(&simulator), &redis.url()).start();
    gateway.next_named("READY").await;
    let is_stored = async || redis.command::<bool>(&["EXISTS", "gateway0resume_url"]).await;
    while !is_stored().await {}
    control.fault(FaultKind::ResumeUrlDead);
    control.fault(FaultKind::Drop);
    gateway.next_named("RESUMED").await;
    while is_stored().await {}
    assert!(!get(&redis, "gateway0session").await.is_empty(), "the session itself is kept");
}

#[tokio::test]
async fn no_shard_starts_before_redis_is_there() {
    let mut redis = Redis::start(append_only()).await;
    set(&redis, "gateway0seq", "500").await;
    set(&redis, "gateway0session", "old").await;
    redis.stop().await;
    let simulator = start_at_once(shards(1)).await;
    let control = simulator.control();
    let setup = in_redis(setup(&simulator), &redis.url());
    let mut gateway = setup.start();
    let line = gateway.logged("waiting for Redis at").await;
    assert!(line.contains(&redis.address()), "{line}");
    assert_eq!(identifies(&control), 0);
    redis.restart().await;
    gateway.next_named("READY").await;
    assert_eq!(resume(&control, 1).await, ("old".into(), 500));
    gateway.drain().await;
}

#[tokio::test]
async fn a_gateway_that_waits_for_redis_can_be_stopped() {
    let mut redis = Redis::start(RedisOptions::default()).await;
    redis.stop().await;
    let simulator = quiet().await;
    let mut gateway = in_redis(setup(&simulator), &redis.url()).start();
    gateway.logged("waiting for Redis at").await;
    gateway.drain().await;
    assert_eq!(identifies(&simulator.control()), 0);
}

#[tokio::test]
async fn events_flow_while_redis_is_away_and_the_newest_is_saved_when_it_is_back() {
    let mut redis = Redis::start(append_only()).await;
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = in_redis(setup(&simulator), &redis.url()).with_metrics();
    let mut gateway = setup.start();
    let mut events = gateway.until("READY").await;
    redis.kill().await;
    for number in 0..20 {
        control.send_event(0, "MEANWHILE", number.to_string());
    }
    events.extend(gateway.next_events(20).await);
    gateway.logged("cannot save how far shards are").await;
    let figures = gateway.figures().await;
    assert_eq!(figures.of("gateway_checkpoints_unsaved"), Some(1.0));
    assert!(figures.of("gateway_checkpoint_failures_total") >= Some(1.0));
    redis.restart().await;
    gateway.logged("how far shards are is saved again").await;
    assert_eq!(gateway.figures().await.of("gateway_checkpoints_unsaved"), Some(0.0));
    assert_eq!(get(&redis, "gateway0seq").await, "21");
    events.extend(gateway.drain().await);
    assert_same(&events, &control.sent(0));
}

#[tokio::test]
async fn an_end_does_not_wait_long_for_redis() {
    let mut redis = Redis::start(RedisOptions::default()).await;
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = in_redis(setup(&simulator), &redis.url()).start();
    gateway.next_named("READY").await;
    redis.freeze();
    control.send_event(0, "LAST", "{}");
    gateway.next_named("LAST").await;
    gateway.signal("TERM").await;
    gateway.logged("could not be saved within 3 s").await;
    assert!(gateway.ended().await.success());
    redis.thaw();
}

#[tokio::test]
async fn a_session_of_another_number_of_shards_is_not_resumed() {
    let redis = Redis::start(RedisOptions::default()).await;
    let simulator = start_at_once(shards(2)).await;
    let setup = in_redis(setup(&simulator), &redis.url());
    ready_once(&setup, 2).await;
    let mut gateway = setup.variable("DISCORD_SHARD_COUNT", "1").start();
    gateway.logged("(the session is of a run with another number of shards)").await;
    gateway.next_named("READY").await;
    assert_eq!(identifies(&simulator.control()), 3);
}

#[tokio::test]
async fn a_new_session_is_stored_before_its_first_event_is_delivered() {
    let redis = Redis::start(RedisOptions::default()).await;
    let simulator = start_at_once(shards(1)).await;
    let control = simulator.control();
    let setup = in_redis(setup(&simulator), &redis.url());
    let mut gateway = setup.start_unread();
    // More than a pipe holds.
    control.wait_for(|entry| matches!(entry.happening, Happening::Ready { .. })).await.unwrap();
    control.send_event(0, "LARGE", format!("{:?}", "x".repeat(1 << 20)));
    control.fault(FaultKind::InvalidSession { resumable: false });
    let ready = happens(&control, 2, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    let Happening::Ready { session } = ready.happening else { panic!("READY") };
    while redis.command::<Option<String>>(&["GET", "gateway0session"]).await != Some(session.clone()) {}
    assert_eq!(get(&redis, "gateway0seq").await, "0");
    let gaps: serde_json::Value = serde_json::from_str(&get(&redis, "gateway0gaps").await).unwrap();
    assert_eq!((&gaps[0]["to"], &gaps[0]["reason"]), (&2.into(), &"not_delivered".into()), "what is owed of the first");
    gateway.signal("KILL").await;
    gateway.ended().await;

    let mut gateway = setup.start();
    gateway.logged("nothing of the session was delivered when the gateway ended").await;
    gateway.logged("the gateway ended before the broker had taken all of them").await;
    gateway.next_named("READY").await;
    assert_eq!(identifies(&control), 3);
    while redis.command::<Option<String>>(&["GET", "gateway0gaps"]).await.is_some() {}
}

#[tokio::test]
async fn a_session_that_discord_ends_leaves_no_key() {
    let redis = Redis::start(RedisOptions::default()).await;
    let simulator = start_at_once(shards(1)).await;
    let control = simulator.control();
    let mut gateway = in_redis(setup(&simulator), &redis.url()).start();
    gateway.next_named("READY").await;
    while redis.command::<Option<u64>>(&["GET", "gateway0seq"]).await < Some(1) {}
    // No other begins.
    control.fault(FaultKind::AnswerIdentify(Answer::Silence).until_cleared());
    control.fault(FaultKind::InvalidSession { resumable: false });
    while !redis.command::<Vec<String>>(&["KEYS", "gateway0*"]).await.is_empty() {}
}

#[tokio::test]
async fn keys_that_are_no_session_are_named_and_a_new_session_starts() {
    let redis = Redis::start(RedisOptions::default()).await;
    let simulator = start_at_once(shards(1)).await;
    let setup = in_redis(setup(&simulator), &redis.url());
    let cases = [
        (Some("abc"), Some("old"), "the key `gateway0seq` holds no number"),
        (Some("0"), Some("old"), "the events of session old… from 1 on"),
        (Some("500"), None, "the key `gateway0seq` is there, but `gateway0session` is not"),
        (None, Some("old"), "the key `gateway0session` is there, but `gateway0seq` is not"),
    ];
    for (times, (sequence, session, warning)) in (1..).zip(cases) {
        redis.command::<()>(&["FLUSHALL"]).await;
        for (key, value) in [("gateway0seq", sequence), ("gateway0session", session)] {
            if let Some(value) = value {
                set(&redis, key, value).await;
            }
        }
        let gateway = ready_once(&setup, 1).await;
        gateway.logged(warning).await;
        assert_eq!(identifies(&simulator.control()), times);
        assert_eq!(get(&redis, "gateway0seq").await, "1");
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_left_alone() {
    let redis = Redis::start(RedisOptions::default()).await;
    let _: i64 = redis.command(&["RPUSH", "gateway0session", "somebody's"]).await;
    let simulator = quiet().await;
    let mut gateway = in_redis(setup(&simulator), &redis.url()).start();
    let line = gateway.logged("the key `gateway0session` holds a list").await;
    assert!(line.contains("`shard_store.prefix`"), "{line}");
    gateway.next_named("READY").await;
    gateway.logged("cannot save how far shards are").await;
    gateway.drain().await;
    assert_eq!(redis.command::<i64>(&["LLEN", "gateway0session"]).await, 1);
}

#[tokio::test]
async fn what_only_the_operator_can_mend_is_an_error_at_the_start() {
    let simulator = quiet().await;
    let locked = Redis::start(RedisOptions { password: Some("hunter2".into()), ..RedisOptions::default() }).await;
    let error = in_redis(setup(&simulator), &format!("redis://:wrong@{}", locked.address())).failure().await;
    assert!(error.contains("refuses the credentials") && !error.contains("wrong@"), "{error}");
    let cluster = RedisCluster::start(3).await;
    let error =
        in_redis(setup(&simulator), &cluster.nodes[0].url()).variable("DISCORD_SHARD_COUNT", "8").failure().await;
    assert!(error.contains("it is a node of a cluster"), "{error}");
    assert_eq!(identifies(&simulator.control()), 0);
}

/// Kills a gateway under load as soon as something delivered is stored, and a while later.
async fn loses_nothing_when_killed(urls: &str, stored: impl AsyncFn() -> Option<u64>) {
    let simulator = start(busy(300.0)).await;
    let control = simulator.control();
    let setup = in_redis(setup(&simulator), urls);
    let mut gateway = setup.start();
    let mut first = gateway.until("READY").await;
    while stored().await < Some(1) {
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
    let (_, sequence) = resume(&control, 1).await;
    let watermark = usize::try_from(sequence).unwrap();
    assert!((1..=first.len()).contains(&watermark), "{watermark} of {}", first.len());
    let sent = control.sent(0);
    assert_same(&first, &sent[..first.len()]);
    assert_same(&second, &sent[watermark..]);
    assert_eq!(identifies(&control), 1);
}

fn in_redis(setup: Setup, urls: &str) -> Setup {
    setup.variable("SHARD_STORE_TYPE", "redis").variable("SHARD_STORE_PREFIX", "gateway").variable("REDIS_URL", urls)
}

async fn set(redis: &Redis, key: &str, value: &str) {
    redis.command(&["SET", key, value]).await
}

async fn get(redis: &Redis, key: &str) -> String {
    redis.command(&["GET", key]).await
}

fn append_only() -> RedisOptions {
    RedisOptions { append_only: true, ..RedisOptions::default() }
}

/// Runs it until all shards are ready, and drains it.
async fn ready_once(setup: &Setup, shards: usize) -> Gateway {
    let mut gateway = setup.start();
    for _ in 0..shards {
        gateway.next_named("READY").await;
    }
    gateway.drain().await;
    gateway
}

/// The session and the sequence of a resume.
async fn resume(control: &Control, times: usize) -> (String, u64) {
    let is_resume = |entry: &Entry| matches!(entry.happening, Happening::Resume { .. });
    match happens(control, times, is_resume).await.happening {
        Happening::Resume { session, sequence } => (session, sequence),
        other => unreachable!("{other:?}"),
    }
}
