//! Other people's clients get what the original gateway would have sent, and send what it would have got.

use futures_util::StreamExt as _;
use gateway_tests::{Brokers, RabbitMq, Received, Redis, RedisOptions, Script};
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, ExchangeKind};
use redis::AsyncCommands as _;
use serde_json::json;

/// The data of an event: whoever writes it anew alters it.
const DATA: &str = r#"{ "content": "caf\u00e9", "factor": 1e3 }"#;

#[tokio::test]
async fn old_brokers_read_json_over_amqp_and_publish_it() {
    let host = RabbitMq::virtual_host().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    for (version, group) in [(Brokers::V0_4, "four"), (Brokers::V0_8, "eight")] {
        let mut script = Script::spectacles_amqp(version, &host.address(), group, None).await;
        script.subscribe(&["MESSAGE_CREATE"]).await;
        publish(&channel, group, DATA.as_bytes()).await;
        let Received { kind, body, .. } = script.next().await;
        assert_eq!((&*kind, body), ("object", json!({"content": "café", "factor": 1000})));

        let mut commands = consume(&channel, group, "SEND").await;
        script.publish("SEND", json!({"packet": 1})).await;
        assert_eq!(commands.next().await.unwrap().unwrap().data, br#"{"packet":1}"#);
    }
}

#[tokio::test]
async fn new_brokers_read_msgpack_strings_over_amqp_and_publish_maps() {
    let host = RabbitMq::virtual_host().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let mut script = Script::spectacles_amqp(Brokers::V0_9, &host.address(), "gateway", Some("sub")).await;
    script.subscribe(&["MESSAGE_CREATE"]).await;
    publish(&channel, "gateway", &msgpack(DATA)).await;
    let Received { kind, body, .. } = script.next().await;
    assert_eq!((&*kind, body), ("string", json!(DATA)));
    assert!(host.ctl(&["list_queues", "name"]).await.contains("gateway:sub:MESSAGE_CREATE"));

    // What it cannot read is an error, and the script lives on.
    publish(&channel, "gateway", DATA.as_bytes()).await;
    assert_eq!(script.next().await.kind, "error");

    let mut commands = consume(&channel, "gateway", "SEND").await;
    script.publish("SEND", json!({"packet": 1})).await;
    assert_eq!(commands.next().await.unwrap().unwrap().data, b"\x81\xa6packet\x01");
    script.publish("SEND", "text").await;
    assert_eq!(commands.next().await.unwrap().unwrap().data, b"\xa4text");
    script.publish_bytes("SEND", b"\x00\xff").await;
    assert_eq!(commands.next().await.unwrap().unwrap().data, b"\x00\xff");
}

#[tokio::test]
async fn new_brokers_read_streams_acknowledge_and_publish() {
    let redis = Redis::start(RedisOptions::default()).await;
    let mut script = Script::spectacles_redis(&redis.url(), "bot").await;
    script.subscribe(&["MESSAGE_CREATE"]).await;
    script.order("hold", json!({})).await;
    let _: String = redis.connect().await.xadd("MESSAGE_CREATE", "*", &[("data", msgpack(DATA))]).await.unwrap();
    let Received { event, kind, body, .. } = script.next().await;
    assert_eq!((&*event, &*kind, body), ("MESSAGE_CREATE", "string", json!(DATA)));
    assert_eq!(pending(&redis).await, 1);
    script.order("acknowledge", json!({})).await;
    assert_eq!(pending(&redis).await, 0);

    script.publish("SEND", "text").await;
    let length: u64 = redis.command(&["XLEN", "SEND"]).await;
    assert_eq!(length, 1);
}

#[tokio::test]
async fn other_languages_clients_show_bodies_as_they_are() {
    let host = RabbitMq::virtual_host().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    for (mut script, group) in
        [(Script::amqplib(&host.url(), "js").await, "js"), (Script::pika(&host.url(), "py").await, "py")]
    {
        script.subscribe(&["MESSAGE_CREATE"]).await;
        publish(&channel, group, b"\x00\xff").await;
        let received = script.next().await;
        assert_eq!((&*received.event, received.bytes()), ("MESSAGE_CREATE", vec![0, 0xff]));
        let mut commands = consume(&channel, group, "SEND").await;
        script.publish_bytes("SEND", b"\x00\xfe").await;
        assert_eq!(commands.next().await.unwrap().unwrap().data, b"\x00\xfe");
    }

    let redis = Redis::start(RedisOptions::default()).await;
    let mut script = Script::redis_py(&redis.url(), "bot").await;
    script.subscribe(&["MESSAGE_CREATE"]).await;
    let _: String = redis.connect().await.xadd("MESSAGE_CREATE", "*", &[("data", "\x01")]).await.unwrap();
    let received = script.next().await;
    assert_eq!((received.bytes(), &received.properties["fields"]), (vec![1], &json!(["data"])));
}

#[tokio::test]
async fn the_example_bot_answers() {
    let redis = Redis::start(RedisOptions::default()).await;
    let mut bot = Script::example_bot(&redis.url()).await;
    let data = msgpack(r#"{"content":"ping","channel_id":"7"}"#);
    let _: String = redis.connect().await.xadd("MESSAGE_CREATE", "*", &[("data", data)]).await.unwrap();
    let received = bot.next().await;
    assert_eq!(received.body, json!({"path": "/channels/7/messages", "body": {"content": "pong"}}));
}

async fn publish(channel: &Channel, group: &str, body: &[u8]) {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(group.into(), ExchangeKind::Direct, options, FieldTable::default()).await.unwrap();
    let properties = BasicProperties::default().with_expiration("120000".into());
    let options = BasicPublishOptions::default();
    channel.basic_publish(group.into(), "MESSAGE_CREATE".into(), options, body, properties).await.unwrap();
}

async fn consume(channel: &Channel, group: &str, event: &str) -> lapin::Consumer {
    let queue = format!("{group}:{event}");
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await.unwrap();
    let (group, event) = (group.into(), event.into());
    channel
        .queue_bind(queue.as_str().into(), group, event, QueueBindOptions::default(), FieldTable::default())
        .await
        .unwrap();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await.unwrap()
}

/// A MessagePack string, as the original writes it.
fn msgpack(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let head = if length < 32 { vec![0xa0 | length as u8] } else { [&[0xda][..], &length.to_be_bytes()].concat() };
    [&head, text.as_bytes()].concat()
}

/// How many entries the group has not acknowledged.
async fn pending(redis: &Redis) -> u64 {
    let (count, ..): (u64, redis::Value, redis::Value, redis::Value) =
        redis.command(&["XPENDING", "MESSAGE_CREATE", "bot"]).await;
    count
}
