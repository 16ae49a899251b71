//! Faults of the original gateway that no other test would show here (docs/faults.md).

use std::collections::{BTreeMap, BTreeSet};

use gateway_simulator::{Happening, Options, Simulator};
use gateway_tests::{PATIENCE, RabbitMq, Redis, Script};
use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

use crate::support::{
    Inlet, commands, commands_come, discord, happens, is_command, on_amqp, on_redis, packet, ready, redis, send,
    send_to, until,
};

#[tokio::test]
async fn a_command_for_a_shard_that_has_not_started_is_held() {
    for inlet in Inlet::both().await {
        let options = Options { guilds_per_shard: 0, recommended_shards: 2, patience: PATIENCE, ..Options::default() };
        // One shard after the other, five seconds apart.
        let simulator = Simulator::start(Options { max_concurrency: 1, ..options }).await.unwrap();
        let control = simulator.control();
        let mut client = inlet.client().await;
        let mut gateway = inlet.gateway(&simulator).start();
        let first = happens(&control, 1, |happening| matches!(happening, Happening::Ready { .. })).await.shard.unwrap();
        let other = 1 - first;
        for number in 0..5 {
            client.publish("SEND", send_to(other.into(), 2, number)).await;
        }
        commands_come(&control, 5).await;
        let came: Vec<_> =
            commands(&control).into_iter().map(|(shard, data)| (shard, data["since"].as_u64())).collect();
        assert_eq!(came, (0..5).map(|number| (other, Some(number))).collect::<Vec<_>>());
        // Before its READY, Discord would have closed the connection.
        let started = happens(&control, 2, |happening| matches!(happening, Happening::Identify { .. })).await;
        assert!(happens(&control, 1, is_command).await.index > started.index);
        inlet.settles("SEND", 0).await;
        gateway.drain().await;
    }
}

#[tokio::test]
async fn a_command_that_asks_for_a_reply_is_carried_out_and_gets_none() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_amqp(&simulator, &host).start();
    ready(&control, 1).await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let replies = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap().name().clone();
    let properties = BasicProperties::default().with_reply_to(replies.clone()).with_correlation_id("7".into());
    let (body, options) = (send(1).to_string(), BasicPublishOptions::default());
    channel.basic_publish("gateway".into(), "SEND".into(), options, body.as_bytes(), properties).await.unwrap();
    commands_come(&control, 1).await;
    Inlet::Amqp(host).settles("SEND", 0).await;
    gateway.drain().await;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(replies, options, FieldTable::default()).await.unwrap();
    assert_eq!(queue.message_count(), 0);
}

#[tokio::test]
async fn a_presence_is_sent_only_if_one_is_configured() {
    let redis = redis().await;
    for (presence, sent) in [("", None), (r#"{"status":"idle"}"#, Some("idle"))] {
        let simulator = discord(1).await;
        let mut gateway = on_redis(&simulator, &redis).variable("DISCORD_PRESENCE", presence).start();
        let is_identify = |happening: &Happening| matches!(happening, Happening::Identify { .. });
        let entry = happens(&simulator.control(), 1, is_identify).await;
        let Happening::Identify { data } = entry.happening else { panic!("an IDENTIFY") };
        let status = data.get("presence").map(|presence| presence["status"].as_str().unwrap());
        assert_eq!(status, sent, "{data}");
        gateway.signal("KILL").await;
        gateway.ended().await;
    }
}

#[tokio::test]
async fn gateways_of_one_group_are_consumers_of_different_names() {
    let redis = redis().await;
    let simulator = discord(2).await;
    let setup =
        |id| on_redis(&simulator, &redis).variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", id);
    let mut gateways = [setup("0").start(), setup("1").start()];
    ready(&simulator.control(), 2).await;
    let mut client = Script::redis_py(&redis.url(), "bot").await;
    let mut names = BTreeSet::new();
    for shard in ["0", "1"] {
        // Redis knows a consumer by its first entry.
        client.publish(shard, packet(0)).await;
        until(async || !consumers(&redis, shard).await.is_empty()).await;
        names.extend(consumers(&redis, shard).await);
    }
    assert_eq!(names.len(), 2, "{names:?}");
    for gateway in &mut gateways {
        gateway.drain().await;
    }
}

/// The names of those in the gateway's group.
async fn consumers(redis: &Redis, stream: &str) -> Vec<String> {
    let consumers: Vec<BTreeMap<String, redis::Value>> =
        redis.command(&["XINFO", "CONSUMERS", stream, "gateway"]).await;
    consumers.into_iter().map(|consumer| redis::from_redis_value(consumer["name"].clone()).unwrap()).collect()
}
