//! The consumers of docs/amqp.md, docs/redis.md and docs/deduplication.md, as they stand there.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use gateway_tests::{PATIENCE, RabbitMq, RabbitMqOptions, Script, Setup};
use lapin::options::{BasicPublishOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, ExchangeKind};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::GATEWAY;
use crate::support::redis;

mod lapin_consumer {
    include!("consumers/lapin.rs");

    pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {
        main()
    }
}

mod redis_consumer {
    include!("consumers/redis_rs.rs");

    pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {
        main()
    }
}

#[tokio::test]
async fn every_consumer_of_the_guide_to_amqp_runs_as_pasted() {
    let rabbit = RabbitMq::start(RabbitMqOptions::default()).await;
    prints_ids("amqp.md", &["amqplib", "pika", "lapin"], "AMQP_URL", &format!("{}/%2f", rabbit.url())).await;
}

#[tokio::test]
async fn every_consumer_of_the_guide_to_redis_runs_as_pasted() {
    let redis = redis().await;
    prints_ids("redis.md", &["node-redis", "redis-py", "redis-rs"], "REDIS_URL", &redis.url()).await;
}

#[tokio::test]
async fn the_consumer_that_remembers_identities_takes_each_event_once() {
    let redis = redis().await;
    for (id, identity) in EVENTS_WITH_DUPLICATES {
        // A MessagePack string of less than 32 bytes.
        let data = format!(r#"{{"id":"{id}"}}"#);
        let data = [&[0xa0 | u8::try_from(data.len()).unwrap()], data.as_bytes()].concat();
        let mut command = ::redis::cmd("XADD");
        command.arg("MESSAGE_CREATE").arg("*").arg("data").arg(data);
        if !identity.is_empty() {
            command.arg("id").arg(identity);
        }
        let _: String = command.query_async(&mut redis.connect().await).await.unwrap();
    }
    takes_each_once("redis-once", "REDIS_URL", &redis.url()).await;
    assert_eq!(
        redis.command::<u64>(&["DBSIZE"]).await,
        EACH_ONCE.len() as u64,
        "the stream, and a key for each with an identity"
    );
}

#[tokio::test]
async fn the_consumer_that_keeps_the_highest_sequence_takes_each_event_once() {
    let host = RabbitMq::virtual_host().await;
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("gateway".into(), ExchangeKind::Direct, options, FieldTable::default()).await.unwrap();
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("gateway:MESSAGE_CREATE".into(), options, FieldTable::default()).await.unwrap();
    for (id, identity) in EVENTS_WITH_DUPLICATES {
        let properties = match identity {
            "" => BasicProperties::default(),
            identity => BasicProperties::default().with_message_id(identity.into()),
        };
        let body = format!(r#"{{"id":"{id}"}}"#);
        let queue = "gateway:MESSAGE_CREATE".into();
        let options = BasicPublishOptions::default();
        channel.basic_publish("".into(), queue, options, body.as_bytes(), properties).await.unwrap();
    }
    takes_each_once("amqplib-once", "AMQP_URL", &host.url()).await;
}

#[test]
fn the_rust_consumers_of_the_guides_are_those_that_are_run() {
    for (guide, name, file) in [("amqp.md", "lapin", "lapin.rs"), ("redis.md", "redis-rs", "redis_rs.rs")] {
        let code = fs::read_to_string(folder().join("interop/consumers").join(file)).unwrap();
        assert_eq!(block(guide, name), code, "{file}");
    }
}

#[test]
#[ignore = "a process that others start"]
fn lapin_as_a_process() {
    if std::env::var_os("AMQP_URL").is_some() {
        lapin_consumer::run().unwrap();
    }
}

#[test]
#[ignore = "a process that others start"]
fn redis_rs_as_a_process() {
    if std::env::var_os("REDIS_URL").is_some() {
        redis_consumer::run().unwrap();
    }
}

/// Starts what the guide starts, with the server at `url`, and each consumer until it prints the id of a message.
async fn prints_ids(guide: &str, consumers: &[&str], variable: &str, url: &str) {
    let arguments = ["simulate", "--listen", "127.0.0.1:0", "--rate", "100"];
    let simulate = arguments.iter().fold(Setup::new(GATEWAY), |setup, argument| setup.argument(argument));
    let mut simulator = simulate.start();
    let host = loop {
        let line = simulator.next_line().await.expect("where it listens");
        if let Some(host) = line.split_whitespace().find_map(|word| word.strip_prefix("DISCORD_API_HOST=")) {
            break host.to_owned();
        }
    };
    let command = text(guide).lines().find(|line| line.contains(" BROKER_TYPE=")).unwrap().to_owned();
    let variables = command.split_whitespace().filter_map(|word| word.split_once('='));
    let setup = variables.fold(Setup::new(GATEWAY), |setup, (name, value)| setup.variable(name, value));
    let mut gateway = setup.variable("DISCORD_API_HOST", &host).variable(variable, url).start();
    for name in consumers {
        let mut consumer = consumer(guide, name);
        consumer.env(variable, url).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = consumer.spawn().expect("the consumer cannot be started");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let id = async {
            loop {
                let line =
                    lines.next_line().await.unwrap().expect("the consumer has ended; what it last said is above");
                if let Some(id) = line.strip_prefix("MESSAGE_CREATE ") {
                    return id.to_owned();
                }
            }
        };
        let id = timeout(PATIENCE, id).await.unwrap_or_else(|_| panic!("{name} prints nothing"));
        assert!(id.parse::<u64>().is_ok(), "{name}: {id}");
        process.kill().await.unwrap();
    }
    gateway.drain().await;
}

/// Starts a consumer of docs/deduplication.md, and looks at what it prints of [`EVENTS_WITH_DUPLICATES`].
async fn takes_each_once(name: &str, variable: &str, url: &str) {
    let mut consumer = consumer("deduplication.md", name);
    consumer.env(variable, url).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut process = consumer.spawn().expect("the consumer cannot be started");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    for id in EACH_ONCE {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap_or_else(|_| panic!("{name} prints nothing"));
        let line = line.unwrap().expect("the consumer has ended; what it last said is above");
        assert_eq!(line, format!("MESSAGE_CREATE {id}"), "{name}");
    }
    process.kill().await.unwrap();
}

/// Ids of messages, with the identities of their events: one from before they had any, then those of two shards, one of which resumes, and gets a new session.
const EVENTS_WITH_DUPLICATES: [(&str, &str); 10] = [
    ("0", ""),
    ("1", "a:b:2"),
    ("2", "c:2"),
    ("3", "a:b:9"),
    ("4", "a:b:10"),
    ("3", "a:b:9"),
    ("4", "a:b:10"),
    ("2", "c:2"),
    ("5", "d:1"),
    ("6", "c:3"),
];
const EACH_ONCE: [&str; 7] = ["0", "1", "2", "3", "4", "5", "6"];

/// The consumer of that name, as its reader would start it.
fn consumer(guide: &str, name: &str) -> Command {
    match name {
        "amqplib" | "amqplib-once" | "node-redis" => Script::javascript(&block(guide, name)),
        "pika" | "redis-once" | "redis-py" => Script::python_program(&block(guide, name)),
        "lapin" => this_program("lapin_as_a_process"),
        _ => this_program("redis_rs_as_a_process"),
    }
}

/// One of the tests above, as a process of its own.
fn this_program(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("documented_consumers::{test}"), "--exact", "--ignored", "--nocapture"]);
    command
}

/// The code of a consumer in a guide.
fn block(guide: &str, name: &str) -> String {
    let text = text(guide);
    let (_, rest) = text.split_once(&format!(" consumer={name}\n")).unwrap_or_else(|| panic!("{guide} has no {name}"));
    rest.split_once("```").unwrap().0.to_owned()
}

fn text(guide: &str) -> String {
    fs::read_to_string(folder().join("../docs").join(guide)).unwrap()
}

/// That of the tests.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests"))
}
