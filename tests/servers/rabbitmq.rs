//! rabbitmq-server.

use std::fs;

use gateway_tests::{PATIENCE, RabbitMq, RabbitMqOptions};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

#[tokio::test]
async fn each_test_has_a_virtual_host_to_itself() {
    let (one, other) = (RabbitMq::virtual_host().await, RabbitMq::virtual_host().await);
    assert_ne!(one.name(), other.name());
    let connection = one.connect().await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel).await;
    assert!(one.ctl(&["list_queues", "name"]).await.contains("durable"));
    assert!(!other.ctl(&["list_queues", "name"]).await.contains("durable"));
}

#[tokio::test]
async fn a_server_of_ones_own_can_be_troubled_in_every_way() {
    let mut rabbit = RabbitMq::start(RabbitMqOptions { tls: true }).await;

    // Over TLS, with users of one's own.
    rabbit.add_user("someone", "secret").await;
    let cert_chain = Some(fs::read_to_string(rabbit.ca_file().unwrap()).unwrap());
    let tls = OwnedTLSConfig { cert_chain, ..OwnedTLSConfig::default() };
    let url = rabbit.tls_url().replace("guest:guest", "someone:secret");
    let runtime = lapin::runtime::default_runtime().unwrap();
    let connection =
        Connection::connect_with_config(&url, ConnectionProperties::default(), tls, runtime).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    declare(&channel).await;

    // A full memory takes nothing until it is cleared.
    rabbit.raise_memory_alarm().await;
    let publishing = tokio::spawn(async move { publish(&channel).await });
    rabbit.ctl(&["list_queues"]).await;
    assert!(!publishing.is_finished());
    rabbit.clear_memory_alarm().await;
    timeout(PATIENCE, publishing).await.unwrap().unwrap();

    // What is durable outlives a kill, on the same port.
    let url = rabbit.url();
    rabbit.kill().await;
    rabbit.restart().await;
    assert_eq!(rabbit.url(), url);
    let channel = rabbit.connect().await.create_channel().await.unwrap();
    assert!(channel.basic_get("durable".into(), BasicGetOptions::default()).await.unwrap().is_some());
    rabbit.stop().await;
}

async fn declare(channel: &Channel) {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("durable".into(), options, FieldTable::default()).await.unwrap();
}

async fn publish(channel: &Channel) {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let publishing =
        channel.basic_publish("".into(), "durable".into(), BasicPublishOptions::default(), b"body", properties);
    publishing.await.unwrap().await.unwrap();
}
