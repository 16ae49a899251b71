//! What others do to the server while events flow: things are deleted, in the way, or forbidden for a time.

use futures_util::StreamExt as _;
use gateway_simulator::Control;
use gateway_tests::{RabbitMq, RabbitMqOptions, Script};
use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer, ExchangeKind};

use crate::support::{
    Inlet, commands_come, discord, figure, numbers, on_amqp, on_redis, on_url, ready, redis, send, stream, tap, until,
};

#[tokio::test]
async fn a_deleted_exchange_is_declared_again_and_what_had_a_queue_arrives() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let setup = on_amqp(&simulator, &host).variable("DISCORD_EVENTS", "NUMBER");
    let letters = setup.path("letters.ndjson");
    let path = letters.display().to_string();
    let setup = setup.variable("AMQP_UNROUTABLE", "dead-letter").variable("DEAD_LETTERS_PATH", &path);
    let mut gateway = setup.start();
    ready(&control, 1).await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let mut queue = tap(&channel, "gateway", "NUMBER").await;
    events(&control, 0..100);
    until_number(&mut queue, 99, &mut Vec::new()).await;
    channel.exchange_delete("gateway".into(), ExchangeDeleteOptions::default()).await.unwrap();
    events(&control, 100..200);
    // The gateway's next message finds out.
    gateway.logged("lacks an exchange").await;
    bind_again(&channel).await;
    events(&control, 200..300);
    let mut arrived = Vec::new();
    until_number(&mut queue, 299, &mut arrived).await;
    let kept = std::fs::read_to_string(&letters).unwrap_or_default();
    let is_kept = |number: &u64| kept.contains(&format!(r#""body":"{number}""#));
    let lost: Vec<u64> = (100..300).filter(|number| !arrived.contains(number) && !is_kept(number)).collect();
    assert_eq!(lost, [0; 0], "neither with the consumer nor among the dead letters");
    assert!((200..300).all(|number| arrived.contains(&number)), "{arrived:?}");

    // Its own queues are bound again, too.
    let mut client = Inlet::Amqp(host).client().await;
    client.publish("SEND", send(1)).await;
    commands_come(&control, 1).await;
    gateway.drain().await;
}

#[tokio::test]
async fn a_queue_of_the_gateway_that_is_deleted_comes_back_with_its_consumer() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_amqp(&simulator, &host).start();
    ready(&control, 1).await;
    let inlet = Inlet::Amqp(host.clone());
    let mut client = inlet.client().await;
    client.publish("SEND", send(1)).await;
    commands_come(&control, 1).await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    for queue in ["gateway:SEND", "gateway:0"] {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    let has_consumers = async || {
        let queues = host.ctl(&["list_queues", "name", "consumers", "--no-table-headers"]).await;
        ["gateway:SEND\t1", "gateway:0\t1"].iter().all(|queue| queues.lines().any(|line| line == *queue))
    };
    until(has_consumers).await;
    client.publish("SEND", send(2)).await;
    commands_come(&control, 2).await;
    assert_eq!(numbers(&control), [1, 2]);
    gateway.drain().await;
}

#[tokio::test]
async fn events_wait_while_rabbitmqs_disk_is_full() {
    let rabbit = RabbitMq::start(RabbitMqOptions::default()).await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_url(&simulator, &rabbit.url()).start();
    ready(&control, 1).await;
    let connection = rabbit.connect().await;
    let mut queue = tap(&connection.create_channel().await.unwrap(), "gateway", "NUMBER").await;
    // More than any disk has.
    rabbit.ctl(&["set_disk_free_limit", "1000000000000000"]).await;
    events(&control, 0..100);
    let blocked = r#"gateway_broker_blocked{broker="amqp"}"#;
    until(async || figure(&mut gateway, blocked).await as u64 == 1).await;
    gateway.logged("low on disk").await;
    let answer = gateway.get("/readyz").await;
    assert!(answer.status == 503 && answer.body.contains("takes nothing"), "{answer:?}");
    rabbit.ctl(&["set_disk_free_limit", "1MB"]).await;
    let mut arrived = Vec::new();
    until_number(&mut queue, 99, &mut arrived).await;
    assert_eq!(arrived, (0..100).collect::<Vec<_>>());
    until(async || figure(&mut gateway, blocked).await as u64 == 0).await;
    gateway.drain().await;
}

#[tokio::test]
async fn events_wait_while_their_key_holds_something_else() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_redis(&simulator, &redis).variable("BROKER_ENCODING", "json").start();
    ready(&control, 1).await;
    events(&control, 0..10);
    until(async || redis.command::<u64>(&["XLEN", "NUMBER"]).await == 10).await;
    let () = redis.command(&["SET", "NUMBER", "text"]).await;
    events(&control, 10..30);
    gateway.logged("delete or rename it").await;
    until(async || gateway.get("/readyz").await.body.contains("takes nothing")).await;
    let () = redis.command(&["DEL", "NUMBER"]).await;
    events(&control, 30..40);
    until(async || stream(&redis, "NUMBER").await.last().is_some_and(|last| last == "39")).await;
    let arrived = stream(&redis, "NUMBER").await;
    assert_eq!(arrived, (10..40).map(|number| number.to_string()).collect::<Vec<_>>());
    gateway.drain().await;
}

#[tokio::test]
async fn events_and_commands_wait_while_the_password_is_another() {
    let rabbit = RabbitMq::start(RabbitMqOptions::default()).await;
    rabbit.add_user("bot", "first").await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let url = rabbit.url().replace("guest:guest", "bot:first");
    let mut gateway = on_url(&simulator, &url).start();
    ready(&control, 1).await;
    rabbit.ctl(&["change_password", "bot", "second"]).await;
    rabbit.ctl(&["close_all_connections", "the password is another now"]).await;
    let error = gateway.logged("refuses user or password").await;
    assert!(error.contains("amqp.url") && !error.contains("first"), "{error}");
    events(&control, 0..100);
    rabbit.ctl(&["change_password", "bot", "first"]).await;
    // There is no queue as yet: what waits is told by the gateway's own consumers that they are back.
    let mut client = Script::amqplib(&rabbit.url(), "gateway").await;
    client.publish("SEND", send(1)).await;
    commands_come(&control, 1).await;
    let settled = r#"gateway_broker_messages_unroutable_total{broker="amqp"}"#;
    until(async || figure(&mut gateway, settled).await as usize >= 100).await;
    gateway.drain().await;
}

#[tokio::test]
async fn events_wait_while_the_user_may_not_publish() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_amqp(&simulator, &host).start();
    ready(&control, 1).await;
    drop(tap(&host.connect().await.create_channel().await.unwrap(), "gateway", "NUMBER").await);
    // It may bind its queues, and that is all. A channel that was open before would not notice.
    host.ctl(&["set_permissions", "guest", ".*", "^gateway:", ".*"]).await;
    host.ctl(&["close_all_connections", "the permissions are others now"]).await;
    events(&control, 0..100);
    gateway.logged("does not take events").await;
    host.ctl(&["set_permissions", "guest", ".*", ".*", ".*"]).await;
    let connection = host.connect().await;
    let mut queue = tap(&connection.create_channel().await.unwrap(), "gateway", "NUMBER").await;
    let mut arrived = Vec::new();
    until_number(&mut queue, 99, &mut arrived).await;
    assert_eq!(arrived, (0..100).collect::<Vec<_>>());
    gateway.drain().await;
}

#[tokio::test]
async fn events_wait_while_redis_wants_a_password() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_redis(&simulator, &redis).variable("BROKER_ENCODING", "json").start();
    ready(&control, 1).await;
    let mut operator = redis.connect().await;
    for words in [&["CONFIG", "SET", "requirepass", "secret"][..], &["CLIENT", "KILL", "TYPE", "normal"]] {
        let _: redis::Value = redis::Cmd::new().arg(words).query_async(&mut operator).await.unwrap();
    }
    events(&control, 0..100);
    gateway.logged("set the right user and password in redis.urls").await;
    let () = redis::Cmd::new().arg(&["CONFIG", "SET", "requirepass", ""]).query_async(&mut operator).await.unwrap();
    until(async || stream(&redis, "NUMBER").await.len() >= 100).await;
    let mut arrived = stream(&redis, "NUMBER").await;
    arrived.dedup();
    assert_eq!(arrived, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    gateway.drain().await;
}

fn events(control: &Control, numbers: std::ops::Range<u64>) {
    for number in numbers {
        control.send_event(0, "NUMBER", number.to_string());
    }
}

/// Takes events until that one.
async fn until_number(queue: &mut Consumer, last: u64, arrived: &mut Vec<u64>) {
    while arrived.last() != Some(&last) {
        let body = queue.next().await.unwrap().unwrap().data;
        arrived.push(String::from_utf8(body).unwrap().parse().unwrap());
    }
}

/// As a consumer does that sees its exchange gone.
async fn bind_again(channel: &Channel) {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("gateway".into(), ExchangeKind::Direct, options, FieldTable::default()).await.unwrap();
    let (queue, options) = ("tap:gateway:NUMBER".into(), QueueBindOptions::default());
    channel.queue_bind(queue, "gateway".into(), "NUMBER".into(), options, FieldTable::default()).await.unwrap();
}
