//! Messages carry the identities of their events, for those who want to know what comes twice.

use std::collections::BTreeMap;
use std::fs;

use futures_util::StreamExt as _;
use gateway_tests::{RabbitMq, Script};
use lapin::BasicProperties;
use lapin::message::Delivery;
use serde_json::{Value, json};

use crate::support::{discord, last_identity, on_amqp, on_redis, ready, redis, send_to, settled, tap, until};

#[tokio::test]
async fn a_message_that_comes_again_after_a_kill_has_the_id_that_it_had() {
    const EVENTS: u32 = 100;
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let setup = on_amqp(&simulator, &host);
    let store = setup.path("store");
    let setup = setup.variable("SHARD_STORE_PATH", store.to_str().unwrap());
    let mut gateway = setup.start();
    ready(&control, 1).await;
    let connection = host.connect().await;
    let mut messages = tap(&connection.create_channel().await.unwrap(), "gateway", "NUMBER").await;
    settled(&mut gateway, 1).await;
    gateway.drain().await;
    let file = fs::read_dir(&store).unwrap().next().unwrap().unwrap().path().join("shard-0.json");
    let checkpoint = fs::read(&file).unwrap();

    let mut gateway = setup.start();
    for number in 0..EVENTS {
        control.send_event(0, "NUMBER", number.to_string());
    }
    let mut bodies = BTreeMap::new();
    for _ in 0..EVENTS {
        let message = messages.next().await.unwrap().unwrap();
        assert_eq!(bodies.insert(id(&message), message.data), None, "an id of its own");
    }
    gateway.signal("KILL").await;
    gateway.ended().await;
    // As if nothing had been saved since.
    fs::write(&file, checkpoint).unwrap();
    let mut gateway = setup.start();
    for _ in 0..EVENTS {
        let message = messages.next().await.unwrap().unwrap();
        assert_eq!(bodies.remove(&id(&message)), Some(message.data));
    }
    assert!(bodies.is_empty());
    gateway.drain().await;
}

#[tokio::test]
async fn a_command_for_another_gateway_has_no_id_nor_has_any_message_if_the_operator_wants_none() {
    let host = RabbitMq::virtual_host().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    for message_ids in ["", "false"] {
        let simulator = discord(2).await;
        let control = simulator.control();
        let setup = on_amqp(&simulator, &host).variable("BROKER_MESSAGE_IDS", message_ids);
        let setup = setup.variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", "0");
        let mut gateway = setup.start();
        ready(&control, 1).await;
        let mut events = tap(&channel, "gateway", "NUMBER").await;
        let mut commands = tap(&channel, "gateway", "1").await;
        control.send_event(0, "NUMBER", "1");
        let expected = if message_ids.is_empty() { last_identity(&control) } else { String::new() };
        assert_eq!(id(&events.next().await.unwrap().unwrap()), expected);
        let mut client = Script::amqplib(&host.url(), "gateway").await;
        client.publish("SEND", send_to(1, 2, 0)).await;
        let expected = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_expiration("120000".into());
        assert_eq!(commands.next().await.unwrap().unwrap().properties, expected);
        gateway.drain().await;
    }
}

#[tokio::test]
async fn an_entry_has_its_id_behind_its_data_and_a_command_for_another_gateway_has_none() {
    let redis = redis().await;
    let simulator = discord(2).await;
    let control = simulator.control();
    let setup = on_redis(&simulator, &redis).variable("BROKER_MESSAGE_IDS", "true").variable("BROKER_ENCODING", "json");
    let setup = setup.variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", "0");
    let mut gateway = setup.start();
    ready(&control, 1).await;
    let mut python = Script::redis_py(&redis.url(), "bot").await;
    python.subscribe(&["NUMBER"]).await;
    control.send_event(0, "NUMBER", "7");
    assert_eq!(python.next().await.bytes(), b"7");
    let expected = ["data", "7", "id", &last_identity(&control)].map(str::to_owned);
    assert_eq!(fields(&redis, "NUMBER").await, [expected]);

    let command = send_to(1, 2, 0);
    let () = redis.command(&["XADD", "SEND", "*", "data", &command.to_string()]).await;
    until(async || redis.command::<u64>(&["XLEN", "1"]).await == 1).await;
    let [entry] = &fields(&redis, "1").await[..] else { panic!("one entry") };
    assert_eq!(entry.len(), 2);
    assert_eq!(serde_json::from_str::<Value>(&entry[1]).unwrap(), command["packet"]);
    gateway.drain().await;
}

#[tokio::test]
async fn clients_of_the_original_read_entries_with_ids() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_redis(&simulator, &redis).variable("BROKER_MESSAGE_IDS", "true").start();
    ready(&control, 1).await;
    let mut client = Script::spectacles_redis(&redis.url(), "bot").await;
    client.subscribe(&["MESSAGE_CREATE"]).await;
    control.send_event(0, "MESSAGE_CREATE", r#"{"id":"7"}"#);
    assert_eq!(client.next().await.body, json!(r#"{"id":"7"}"#));
    gateway.drain().await;
}

/// Empty if it has none.
fn id(message: &Delivery) -> String {
    message.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default()
}

/// The fields of a stream's entries with their values.
async fn fields(redis: &gateway_tests::Redis, key: &str) -> Vec<Vec<String>> {
    let entries: Vec<(String, Vec<String>)> = redis.command(&["XRANGE", key, "-", "+"]).await;
    entries.into_iter().map(|(_, fields)| fields).collect()
}
