//! The day's session starts: the record of them, the reserve, and the breaker for crash loops.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use gateway_simulator::{Answer, Entry, FaultKind, Happening, Options, SessionStarts, Simulator};
use gateway_tests::{Redis, RedisCluster, RedisOptions, Setup};

use crate::support::{happens, identifies, setup, shards, start, start_at_once};

#[tokio::test]
async fn an_identify_is_on_record_before_it_is_sent() {
    let simulator = start_at_once(shards(1)).await;
    let control = simulator.control();
    control.fault(FaultKind::AnswerIdentify(Answer::Silence));
    let setup = stored(&simulator);
    let mut gateway = setup.start();
    happens(&control, 1, is_identify).await;
    gateway.signal("KILL").await;
    gateway.ended().await;
    let ledger = std::fs::read_to_string(bot(&setup).join("shard-0.identifies.jsonl")).unwrap();
    assert!(ledger.starts_with(r#"{"version":1,"at":"#), "{ledger}");
    assert!(ledger.ends_with("\"shard\":0,\"reason\":\"start\"}\n") && ledger.lines().count() == 1, "{ledger}");
}

#[tokio::test]
async fn a_loop_of_crashes_is_slowed_down() {
    let simulator = start_at_once(shards(1)).await;
    let control = simulator.control();
    let setup = stored(&simulator);
    for _ in 0..4 {
        crash(&setup).await;
    }
    let mut gateway = setup.start();
    gateway.logged("shard 0: identified 4 times in a row, so it waits for 10s before it does so again").await;
    assert_eq!(identifies(&control), 4);
    gateway.next_named("READY").await;
    let journal = control.journal();
    let at: Vec<_> = journal.iter().filter(|entry| is_identify(entry)).map(|entry| entry.at).collect();
    assert!(at[4] - at[3] >= Duration::from_secs(9), "{at:?}");
}

#[tokio::test]
async fn a_shard_that_identified_very_often_waits_and_keeps_no_other_from_its_start() {
    let simulator = start_at_once(shards(2)).await;
    let control = simulator.control();
    let setup = stored(&simulator).with_metrics();
    crash(&setup).await;
    let before = identifies(&control);
    seed(&setup, 1, 12);
    let mut gateway = setup.start();
    gateway.logged("shard 1: identified ").await;
    gateway.next_named("READY").await;
    assert_eq!(identifies(&control), before + 1);
    assert_eq!(gateway.get("/readyz").await.status, 503);
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_identifies_waiting{cause="breaker"}"#), Some(1.0));
    assert!(figures.of("gateway_identifies_left_age_seconds") >= Some(0.0));
    gateway.drain().await;
}

#[tokio::test]
async fn the_damaged_part_of_a_record_is_told_and_the_rest_counts() {
    let simulator = start_at_once(shards(1)).await;
    let setup = stored(&simulator);
    crash(&setup).await;
    let file = seed(&setup, 0, 12);
    let text = std::fs::read_to_string(&file).unwrap();
    let cut_off = &text[..text.len() - 30];
    std::fs::write(&file, format!("\0\0\n{{\"version\":99}}\n{cut_off}")).unwrap();
    let mut gateway = setup.start();
    let line = gateway.logged("lines are not used").await;
    assert!(line.contains("shard-0.identifies.jsonl: 3 of 14 lines are not used: it is damaged"), "{line}");
    gateway.logged("shard 0: identified 11 times in a row").await;
    gateway.drain().await;
}

#[tokio::test]
async fn a_clock_that_was_wrong_holds_nobody_up() {
    let simulator = start_at_once(shards(1)).await;
    let setup = stored(&simulator);
    crash(&setup).await;
    write(&setup, 0, 12, now() + 3_600_000);
    let mut gateway = setup.start();
    gateway.logged("12 identifies on record are more than 5 minutes ahead of this machine's clock").await;
    gateway.next_named("READY").await;
}

#[tokio::test]
async fn the_reserve_is_for_the_operator() {
    let simulator = with_starts(50, Duration::from_secs(86_400)).await;
    let control = simulator.control();
    let setup = stored(&simulator).with_metrics();
    let mut gateway = setup.start();
    let line = gateway.logged("1 shards wait: the 50 session starts that are left for today are the reserve").await;
    for hint in ["identify.reserve", "GATEWAY_IDENTIFY_RESERVE", "--spend-reserve", "in 2"] {
        assert!(line.contains(hint), "{line}");
    }
    assert_eq!(gateway.get("/readyz").await.status, 503);
    let figures = gateway.figures().await;
    assert_eq!(figures.of("gateway_identify_reserve"), Some(50.0));
    assert_eq!(figures.of(r#"gateway_identifies_waiting{cause="reserve"}"#), Some(1.0));
    assert_eq!(identifies(&control), 0);
    gateway.drain().await;

    let mut gateway = setup.variable("GATEWAY_IDENTIFY_RESERVE", "49").start();
    gateway.next_named("READY").await;
    gateway.drain().await;
}

#[tokio::test]
async fn the_flag_spends_the_reserve() {
    let simulator = with_starts(1, Duration::from_secs(86_400)).await;
    let mut gateway = stored(&simulator).argument("--spend-reserve").start();
    gateway.logged("reserve = \"0\" # flag --spend-reserve").await;
    gateway.next_named("READY").await;
    assert_eq!(identifies(&simulator.control()), 1);
}

#[tokio::test]
async fn shards_that_wait_for_the_reset_go_on_by_themselves() {
    let simulator = with_starts(50, Duration::from_secs(3)).await;
    let mut gateway = stored(&simulator).start();
    gateway.logged("are the reserve").await;
    gateway.next_named("READY").await;
    assert_eq!(identifies(&simulator.control()), 1);
}

#[tokio::test]
async fn gateways_on_all_machines_share_the_record_in_redis() {
    let redis = Redis::start(RedisOptions::default()).await;
    let simulator = start_at_once(shards(1)).await;
    let control = simulator.control();
    let in_redis = || in_redis(setup(&simulator), &redis);
    let mut gateway = in_redis().start();
    gateway.next_named("READY").await;
    gateway.drain().await;
    let records: Vec<String> = redis.command(&["ZRANGE", "gatewayidentifies", "0", "-1"]).await;
    assert!(matches!(&records[..], [one] if one.ends_with(r#""shard":0,"reason":"start"}"#)), "{records:?}");
    assert!(redis.command::<i64>(&["TTL", "gatewayidentifies"]).await > 80_000);

    let now = now();
    for number in 0..11 {
        let at = (now - 1000 * (number + 1)).to_string();
        let record = format!(r#"{{"version":1,"at":{at},"shard":0,"reason":"start"}}"#);
        let _: i64 = redis.command(&["ZADD", "gatewayidentifies", &at, &record]).await;
    }
    let _: i64 = redis.command(&["ZADD", "gatewayidentifies", &now.to_string(), "garbage"]).await;
    redis.command::<()>(&["DEL", "gateway0session"]).await;
    let mut gateway = in_redis().start();
    let line = gateway.logged("entries of the key `gatewayidentifies` are not used").await;
    assert!(line.contains("1 of 13 entries"), "{line}");
    gateway.logged("shard 0: identified 12 times in a row").await;
    assert_eq!(identifies(&control), 1);
    gateway.drain().await;
}

#[tokio::test]
async fn the_record_lies_in_a_cluster_too() {
    let cluster = RedisCluster::start(3).await;
    let owner = &cluster.nodes[cluster.owner("gatewayidentifies").await];
    let simulator = start_at_once(shards(1)).await;
    let setup = in_redis(setup(&simulator), &cluster.nodes[0]).variable("REDIS_URL", &cluster.urls().join(","));
    let mut gateway = setup.start();
    gateway.next_named("READY").await;
    gateway.drain().await;
    assert_eq!(owner.command::<u64>(&["ZCARD", "gatewayidentifies"]).await, 1);
    let output = setup.argument("plan").output().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("  resume            1\n") && text.contains("1 identify on record: start 1"), "{text}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_or_written_in_redis_is_told_and_keeps_nobody() {
    let redis = Redis::start(RedisOptions::default()).await;
    let _: i64 = redis.command(&["RPUSH", "gatewayidentifies", "somebody's"]).await;
    let simulator = start_at_once(shards(1)).await;
    let mut gateway = in_redis(setup(&simulator), &redis).with_metrics().start();
    for told in ["nobody knows how often shards identified lately", "a session start goes on without its record"] {
        let line = gateway.logged(told).await;
        assert!(line.contains("the key `gatewayidentifies` holds no sorted set"), "{line}");
    }
    gateway.next_named("READY").await;
    assert_eq!(gateway.figures().await.of("gateway_identifies_unrecorded_total"), Some(1.0));
    assert_eq!(redis.command::<i64>(&["LLEN", "gatewayidentifies"]).await, 1);
}

#[tokio::test]
async fn an_identify_does_not_wait_long_for_redis() {
    let mut redis = Redis::start(RedisOptions::default()).await;
    let simulator = start_at_once(shards(1)).await;
    let mut gateway = in_redis(setup(&simulator), &redis).start();
    gateway.next_named("READY").await;
    redis.freeze();
    simulator.control().fault(FaultKind::InvalidSession { resumable: false });
    let line = gateway.logged("a session start goes on without its record").await;
    assert!(line.contains("it took longer than 2 s"), "{line}");
    gateway.next_named("READY").await;
    redis.thaw();
}

/// So many session starts of 1000 are left.
async fn with_starts(remaining: u32, reset_after: Duration) -> Simulator {
    let session_starts = SessionStarts { total: 1000, remaining, reset_after };
    start(Options { session_starts, ..shards(1) }).await
}

fn stored(simulator: &Simulator) -> Setup {
    setup(simulator).variable("SHARD_STORE_PATH", "store")
}

fn in_redis(setup: Setup, redis: &Redis) -> Setup {
    let setup = setup.variable("SHARD_STORE_TYPE", "redis").variable("REDIS_URL", &redis.url());
    setup.variable("SHARD_STORE_PREFIX", "gateway")
}

fn is_identify(entry: &Entry) -> bool {
    matches!(entry.happening, Happening::Identify { .. })
}

/// Runs it until a shard is ready, and kills it. Its sessions are lost.
async fn crash(setup: &Setup) {
    let mut gateway = setup.start();
    gateway.next_named("READY").await;
    gateway.signal("KILL").await;
    gateway.ended().await;
    for file in std::fs::read_dir(bot(setup)).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// The bot's directory in the store.
fn bot(setup: &Setup) -> PathBuf {
    let mut bots = std::fs::read_dir(setup.path("store")).unwrap();
    bots.next().unwrap().unwrap().path()
}

/// As if the shard had identified that often just now.
fn seed(setup: &Setup, shard: u32, times: usize) -> PathBuf {
    write(setup, shard, times, now())
}

fn write(setup: &Setup, shard: u32, times: usize, at: u64) -> PathBuf {
    let path = bot(setup).join(format!("shard-{shard}.identifies.jsonl"));
    let line = format!("{{\"version\":1,\"at\":{at},\"shard\":{shard},\"reason\":\"start\"}}\n");
    std::fs::write(&path, line.repeat(times)).unwrap();
    path
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
