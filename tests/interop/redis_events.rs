//! Events over Redis.

use std::collections::BTreeSet;

use gateway_tests::{Received, Redis, RedisCluster, Script, Setup};
use redis::AsyncCommands as _;
use redis::cluster::ClusterClient;
use redis::streams::{StreamRangeReply, StreamReadOptions, StreamReadReply};
use serde_json::{Value, json};

use crate::GATEWAY;
use crate::support::{discord, floats, msgpack, on_redis, ready, redis, settled, until};

/// Whoever writes it anew alters it.
const DATA: &str =
    r#"{ "content" : "ping", "channel_id":"7", "e":"\u00e9", "big":12345678901234567890, "factor":1e3 }"#;

#[tokio::test]
async fn the_example_bot_works_unchanged() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_redis(&simulator, &redis).start();
    ready(&control, 1).await;
    let mut bot = Script::example_bot(&redis.url()).await;
    control.send_event(0, "MESSAGE_CREATE", DATA);
    let answer = json!({"path": "/channels/7/messages", "body": {"content": "pong"}});
    assert_eq!(bot.next().await.body, answer);
    drop(gateway);
}

#[tokio::test]
async fn new_brokers_get_strings_and_acknowledge_them() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_redis(&simulator, &redis).start();
    ready(&control, 1).await;
    let mut client = Script::spectacles_redis(&redis.url(), "bot").await;
    client.order("hold", json!({})).await;
    client.subscribe(&["MESSAGE_CREATE"]).await;
    control.send_event(0, "MESSAGE_CREATE", DATA);
    control.send_event(0, "MESSAGE_CREATE", "null");
    for data in [DATA, "null"] {
        let Received { event, kind, body, .. } = client.next().await;
        assert_eq!((&*event, &*kind, body), ("MESSAGE_CREATE", "string", json!(data)));
    }
    assert_eq!(pending(&redis).await, 2);
    client.order("acknowledge", json!({})).await;
    assert_eq!(pending(&redis).await, 0);
    drop(gateway);
}

#[tokio::test]
async fn each_group_gets_every_event_and_its_consumers_share() {
    const EVENTS: usize = 100;
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_redis(&simulator, &redis).start();
    ready(&control, 1).await;
    let mut alone = Script::spectacles_redis(&redis.url(), "alone").await;
    let mut pair = [Script::spectacles_redis(&redis.url(), "pair").await, Script::redis_py(&redis.url(), "pair").await];
    alone.subscribe(&["MESSAGE_CREATE"]).await;
    for client in &mut pair {
        client.subscribe(&["MESSAGE_CREATE"]).await;
    }
    let sent: Vec<String> = (0..EVENTS).map(|number| number.to_string()).collect();
    for data in &sent {
        control.send_event(0, "MESSAGE_CREATE", data);
    }
    assert_eq!(texts(&alone.next_messages(EVENTS).await), sent);

    let [mut javascript, mut python] = pair;
    let mut shared = BTreeSet::new();
    while shared.len() < EVENTS {
        let received = tokio::select! {
            received = javascript.next() => received,
            received = python.next() => received,
        };
        assert!(shared.insert(text(&received)), "{received:?} came to both");
    }
    assert_eq!((javascript.pending(), python.pending()), (vec![], vec![]));

    let mut late = Script::spectacles_redis(&redis.url(), "late").await;
    late.subscribe(&["MESSAGE_CREATE"]).await;
    assert_eq!(texts(&late.next_messages(EVENTS).await), sent);
    drop(gateway);
}

#[tokio::test]
async fn every_encoding_is_what_it_says() {
    for encoding in ["msgpack", "json", "msgpack-object"] {
        let redis = redis().await;
        let simulator = discord(1).await;
        let control = simulator.control();
        let gateway = on_redis(&simulator, &redis).variable("BROKER_ENCODING", encoding).start();
        ready(&control, 1).await;
        control.send_event(0, "MESSAGE_CREATE", DATA);
        // A reader in Rust sees the bytes, and no field beside them.
        let mut connection = redis.connect().await;
        let () = connection.xgroup_create_mkstream("MESSAGE_CREATE", "rust", "0").await.unwrap();
        let options = StreamReadOptions::default().group("rust", "one");
        let entry = loop {
            let read: Option<StreamReadReply> =
                connection.xread_options(&["MESSAGE_CREATE"], &[">"], &options).await.unwrap();
            if let Some(entry) = read.into_iter().flat_map(|read| read.keys).flat_map(|key| key.ids).next() {
                break entry;
            }
        };
        assert_eq!(entry.map.len(), 1);
        let data: Vec<u8> = entry.get("data").unwrap();
        match encoding {
            "msgpack" => assert_eq!(data, msgpack(DATA)),
            "json" => assert_eq!(data, DATA.as_bytes()),
            _ => {
                let mut client = Script::spectacles_redis(&redis.url(), "bot").await;
                client.subscribe(&["MESSAGE_CREATE"]).await;
                let expected: Value = serde_json::from_str(DATA).unwrap();
                let received = client.next().await;
                assert_eq!((&*received.kind, floats(received.body)), ("object", floats(expected)));
            }
        }
        drop(gateway);
    }
}

#[tokio::test]
async fn entries_older_than_an_hour_are_trimmed_by_whole_nodes() {
    let redis = redis().await;
    let mut connection = redis.connect().await;
    for number in 1..=250 {
        let _: String = connection.xadd("MESSAGE_CREATE", format!("{number}-0"), &[("data", "")]).await.unwrap();
    }
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_redis(&simulator, &redis).start();
    ready(&control, 1).await;
    control.send_event(0, "MESSAGE_CREATE", "1");
    until(async || redis.command::<u64>(&["XLEN", "MESSAGE_CREATE"]).await < 250).await;
    let left: StreamRangeReply = connection.xrange_all("MESSAGE_CREATE").await.unwrap();
    assert_eq!(left.ids.last().unwrap().get::<Vec<u8>>("data").unwrap(), msgpack("1"));
    assert!(left.ids.len() <= 101, "{}", left.ids.len());
    drop(gateway);
}

#[tokio::test]
async fn the_gateway_makes_no_key_but_streams_of_events_and_commands() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_redis(&simulator, &redis).variable("DISCORD_EVENTS", "MESSAGE_CREATE").start();
    ready(&control, 1).await;
    control.send_event(0, "TYPING_START", "1");
    control.send_event(0, "MESSAGE_CREATE", "1");
    settled(&mut gateway, 3).await;
    gateway.drain().await;
    let keys: BTreeSet<String> = redis.command(&["KEYS", "*"]).await;
    assert_eq!(keys, ["0", "MESSAGE_CREATE", "SEND"].map(str::to_owned).into());
}

#[tokio::test]
async fn a_cluster_takes_every_event_also_while_a_slot_moves() {
    let cluster = RedisCluster::start(3).await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let setup = Setup::on(GATEWAY, &simulator).variable("BROKER_TYPE", "redis").with_metrics();
    let mut gateway = setup.variable("REDIS_URL", &cluster.urls().join(",")).start();
    ready(&control, 1).await;
    let names = ["A", "B", "C", "D", "E", "F"];
    let send = |round: u64| {
        for name in names {
            control.send_event(0, name, round.to_string());
        }
    };
    send(0);
    // What is on its way while a slot moves may come twice.
    settled(&mut gateway, 7).await;
    let from = cluster.owner("A").await;
    cluster.move_slot("A", (from + 1) % 3).await;
    send(1);
    settled(&mut gateway, 13).await;
    assert_eq!(gateway.drain().await, []);
    let mut connection = ClusterClient::new(cluster.urls()).unwrap().get_async_connection().await.unwrap();
    for name in names {
        let entries: StreamRangeReply = connection.xrange_all(name).await.unwrap();
        let bodies: Vec<Vec<u8>> = entries.ids.iter().map(|entry| entry.get("data").unwrap()).collect();
        assert_eq!(bodies, [msgpack("0"), msgpack("1")], "{name}");
    }
}

/// The JSON text of an event of one digit or two, from a client of either kind.
fn text(received: &Received) -> String {
    match &*received.kind {
        "bytes" => String::from_utf8(received.bytes().split_off(1)).unwrap(),
        _ => received.body.as_str().unwrap().to_owned(),
    }
}

fn texts(received: &[Received]) -> Vec<String> {
    received.iter().map(text).collect()
}

/// How many entries the group has not acknowledged.
async fn pending(redis: &Redis) -> u64 {
    let (count, ..): (u64, redis::Value, redis::Value, redis::Value) =
        redis.command(&["XPENDING", "MESSAGE_CREATE", "bot"]).await;
    count
}
