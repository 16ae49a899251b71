//! Servers that let nobody in, or hold what is in the way: the gateway ends at its start, and says what to do.

use gateway_tests::{RabbitMq, Redis, RedisOptions};
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

use crate::support::{discord, on_amqp, on_redis};

#[tokio::test]
async fn a_queue_of_other_properties_is_named_with_the_way_to_delete_it() {
    let host = RabbitMq::virtual_host().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("gateway:SEND".into(), options, FieldTable::default()).await.unwrap();
    let simulator = discord(1).await;
    let error = on_amqp(&simulator, &host).failure().await;
    assert!(error.contains("`gateway:SEND` exists") && error.contains("broker.group"), "{error}");
    assert!(error.contains("rabbitmqctl delete_queue"), "{error}");
}

#[tokio::test]
async fn the_exchange_of_v0_3_that_is_deleted_by_itself_is_named() {
    let host = RabbitMq::virtual_host().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let options = ExchangeDeclareOptions { durable: true, auto_delete: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("gateway".into(), ExchangeKind::Direct, options, FieldTable::default()).await.unwrap();
    let simulator = discord(1).await;
    let error = on_amqp(&simulator, &host).failure().await;
    assert!(error.contains("the exchange `gateway` exists") && error.contains("broker.group"), "{error}");
}

#[tokio::test]
async fn a_redis_that_wants_a_password_is_told_with_the_key() {
    let password = Some("secret".to_owned());
    let redis = Redis::start(RedisOptions { password, ..RedisOptions::default() }).await;
    let simulator = discord(1).await;
    let error = on_redis(&simulator, &redis).variable("REDIS_URL", &redis.address()).failure().await;
    assert!(error.contains("password") && error.contains("redis.urls"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let redis = Redis::start(RedisOptions::default()).await;
    let simulator = discord(1).await;
    let error = on_redis(&simulator, &redis).variable("REDIS_URL", &format!("{}/99", redis.url())).failure().await;
    assert!(error.contains("99") && error.contains("redis.urls"), "{error}");
}
