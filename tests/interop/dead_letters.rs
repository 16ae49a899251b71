//! Messages that no broker will ever take: kept with the reason, and those behind them arrive.

use futures_util::StreamExt as _;
use gateway_tests::{Gateway, RabbitMq, RabbitMqOptions, Setup};
use serde_json::Value;

use crate::support::{discord, family, figure, on_amqp, on_redis, on_url, ready, redis, stream, tap, until};

#[tokio::test]
async fn a_message_larger_than_rabbitmq_takes_is_kept_and_those_behind_it_arrive_in_order() {
    const GREATEST: usize = 100_000;
    let rabbit = RabbitMq::start(RabbitMqOptions::default()).await;
    rabbit.ctl(&["eval", &format!("application:set_env(rabbit, max_message_size, {GREATEST}).")]).await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let setup = with_dead_letters(on_url(&simulator, &rabbit.url()));
    let mut gateway = setup.start();
    ready(&control, 1).await;
    let connection = rabbit.connect().await;
    let mut queue = tap(&connection.create_channel().await.unwrap(), "gateway", "NUMBER").await;
    for number in 0..100 {
        control.send_event(0, "NUMBER", number.to_string());
        if number % 10 == 5 {
            control.send_event(0, "NUMBER", large(GREATEST));
        }
    }
    let mut next = 0;
    while next < 100 {
        let body = queue.next().await.unwrap().unwrap().data;
        let number: u64 = String::from_utf8(body).unwrap().parse().unwrap();
        assert!(number <= next, "{number} came in place of {next}");
        next = next.max(number + 1);
    }
    are_kept(&setup, &mut gateway, 10, "100000 at most", &large(GREATEST)).await;
    gateway.drain().await;
}

#[tokio::test]
async fn a_message_larger_than_redis_takes_is_kept_and_those_behind_it_arrive_in_order() {
    /// The least that can be set.
    const GREATEST: usize = 1 << 20;
    let redis = redis().await;
    let () = redis.command(&["CONFIG", "SET", "proto-max-bulk-len", &GREATEST.to_string()]).await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let setup = with_dead_letters(on_redis(&simulator, &redis).variable("BROKER_ENCODING", "json"));
    let mut gateway = setup.start();
    ready(&control, 1).await;
    for number in 0..20 {
        control.send_event(0, "NUMBER", number.to_string());
        if number == 7 {
            control.send_event(0, "NUMBER", large(GREATEST));
        }
    }
    are_kept(&setup, &mut gateway, 1, "invalid bulk length", &large(GREATEST)).await;
    until(async || stream(&redis, "NUMBER").await.last().is_some_and(|last| last == "19")).await;
    gateway.drain().await;
    let mut next = 0;
    for body in stream(&redis, "NUMBER").await {
        let number: u64 = body.parse().unwrap();
        assert!(number <= next, "{number} came in place of {next}");
        next = next.max(number + 1);
    }
    assert_eq!(next, 20);
}

#[tokio::test]
async fn events_without_a_queue_are_kept_if_the_operator_says_so_and_dropped_if_not() {
    let host = RabbitMq::virtual_host().await;
    for (policy, kept) in [("dead-letter", 3), ("drop", 0)] {
        let simulator = discord(1).await;
        let control = simulator.control();
        // READY has no queue either.
        let setup = on_amqp(&simulator, &host).variable("DISCORD_EVENTS", "HEARD,UNHEARD");
        let setup = with_dead_letters(setup.variable("AMQP_UNROUTABLE", policy));
        let mut gateway = setup.start();
        ready(&control, 1).await;
        let connection = host.connect().await;
        let mut queue = tap(&connection.create_channel().await.unwrap(), "gateway", "HEARD").await;
        for event in ["HEARD", "UNHEARD", "UNHEARD", "HEARD", "UNHEARD", "HEARD"] {
            control.send_event(0, event, r#"{"id":"7"}"#);
        }
        for _ in 0..3 {
            queue.next().await.unwrap().unwrap();
        }
        let returned = r#"gateway_broker_messages_unroutable_total{broker="amqp"}"#;
        until(async || figure(&mut gateway, returned).await as usize == 3).await;
        are_kept(&setup, &mut gateway, kept, "NO_ROUTE", r#"{"id":"7"}"#).await;
        gateway.drain().await;
    }
}

fn with_dead_letters(setup: Setup) -> Setup {
    let path = setup.path(FILE).display().to_string();
    setup.variable("DEAD_LETTERS_PATH", &path)
}

/// Waits until that many letters are counted, and looks at each of them in the file.
async fn are_kept(setup: &Setup, gateway: &mut Gateway, count: usize, reason: &str, body: &str) {
    until(async || family(gateway, "gateway_dead_letters_total").await as usize == count).await;
    let text = std::fs::read_to_string(setup.path(FILE)).unwrap_or_default();
    let letters: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters.len(), count);
    for letter in letters {
        assert!(letter["reason"].as_str().unwrap().contains(reason), "{}", letter["reason"]);
        assert!(letter["body"] == body, "the body is another one");
    }
}

/// An event that is larger than that.
fn large(size: usize) -> String {
    format!(r#"{{"filler":"{}"}}"#, "x".repeat(size))
}

const FILE: &str = "letters.ndjson";
