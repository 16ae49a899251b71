//! Every client's way of sending a command works, whatever the gateway's encoding is.

use gateway_tests::{Brokers, Msgpack, RabbitMq, Script};
use serde_json::{Value, json};

use crate::support::{commands_come, discord, numbers, on_amqp, on_redis, ready, redis, send};

/// Beyond 2^53: JavaScript's own numbers cannot hold it, and texts can.
const BIG: u64 = 175_928_847_299_117_063;

#[tokio::test]
async fn commands_of_every_client_over_amqp_arrive_once_in_order_under_json() {
    over_amqp("json").await;
}

#[tokio::test]
async fn commands_of_every_client_over_amqp_arrive_once_in_order_under_msgpack() {
    over_amqp("msgpack").await;
}

#[tokio::test]
async fn commands_of_every_client_over_amqp_arrive_once_in_order_under_msgpack_object() {
    over_amqp("msgpack-object").await;
}

#[tokio::test]
async fn commands_of_every_client_over_redis_arrive_once_in_order_under_every_encoding() {
    for encoding in ["json", "msgpack", "msgpack-object"] {
        let redis = redis().await;
        let simulator = discord(1).await;
        let control = simulator.control();
        let gateway = on_redis(&simulator, &redis).variable("BROKER_ENCODING", encoding).start();
        ready(&control, 1).await;
        let javascript = Script::spectacles_redis(&redis.url(), "bot").await;
        let python = Script::redis_py(&redis.url(), "bot").await;
        let mut expected = Vec::new();
        for mut client in [javascript, python] {
            publish_all(&mut client, &mut expected).await;
            commands_come(&control, expected.len()).await;
        }
        assert_eq!(numbers(&control), expected);
        drop(gateway);
    }
}

async fn over_amqp(encoding: &str) {
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let gateway = on_amqp(&simulator, &host).variable("BROKER_ENCODING", encoding).start();
    ready(&control, 1).await;
    let mut clients = Vec::new();
    for version in Brokers::ALL {
        clients.push((version, Script::spectacles_amqp(version, &host.address(), "gateway", None).await));
    }
    let mut expected = Vec::new();
    for (version, mut client) in clients {
        if version == Brokers::V0_9 {
            publish_all(&mut client, &mut expected).await;
        } else {
            // What it is given as bytes it turns into another kind of object.
            publish_values(&mut client, &mut expected).await;
        }
        commands_come(&control, expected.len()).await;
    }
    for mut client in [Script::amqplib(&host.url(), "gateway").await, Script::pika(&host.url(), "gateway").await] {
        publish_all(&mut client, &mut expected).await;
        commands_come(&control, expected.len()).await;
    }
    assert_eq!(numbers(&control), expected);
    drop(gateway);
}

/// An object, a text that holds JSON, and bytes of every form.
async fn publish_all(client: &mut Script, expected: &mut Vec<u64>) {
    publish_values(client, expected).await;
    let text = |number| send(number).to_string();
    let forms: [&dyn Fn(u64) -> Vec<u8>; 6] = [
        &|number| text(number).into(),
        &|number| format!(" \r\n\t{}", text(number)).into(),
        &|number| json!(text(number)).to_string().into(),
        &|number| Msgpack::default().value(&send(number)).0,
        &|number| Msgpack::default().string(&text(number)).0,
        &|number| Msgpack::default().binary(text(number).as_bytes()).0,
    ];
    for form in forms {
        let number = next(expected);
        client.publish_bytes("SEND", &form(number)).await;
    }
}

async fn publish_values(client: &mut Script, expected: &mut Vec<u64>) {
    let small = u64::try_from(expected.len()).unwrap();
    expected.push(small);
    client.publish("SEND", send(small)).await;
    let big = next(expected);
    client.publish("SEND", Value::from(send(big).to_string())).await;
}

/// Another number, which it expects from now on.
fn next(expected: &mut Vec<u64>) -> u64 {
    let number = BIG + u64::try_from(expected.len()).unwrap();
    expected.push(number);
    number
}
