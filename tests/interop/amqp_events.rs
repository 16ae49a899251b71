//! Events over AMQP.

use futures_util::StreamExt as _;
use gateway_tests::{Brokers, RabbitMq, Script};
use lapin::options::{BasicAckOptions, BasicConsumeOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Consumer};
use serde_json::{Value, json};

use crate::support::{discord, floats, last_identity, msgpack, on_amqp, ready, tap};

/// Whoever writes it anew alters it.
const DATA: &str =
    r#"{ "id":"7", "content" : "caf\u00e9 <>&", "factor":1e3 , "big":12345678901234567890, "nothing": null }"#;

#[tokio::test]
async fn json_reaches_old_brokers_as_an_object_and_others_as_discords_bytes() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_amqp(&simulator, &host).variable("BROKER_ENCODING", "json").start();
    ready(&control, 1).await;
    let mut clients = Vec::new();
    for (version, subgroup) in [(Brokers::V0_4, None), (Brokers::V0_8, Some("eight"))] {
        let mut client = Script::spectacles_amqp(version, &host.address(), "gateway", subgroup).await;
        client.subscribe(&["MESSAGE_CREATE"]).await;
        clients.push(client);
    }
    let connection = host.connect().await;
    let mut raw = tap(&connection.create_channel().await.unwrap(), "gateway", "MESSAGE_CREATE").await;
    control.send_event(0, "MESSAGE_CREATE", DATA);
    for client in &mut clients {
        let received = client.next().await;
        let expected: Value = serde_json::from_str(DATA).unwrap();
        assert_eq!((&*received.kind, floats(received.body)), ("object", floats(expected)));
    }
    let message = raw.next().await.unwrap().unwrap();
    assert_eq!(String::from_utf8(message.data).unwrap(), DATA);
    let expected = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_expiration("120000".into())
        .with_message_id(last_identity(&control).into());
    assert_eq!(message.properties, expected);
    drop(gateway);
}

#[tokio::test]
async fn msgpack_reaches_new_brokers_as_a_string_with_the_originals_heads() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let setup = on_amqp(&simulator, &host).variable("BROKER_ENCODING", "msgpack");
    let gateway = setup.variable("BROKER_MESSAGE_TIMEOUT", "1m1.5s").start();
    ready(&control, 1).await;
    let mut client = Script::spectacles_amqp(Brokers::V0_9, &host.address(), "gateway", None).await;
    client.subscribe(&["MESSAGE_CREATE"]).await;
    let connection = host.connect().await;
    let mut raw = tap(&connection.create_channel().await.unwrap(), "gateway", "MESSAGE_CREATE").await;
    let of_length = |length: usize| format!(r#"{{"id":"{}"}}"#, "x".repeat(length - r#"{"id":""}"#.len()));
    let bodies = [31, 32, 255, 256, 65_535, 65_536].map(of_length);
    for body in bodies.iter().map(String::as_str).chain([DATA, "null"]) {
        control.send_event(0, "MESSAGE_CREATE", body);
        let message = raw.next().await.unwrap().unwrap();
        assert_eq!(message.data, msgpack(body));
        let expected = BasicProperties::default()
            .with_delivery_mode(2)
            .with_expiration("61500".into())
            .with_message_id(last_identity(&control).into());
        assert_eq!(message.properties, expected);
        let received = client.next().await;
        assert_eq!((&*received.kind, received.body), ("string", json!(body)));
    }
    drop(gateway);
}

#[tokio::test]
async fn msgpack_objects_reach_new_brokers_as_objects() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_amqp(&simulator, &host).variable("BROKER_ENCODING", "msgpack-object").start();
    ready(&control, 1).await;
    let mut client = Script::spectacles_amqp(Brokers::V0_9, &host.address(), "gateway", None).await;
    client.subscribe(&["MESSAGE_CREATE"]).await;
    control.send_event(0, "MESSAGE_CREATE", DATA);
    let received = client.next().await;
    let expected: Value = serde_json::from_str(DATA).unwrap();
    assert_eq!((&*received.kind, floats(received.body)), ("object", floats(expected)));
    drop(gateway);
}

#[tokio::test]
async fn other_clients_get_discords_bytes_and_acknowledge() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_amqp(&simulator, &host).start();
    ready(&control, 1).await;
    let mut javascript = Script::amqplib(&host.url(), "gateway").await;
    javascript.subscribe(&["ONE"]).await;
    let mut python = Script::pika(&host.url(), "gateway").await;
    python.subscribe(&["TWO"]).await;
    let connection = host.connect().await;
    let mut rust = tap(&connection.create_channel().await.unwrap(), "gateway", "THREE").await;
    for event in ["ONE", "TWO", "THREE", "UNHEARD", "ONE"] {
        control.send_event(0, event, DATA);
    }
    for (client, event) in [(&mut javascript, "ONE"), (&mut python, "TWO")] {
        let received = client.next().await;
        assert_eq!((&*received.event, received.bytes()), (event, DATA.into()));
    }
    assert_eq!(rust.next().await.unwrap().unwrap().data, DATA.as_bytes());
    assert_eq!(javascript.next().await.bytes(), DATA.as_bytes());
    drop(gateway);
}

#[tokio::test]
async fn the_topology_is_the_same_whoever_comes_first() {
    for clients_first in [true, false] {
        let host = RabbitMq::virtual_host().await;
        let simulator = discord(1).await;
        let control = simulator.control();
        let setup = on_amqp(&simulator, &host).variable("BROKER_ENCODING", "msgpack").variable("BROKER_GROUP", "bot");
        let mut gateway = None;
        if !clients_first {
            gateway = Some(setup.start());
            ready(&control, 1).await;
        }
        let mut clients = Vec::new();
        for subgroup in [None, Some("cache")] {
            let mut client = Script::spectacles_amqp(Brokers::V0_9, &host.address(), "bot", subgroup).await;
            client.subscribe(&["MESSAGE_CREATE", "SEND_NOT"]).await;
            clients.push(client);
        }
        let gateway = gateway.unwrap_or_else(|| setup.start());
        ready(&control, 1).await;
        control.send_event(0, "MESSAGE_CREATE", "{}");
        for client in &mut clients {
            assert_eq!(client.next().await.body, "{}");
            assert_eq!(client.pending(), []);
        }
        let columns = ["name", "type", "durable", "auto_delete", "internal", "arguments", "--no-table-headers"];
        let exchanges = host.ctl(&[&["list_exchanges"][..], &columns].concat()).await;
        assert!(exchanges.lines().any(|line| line == "bot\tdirect\ttrue\tfalse\tfalse\t[]"), "{exchanges}");
        let columns = ["name", "durable", "auto_delete", "exclusive", "arguments", "--no-table-headers"];
        let queues = host.ctl(&[&["list_queues"][..], &columns].concat()).await;
        let mut names: Vec<_> = queues.lines().filter(|line| line.starts_with("bot:")).collect();
        names.sort_unstable();
        let properties = "\ttrue\tfalse\tfalse\t[]";
        let expected = [
            "bot:0",
            "bot:MESSAGE_CREATE",
            "bot:SEND",
            "bot:SEND_NOT",
            "bot:cache:MESSAGE_CREATE",
            "bot:cache:SEND_NOT",
        ]
        .map(|name| format!("{name}{properties}"));
        assert_eq!(names, expected);
        drop(gateway);
    }
}

#[tokio::test]
async fn a_consumer_that_dies_with_events_unacknowledged_leaves_them_to_the_next() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_amqp(&simulator, &host).variable("BROKER_ENCODING", "msgpack").start();
    ready(&control, 1).await;
    let mut client = Script::spectacles_amqp(Brokers::V0_9, &host.address(), "gateway", None).await;
    client.order("hold", json!({})).await;
    client.subscribe(&["MESSAGE_CREATE"]).await;
    for number in 0..10 {
        control.send_event(0, "MESSAGE_CREATE", number.to_string());
    }
    client.next_messages(10).await;
    client.kill().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let options = BasicConsumeOptions::default();
    let consuming = channel.basic_consume("gateway:MESSAGE_CREATE".into(), "".into(), options, FieldTable::default());
    let mut next: Consumer = consuming.await.unwrap();
    for number in 0..10 {
        let message = next.next().await.unwrap().unwrap();
        assert_eq!((message.redelivered, &message.data), (true, &msgpack(&number.to_string())));
        message.ack(BasicAckOptions::default()).await.unwrap();
    }
    drop(gateway);
}
