//! What only the operator can mend ends the gateway at its start, and says what to do.

use gateway_tests::{RabbitMq, Redis, RedisOptions};
use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;

use crate::support::{discord, on_amqp, on_redis, on_url};

#[tokio::test]
async fn a_wrong_password_of_rabbitmq_is_named_and_not_shown() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let url = host.url().replace("guest:guest", "guest:hunter2");
    let error = on_url(&simulator, &url).failure().await;
    assert!(error.contains("amqp.url") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_virtual_host_that_is_not_there_is_named() {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let error = on_url(&simulator, &format!("{}-none", host.url())).failure().await;
    assert!(error.contains("virtual host"), "{error}");
}

#[tokio::test]
async fn an_exchange_of_other_properties_is_named() {
    let host = RabbitMq::virtual_host().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("other".into(), ExchangeKind::Topic, options, FieldTable::default()).await.unwrap();
    let simulator = discord(1).await;
    let error = on_amqp(&simulator, &host).variable("BROKER_GROUP", "other").failure().await;
    assert!(error.contains("other") && error.contains("broker.group"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_of_redis_is_named_and_not_shown() {
    let redis = Redis::start(RedisOptions { password: Some("secret".to_owned()), ..RedisOptions::default() }).await;
    let simulator = discord(1).await;
    let url = redis.url().replace("secret", "hunter2");
    let error = on_redis(&simulator, &redis).variable("REDIS_URL", &url).failure().await;
    assert!(error.contains("redis.urls") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_key_that_is_no_stream_is_named() {
    let redis = Redis::start(RedisOptions::default()).await;
    let () = redis.command(&["SET", "SEND", "text"]).await;
    let simulator = discord(1).await;
    let error = on_redis(&simulator, &redis).failure().await;
    assert!(error.contains("SEND"), "{error}");
}
