//! The broker's server is stopped or killed, and started again, while events flow.

use std::collections::BTreeMap;

use gateway_simulator::{Control, Simulator};
use gateway_tests::{Brokers, Gateway, RabbitMq, RabbitMqOptions, Received, Redis, RedisOptions, Script};
use redis::AsyncCommands as _;
use serde_json::Value;

use crate::support::{discord, on_redis, on_url, ready, until};

const SHARDS: u32 = 2;

/// Events of each shard in each phase: before, during and after the server's absence.
const EVENTS: u64 = 300;

#[tokio::test]
async fn every_event_outlives_a_restart_of_rabbitmq() {
    let mut rabbit = RabbitMq::start(RabbitMqOptions::default()).await;
    let address = rabbit.url().trim_start_matches("amqp://").to_owned();
    // The queue is what stays of it.
    let mut first = Script::spectacles_amqp(Brokers::V0_9, &address, "gateway", None).await;
    first.subscribe(&["NUMBER"]).await;
    first.kill().await;
    let simulator = discord(SHARDS).await;
    let setup = on_url(&simulator, &rabbit.url()).variable("BROKER_ENCODING", "msgpack");
    let mut gateway = start(setup.start(), &simulator).await;
    let control = simulator.control();
    send(&control, 0);
    rabbit.stop().await;
    send(&control, 1);
    is_away(&mut gateway).await;
    rabbit.restart().await;
    send(&control, 2);

    let mut fresh = Script::spectacles_amqp(Brokers::V0_9, &address, "gateway", None).await;
    fresh.subscribe(&["NUMBER"]).await;
    every_event_came_in_order(&mut fresh).await;
    gateway.drain().await;
}

#[tokio::test]
async fn every_event_outlives_a_kill_of_redis() {
    let mut redis = Redis::start(RedisOptions { append_only: true, ..RedisOptions::default() }).await;
    let () = redis.connect().await.xgroup_create_mkstream("NUMBER", "bot", "0").await.unwrap();
    let simulator = discord(SHARDS).await;
    let mut gateway = start(on_redis(&simulator, &redis).start(), &simulator).await;
    let control = simulator.control();
    send(&control, 0);
    redis.kill().await;
    send(&control, 1);
    is_away(&mut gateway).await;
    redis.restart().await;
    send(&control, 2);

    let mut fresh = Script::spectacles_redis(&redis.url(), "bot").await;
    fresh.subscribe(&["NUMBER"]).await;
    every_event_came_in_order(&mut fresh).await;
    gateway.drain().await;
}

#[tokio::test]
async fn events_wait_while_rabbitmqs_memory_is_full() {
    let rabbit = RabbitMq::start(RabbitMqOptions::default()).await;
    let address = rabbit.url().trim_start_matches("amqp://").to_owned();
    let mut client = Script::spectacles_amqp(Brokers::V0_9, &address, "gateway", None).await;
    client.subscribe(&["NUMBER"]).await;
    let simulator = discord(SHARDS).await;
    let setup = on_url(&simulator, &rabbit.url()).variable("BROKER_ENCODING", "msgpack");
    let mut gateway = start(setup.start(), &simulator).await;
    let control = simulator.control();
    send(&control, 0);
    rabbit.raise_memory_alarm().await;
    send(&control, 1);
    let blocked = r#"gateway_broker_blocked{broker="amqp"}"#;
    until(async || gateway.figures().await.of(blocked) == Some(1.0)).await;
    let answer = gateway.get("/readyz").await;
    assert!(answer.status == 503 && answer.body.contains("takes nothing"), "{answer:?}");
    rabbit.clear_memory_alarm().await;
    send(&control, 2);
    every_event_came_in_order(&mut client).await;
    assert_eq!(gateway.figures().await.of(blocked), Some(0.0));
    gateway.drain().await;
}

#[tokio::test]
async fn events_wait_while_redis_is_full_or_read_only() {
    let redis = Redis::start(RedisOptions::default()).await;
    let () = redis.connect().await.xgroup_create_mkstream("NUMBER", "bot", "0").await.unwrap();
    let simulator = discord(SHARDS).await;
    let mut gateway = start(on_redis(&simulator, &redis).start(), &simulator).await;
    let control = simulator.control();
    let () = redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    send(&control, 0);
    gateway.logged("maxmemory").await;
    let () = redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    send(&control, 1);
    // Nobody is its primary.
    let () = redis.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    send(&control, 2);
    gateway.logged("read-only").await;
    let () = redis.command(&["REPLICAOF", "NO", "ONE"]).await;
    let mut client = Script::spectacles_redis(&redis.url(), "bot").await;
    client.subscribe(&["NUMBER"]).await;
    every_event_came_behind_its_predecessor(&mut client).await;
    gateway.drain().await;
}

#[tokio::test]
async fn the_gateway_starts_before_its_server_and_says_so() {
    let mut redis = Redis::start(RedisOptions { append_only: true, ..RedisOptions::default() }).await;
    redis.stop().await;
    let simulator = discord(1).await;
    let mut gateway = on_redis(&simulator, &redis).start();
    is_away(&mut gateway).await;
    redis.restart().await;
    ready(&simulator.control(), 1).await;
    until(async || gateway.get("/readyz").await.status == 200).await;
    gateway.drain().await;
}

async fn start(gateway: Gateway, simulator: &Simulator) -> Gateway {
    ready(&simulator.control(), SHARDS as usize).await;
    gateway
}

/// Sends the events of a phase.
fn send(control: &Control, phase: u64) {
    for number in phase * EVENTS..(phase + 1) * EVENTS {
        for shard in 0..SHARDS {
            control.send_event(shard, "NUMBER", format!(r#"{{"shard":{shard},"number":{number}}}"#));
        }
    }
}

async fn is_away(gateway: &mut Gateway) {
    until(async || gateway.get("/readyz").await.body.contains("the broker is away")).await;
}

/// Each event comes once or more often, and those of a shard for the first time in order.
async fn every_event_came_in_order(client: &mut Script) {
    every_event_came(client, |shard, number, next| {
        assert!(number <= next, "shard {shard}: {number} came in place of {next}");
    })
    .await;
}

/// A server that takes an event after it has refused one before gets both again, in order.
async fn every_event_came_behind_its_predecessor(client: &mut Script) {
    every_event_came(client, |_, _, _| ()).await;
}

/// Takes events until all of each shard have come, each behind the one before it. `check` gets the shard, the number that came and
/// the number of the next.
async fn every_event_came(client: &mut Script, check: impl Fn(u64, u64, u64)) {
    let mut next: BTreeMap<u64, u64> = (0..u64::from(SHARDS)).map(|shard| (shard, 0)).collect();
    while next.values().any(|next| *next < 3 * EVENTS) {
        let (shard, number) = event(&client.next().await);
        let next = next.get_mut(&shard).unwrap();
        check(shard, number, *next);
        *next += u64::from(number == *next);
    }
}

fn event(received: &Received) -> (u64, u64) {
    let data: Value = serde_json::from_str(received.body.as_str().unwrap_or_else(|| panic!("{received:?}"))).unwrap();
    (data["shard"].as_u64().unwrap(), data["number"].as_u64().unwrap())
}
