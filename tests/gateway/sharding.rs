//! Which shards run, and how they start.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_simulator::{Control, Entry, Happening, Options, SessionStarts};
use gateway_tests::Gateway;
use serde_json::Value;

use crate::support::{happens, identifies, setup, shards, start};

/// The `shard` of each identify, in the order in which they came.
fn identified(control: &Control) -> Vec<(u64, u64)> {
    let shard = |entry: Entry| match entry.happening {
        Happening::Identify { data } => Some((data["shard"][0].as_u64()?, data["shard"][1].as_u64()?)),
        _ => None,
    };
    control.journal().into_iter().filter_map(shard).collect()
}

fn sorted(mut shards: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    shards.sort_unstable();
    shards
}

async fn all_ready(gateway: &mut Gateway, count: usize) {
    for _ in 0..count {
        gateway.next_named("READY").await;
    }
}

#[tokio::test]
async fn discord_says_how_many_shards_run() {
    let simulator = start(shards(3)).await;
    let mut gateway = setup(&simulator).with_metrics().start();
    all_ready(&mut gateway, 3).await;
    assert_eq!(sorted(identified(&simulator.control())), [(0, 3), (1, 3), (2, 3)]);
    assert_eq!(gateway.figures().await.of("gateway_total_shards"), Some(3.0));
}

#[tokio::test]
async fn a_fixed_count_runs_that_many() {
    let simulator = start(Options { recommended_shards: 1, ..shards(2) }).await;
    let mut gateway = setup(&simulator).variable("DISCORD_SHARD_COUNT", "2").start();
    all_ready(&mut gateway, 2).await;
    assert_eq!(sorted(identified(&simulator.control())), [(0, 2), (1, 2)]);
}

#[tokio::test]
async fn ids_run_only_these_shards() {
    let simulator = start(shards(8)).await;
    let file = "[shards]\ncount = 8\nids = [1, \"4-5\"]\n";
    let mut gateway = setup(&simulator).file(file).start();
    all_ready(&mut gateway, 3).await;
    gateway.logged("running 3 of 8 shards").await;
    assert_eq!(sorted(identified(&simulator.control())), [(1, 8), (4, 8), (5, 8)]);
}

#[tokio::test]
async fn gateways_side_by_side_get_each_guild_exactly_once() {
    let simulator = start(Options { guilds_per_shard: 5, ..shards(4) }).await;
    let control = simulator.control();
    let half =
        |ids: &str| setup(&simulator).variable("DISCORD_SHARD_COUNT", "4").variable("DISCORD_SHARD_IDS", ids).start();
    let mut guilds = Vec::new();
    for (mut gateway, mine) in [(half("0-1"), [0, 1]), (half("2,3"), [2, 3])] {
        let expected: usize = mine.iter().map(|shard| control.guilds(*shard, 4).len()).sum();
        for _ in 0..expected {
            let guild = gateway.next_named("GUILD_CREATE").await;
            let id: u64 = guild.data["id"].as_str().unwrap().parse().unwrap();
            assert!(mine.contains(&u32::try_from((id >> 22) % 4).unwrap()), "{id} is another gateway's");
            guilds.push(id);
        }
        assert!(!gateway.drain().await.iter().any(|event| event.name == "GUILD_CREATE"));
    }
    guilds.sort_unstable();
    let mut all: Vec<u64> = (0..4).flat_map(|shard| control.guilds(shard, 4)).collect();
    all.sort_unstable();
    assert_eq!(guilds, all);
    assert_eq!(sorted(identified(&control)), [(0, 4), (1, 4), (2, 4), (3, 4)]);
}

#[tokio::test]
async fn shards_identify_in_waves_of_max_concurrency() {
    let simulator = start(Options { max_concurrency: 2, ..shards(4) }).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    all_ready(&mut gateway, 4).await;
    let journal = control.journal();
    let identify = |entry: &&Entry| matches!(entry.happening, Happening::Identify { .. });
    let waves: Vec<&Entry> = journal.iter().filter(identify).collect();
    let shards: Vec<_> = waves.iter().map(|entry| entry.shard.unwrap()).collect();
    assert_eq!(sorted_numbers(&shards), [0, 1, 2, 3]);
    // Which of a key's shards comes first is up to whose connection is ready first.
    for wave in shards.chunks(2) {
        assert_ne!(wave[0] % 2, wave[1] % 2, "{shards:?}");
    }
    for key in 0..2 {
        let of_key: Vec<_> = waves.iter().filter(|entry| entry.shard.unwrap() % 2 == key).collect();
        assert!(of_key[1].at - of_key[0].at >= Duration::from_secs(5));
    }
    assert!(!journal.iter().any(|entry| matches!(entry.happening, Happening::InvalidSession { .. })));
}

fn sorted_numbers(numbers: &[u32]) -> Vec<u32> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn without_session_starts_shards_wait_for_the_reset_and_say_so() {
    let reset_after = Duration::from_secs(3);
    let session_starts = SessionStarts { total: 10, remaining: 0, reset_after };
    let simulator = start(Options { session_starts, ..shards(2) }).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).with_metrics().start();
    gateway.logged("no session starts are left").await;
    let figures = gateway.figures().await;
    assert_eq!(figures.of("gateway_identifies_left"), Some(0.0));
    assert_eq!(identifies(&control), 0);
    all_ready(&mut gateway, 2).await;
    let asked = happens(&control, 1, |entry| matches!(entry.happening, Happening::Rest { .. })).await;
    let identify = happens(&control, 1, |entry| matches!(entry.happening, Happening::Identify { .. })).await;
    assert!(identify.at - asked.at >= reset_after.mul_f64(0.9), "{:?}", identify.at - asked.at);
    let figures = gateway.figures().await;
    assert_eq!(figures.of("gateway_identifies_left"), Some(8.0));
    assert_eq!(figures.of(r#"gateway_identifies_total{reason="start"}"#), Some(2.0));
}

#[tokio::test]
async fn each_shard_keeps_its_order_and_frames_stay_whole_over_several_lanes() {
    const EVENTS: u64 = 60;
    let simulator = start(shards(4)).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).variable("GATEWAY_LANES_COUNT", "3").start();
    all_ready(&mut gateway, 4).await;
    let filler = "x".repeat(30_000);
    for number in 0..EVENTS {
        for shard in 0..4 {
            control.send_event(shard, "FRAME", format!(r#"{{"shard":{shard},"number":{number},"filler":"{filler}"}}"#));
        }
    }
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    for event in gateway.next_events(usize::try_from(4 * EVENTS).unwrap()).await {
        let number = |member: &Value| member.as_u64().unwrap();
        let expected = next.entry(number(&event.data["shard"])).or_default();
        assert_eq!((number(&event.data["number"]), event.data["filler"].as_str()), (*expected, Some(&*filler)));
        *expected += 1;
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), [EVENTS; 4]);
}
