//! The ways to a server: TLS, forms of addresses, few connections.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use gateway_simulator::Simulator;
use gateway_tests::{RabbitMq, RabbitMqOptions, Redis, RedisOptions, Setup};
use redis::AsyncCommands as _;
use serde_json::Value;

use crate::support::{discord, on_redis, on_url, ready, stream, tap, until};

#[tokio::test]
async fn rabbitmq_is_reached_by_tls_and_by_every_form_of_the_default_virtual_host() {
    let rabbit = RabbitMq::start(RabbitMqOptions { tls: true }).await;
    let connection = rabbit.connect().await;
    for form in ["", "/", "/%2f", "/%2F"] {
        let simulator = discord(1).await;
        let mut gateway = on_url(&simulator, &format!("{}{form}", rabbit.url())).start();
        ready(&simulator.control(), 1).await;
        let mut queue = tap(&connection.create_channel().await.unwrap(), "gateway", "FORM").await;
        simulator.control().send_event(0, "FORM", format!(r#""{form}""#));
        assert_eq!(queue.next().await.unwrap().unwrap().data, format!(r#""{form}""#).as_bytes());
        gateway.drain().await;
    }

    let url = rabbit.tls_url();
    let simulator = discord(1).await;
    let error = on_url(&simulator, &url).failure().await;
    assert!(error.contains("certificate") && error.contains("amqp.ca_file"), "{error}");
    assert!(!error.contains("guest:guest"), "{error}");

    let ca_file = rabbit.ca_file().unwrap().display().to_string();
    // As in an image that has no certificates of its own.
    let setup = on_url(&simulator, &url).variable("SSL_CERT_FILE", "/nowhere").variable("SSL_CERT_DIR", "/nowhere");
    let mut gateway = setup.variable("AMQP_CA_FILE", &ca_file).start();
    ready(&simulator.control(), 1).await;
    let mut queue = tap(&connection.create_channel().await.unwrap(), "gateway", "SECURE").await;
    simulator.control().send_event(0, "SECURE", "1");
    assert_eq!(queue.next().await.unwrap().unwrap().data, b"1");
    gateway.drain().await;
}

#[tokio::test]
async fn redis_is_reached_by_tls() {
    let password = Some("secret".to_owned());
    let redis = Redis::start(RedisOptions { tls: true, password, ..RedisOptions::default() }).await;
    let simulator = discord(1).await;
    let error = on_redis(&simulator, &redis).failure().await;
    assert!(error.contains("certificate") && error.contains("redis.ca_file"), "{error}");
    assert!(!error.contains("secret"), "{error}");

    let ca_file = redis.ca_file().unwrap().display().to_string();
    let setup = on_redis(&simulator, &redis).variable("REDIS_CA_FILE", &ca_file);
    let setup = setup.variable("SSL_CERT_FILE", "/nowhere").variable("SSL_CERT_DIR", "/nowhere");
    // Its sessions are kept there by the same settings.
    let setup = setup.variable("SHARD_STORE_TYPE", "redis").variable("SHARD_STORE_PREFIX", "bot");
    takes_an_event(&setup, &simulator, &redis).await;
    assert_eq!(redis.command::<u64>(&["EXISTS", "bot0session"]).await, 1);
}

#[tokio::test]
async fn redis_is_reached_by_every_form_of_its_address() {
    let redis = Redis::start(RedisOptions::default()).await;
    let address = redis.address();
    for url in [
        address.clone(),
        format!("redis://{address}"),
        format!("redis://{address}/0"),
        format!("redis://{address}?db=0"),
    ] {
        let simulator = discord(1).await;
        let setup = on_redis(&simulator, &redis).variable("REDIS_URL", &url);
        takes_an_event(&setup, &simulator, &redis).await;
    }
    let simulator = discord(1).await;
    let setup = on_redis(&simulator, &redis).variable("REDIS_URL", &format!("redis://{address}/3"));
    let mut gateway = setup.start();
    ready(&simulator.control(), 1).await;
    simulator.control().send_event(0, "IN_THREE", "1");
    let mut third = redis.connect().await;
    let () = redis::cmd("SELECT").arg(3).query_async(&mut third).await.unwrap();
    until(async || third.xlen::<_, u64>("IN_THREE").await.unwrap() == 1).await;
    assert_eq!(redis.command::<u64>(&["EXISTS", "IN_THREE"]).await, 0);
    gateway.drain().await;
}

#[tokio::test]
async fn one_connection_serves_several_lanes_and_each_shard_keeps_its_order() {
    const SHARDS: u32 = 4;
    const EVENTS: u64 = 300;
    let redis = Redis::start(RedisOptions::default()).await;
    let simulator = discord(SHARDS).await;
    let control = simulator.control();
    let setup = on_redis(&simulator, &redis).variable("REDIS_POOL_SIZE", "1").variable("GATEWAY_LANES_COUNT", "4");
    let mut gateway = setup.variable("BROKER_ENCODING", "json").start();
    ready(&control, SHARDS as usize).await;
    for number in 0..EVENTS {
        for shard in 0..SHARDS {
            control.send_event(shard, "NUMBER", format!(r#"{{"shard":{shard},"number":{number}}}"#));
        }
    }
    let all = u64::from(SHARDS) * EVENTS;
    until(async || redis.command::<u64>(&["XLEN", "NUMBER"]).await >= all).await;
    gateway.drain().await;
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    for body in stream(&redis, "NUMBER").await {
        let event: Value = serde_json::from_str(&body).unwrap();
        let next = next.entry(event["shard"].as_u64().unwrap()).or_default();
        assert_eq!(event["number"].as_u64().unwrap(), *next, "{event}");
        *next += 1;
    }
    assert_eq!(next, (0..u64::from(SHARDS)).map(|shard| (shard, EVENTS)).collect());
}

/// The gateway connects, and an event arrives.
async fn takes_an_event(setup: &Setup, simulator: &Simulator, redis: &Redis) {
    let before: u64 = redis.command(&["XLEN", "FORM"]).await;
    let mut gateway = setup.start();
    ready(&simulator.control(), 1).await;
    simulator.control().send_event(0, "FORM", "1");
    until(async || redis.command::<u64>(&["XLEN", "FORM"]).await == before + 1).await;
    gateway.drain().await;
}
