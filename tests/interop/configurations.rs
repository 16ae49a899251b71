//! Configuration files of the original start the gateway on real servers, and do what they did.

use futures_util::StreamExt as _;
use gateway_simulator::{Control, Happening, Simulator};
use gateway_tests::{Gateway, RabbitMq, Redis, Setup};
use redis::AsyncCommands as _;
use redis::streams::StreamRangeReply;
use serde_json::{Value, json};

use crate::GATEWAY;
use crate::support::{discord, happens, msgpack, ready, redis, settled, tap};

/// The configuration of the README at v0.2.1.
const JSON_ERA: &str = include_str!("configurations/readme_of_the_json_era.toml");

/// The configuration of the README at the last revision, with its presence.
const MSGPACK_ERA: &str = include_str!("configurations/readme_of_the_msgpack_era.toml");

#[tokio::test]
async fn the_readme_of_the_json_era_publishes_json_over_amqp() {
    let (host, redis) = (RabbitMq::virtual_host().await, redis().await);
    let file = JSON_ERA.replace("amqp://localhost", &host.url()).replace("localhost:6379", &redis.address());
    amqp_gets_json(&file, &host.connect().await, &redis).await;
}

/// Of keys in any case, and of the key that the address of the server had at first.
#[tokio::test]
async fn a_file_of_the_first_era_publishes_json_over_amqp() {
    let (host, redis) = (RabbitMq::virtual_host().await, redis().await);
    let file = format!(
        "[BROKER]\nTYPE = \"amqp\"\nGroup = \"gateway\"\nURL = \"{}\"\n[Shards]\nCOUNT = 2\n\
         [Prometheus]\nADDRESS = \":8080\"\nEndpoint = \"/metrics\"\n\
         [Shard_Store]\nTYPE = \"redis\"\nPrefix = \"gateway\"\n[REDIS]\nURL = \"{}\"\n",
        host.url(),
        redis.address()
    );
    amqp_gets_json(&file, &host.connect().await, &redis).await;
}

#[tokio::test]
async fn the_readme_of_the_msgpack_era_appends_strings_to_redis() {
    let redis = redis().await;
    let simulator = discord(2).await;
    let control = simulator.control();
    let mut gateway = start(&MSGPACK_ERA.replace("localhost:6379", &redis.address()), &simulator).await;
    let presence =
        json!({"activities": [{"name": "test", "type": 0}], "afk": false, "since": null, "status": "online"});
    for identify in identifies(&control).await {
        assert_eq!((&identify["presence"], &identify["intents"]), (&presence, &json!(0)));
    }
    control.send_event(1, "MESSAGE_CREATE", DATA);
    settled(&mut gateway, 3).await;
    gateway.drain().await;
    let entries: StreamRangeReply = redis.connect().await.xrange_all("MESSAGE_CREATE").await.unwrap();
    assert_eq!(entries.ids.iter().map(|entry| entry.get("data").unwrap()).collect::<Vec<Vec<u8>>>(), [msgpack(DATA)]);
    is_stored(&redis).await;
}

async fn amqp_gets_json(file: &str, connection: &lapin::Connection, redis: &Redis) {
    let simulator = discord(2).await;
    let control = simulator.control();
    let mut gateway = start(file, &simulator).await;
    for identify in identifies(&control).await {
        assert_eq!((identify.get("presence"), &identify["intents"]), (None, &json!(0)));
    }
    let mut messages = tap(&connection.create_channel().await.unwrap(), "gateway", "MESSAGE_CREATE").await;
    control.send_event(1, "MESSAGE_CREATE", DATA);
    let message = messages.next().await.unwrap().unwrap();
    assert_eq!(message.data, DATA.as_bytes());
    assert_eq!(message.properties.expiration().as_ref().map(|text| text.as_str()), Some("120000"));
    let answer = gateway.get("/metrics").await;
    assert!(answer.body.contains("gateway_total_shards 2"), "{answer:?}");
    settled(&mut gateway, 3).await;
    gateway.drain().await;
    is_stored(redis).await;
}

/// Starts it with what is not in the file: token, events, and which Discord.
async fn start(file: &str, simulator: &Simulator) -> Gateway {
    let setup = Setup::on(GATEWAY, simulator).variable("DISCORD_EVENTS", "MESSAGE_CREATE");
    // The port may be somebody else's.
    let gateway = setup.variable("DISCORD_RAW_INTENTS", "").file(&file.replace(":8080", "127.0.0.1:0")).start();
    ready(&simulator.control(), 2).await;
    gateway
}

/// What both shards have identified with.
async fn identifies(control: &Control) -> Vec<Value> {
    happens(control, 2, |happening| matches!(happening, Happening::Identify { .. })).await;
    let identify = |happening| match happening {
        Happening::Identify { data } => Some(data),
        _ => None,
    };
    control.journal().into_iter().filter_map(|entry| identify(entry.happening)).collect()
}

/// Both shards have a session under the original's keys.
async fn is_stored(redis: &Redis) {
    for (shard, sequence) in [(0, 1), (1, 2)] {
        assert_eq!(redis.command::<Option<u64>>(&["GET", &format!("gateway{shard}seq")]).await, Some(sequence));
        assert!(redis.command::<Option<String>>(&["GET", &format!("gateway{shard}session")]).await.is_some());
    }
}

const DATA: &str = r#"{"id": "7", "content":"\u00e9"}"#;
