//! Commands that wait for the gateway, and those that have waited too long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use gateway_simulator::Happening;
use gateway_tests::{RabbitMq, Script};
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;

use crate::support::{
    Inlet, commands_come, discord, figure, happens, is_command, numbers, on_amqp, on_redis, ready, redis, send, until,
};

#[tokio::test]
async fn commands_that_were_sent_before_the_gateway_started_are_carried_out_after_ready() {
    for inlet in Inlet::both().await {
        let simulator = discord(1).await;
        let control = simulator.control();
        let mut client = inlet.client().await;
        if let Inlet::Amqp(host) = &inlet {
            // The queue is there from an earlier gateway.
            let mut other = Script::pika(&host.url(), "gateway").await;
            other.subscribe(&["SEND"]).await;
            other.kill().await;
        }
        for number in 0..5 {
            client.publish("SEND", send(number)).await;
        }
        let gateway = inlet.gateway(&simulator).start();
        commands_come(&control, 5).await;
        assert_eq!(numbers(&control), [0, 1, 2, 3, 4]);
        let ready = happens(&control, 1, |happening| matches!(happening, Happening::Ready { .. })).await;
        assert!(happens(&control, 1, is_command).await.index > ready.index);
        inlet.settles("SEND", 0).await;
        drop(gateway);
    }
}

#[tokio::test]
async fn entries_older_than_the_limit_are_skipped_and_counted() {
    let redis = redis().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    for (age, number) in [(3_600, 1), (700, 2), (500, 3), (0, 4)] {
        let id = format!("{}-0", (now - Duration::from_secs(age)).as_millis());
        let _: String = redis.command(&["XADD", "SEND", &id, "data", &send(number).to_string()]).await;
    }
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_redis(&simulator, &redis).variable("BROKER_COMMAND_AGE", "10m").start();
    commands_come(&control, 2).await;
    assert_eq!(numbers(&control), [3, 4]);
    let skipped = r#"gateway_broker_messages_skipped_total{broker="redis",reason="too_old"}"#;
    assert_eq!(figure(&mut gateway, skipped).await as usize, 2);
    Inlet::Redis(Box::new(redis)).settles("SEND", 0).await;
}

/// A gateway of the original never acknowledges: at its end, all commands that were ever sent are in the queue again.
#[tokio::test]
async fn what_an_original_gateway_has_left_is_discarded_if_the_operator_says_so() {
    const LEFT: u64 = 1000;
    let host = RabbitMq::virtual_host().await;
    let mut client = Script::amqplib(&host.url(), "gateway").await;
    let mut queue = Script::pika(&host.url(), "gateway").await;
    queue.subscribe(&["SEND"]).await;
    queue.kill().await;
    for number in 0..LEFT {
        client.publish("SEND", send(number)).await;
    }
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let options = BasicConsumeOptions::default();
    let original = channel.basic_consume("gateway:SEND".into(), "".into(), options, FieldTable::default());
    let left: Vec<_> = original.await.unwrap().take(usize::try_from(LEFT).unwrap()).collect().await;
    assert!(left.iter().all(Result::is_ok));
    connection.close(200, "".into()).await.unwrap();
    client.publish("SEND", send(LEFT)).await;

    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_amqp(&simulator, &host).variable("BROKER_DISCARD_REDELIVERED", "true").start();
    ready(&control, 1).await;
    commands_come(&control, 1).await;
    assert_eq!(numbers(&control), [LEFT]);
    let skipped = r#"gateway_broker_messages_skipped_total{broker="amqp",reason="redelivered"}"#;
    until(async || figure(&mut gateway, skipped).await as u64 == LEFT).await;
    Inlet::Amqp(host).settles("SEND", 0).await;
}
