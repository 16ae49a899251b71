//! What several of these tests need.

use std::collections::BTreeMap;

use gateway_simulator::{Control, Entry, Happening, Options, Sent, Simulator};
use gateway_tests::{Gateway, PATIENCE, RabbitMq, Redis, RedisOptions, Script, Setup, VirtualHost};
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::GATEWAY;

/// A simulated Discord in which nothing happens but what the test does, whose shards all start at once.
pub(crate) async fn discord(shards: u32) -> Simulator {
    let options = Options {
        guilds_per_shard: 0,
        recommended_shards: shards,
        max_concurrency: shards,
        patience: PATIENCE,
        replay_events: 100_000,
        ..Options::default()
    };
    Simulator::start(options).await.unwrap()
}

/// A gateway on a virtual host.
pub(crate) fn on_amqp(simulator: &Simulator, host: &VirtualHost) -> Setup {
    on_url(simulator, &host.url())
}

/// A gateway on a server of the test's own.
pub(crate) fn on_url(simulator: &Simulator, url: &str) -> Setup {
    Setup::on(GATEWAY, simulator).variable("BROKER_TYPE", "amqp").variable("AMQP_URL", url).with_metrics()
}

/// A gateway on a Redis.
pub(crate) fn on_redis(simulator: &Simulator, redis: &Redis) -> Setup {
    Setup::on(GATEWAY, simulator).variable("BROKER_TYPE", "redis").variable("REDIS_URL", &redis.url()).with_metrics()
}

/// A Redis that keeps nothing.
pub(crate) async fn redis() -> Redis {
    Redis::start(RedisOptions::default()).await
}

/// Where commands go in, and what the servers still hold of them.
pub(crate) enum Inlet {
    /// RabbitMQ, by `amqplib`.
    Amqp(VirtualHost),
    /// Redis, by redis-py.
    Redis(Box<Redis>),
}

impl Inlet {
    pub(crate) async fn both() -> [Self; 2] {
        [Self::Amqp(RabbitMq::virtual_host().await), Self::Redis(Box::new(redis().await))]
    }

    pub(crate) fn gateway(&self, simulator: &Simulator) -> Setup {
        match self {
            Self::Amqp(host) => on_amqp(simulator, host),
            Self::Redis(redis) => on_redis(simulator, redis),
        }
    }

    /// A client that publishes bytes as they are.
    pub(crate) async fn client(&self) -> Script {
        match self {
            Self::Amqp(host) => Script::amqplib(&host.url(), "gateway").await,
            Self::Redis(redis) => Script::redis_py(&redis.url(), "bot").await,
        }
    }

    /// How many commands of an event are neither acknowledged nor rejected.
    pub(crate) async fn unsettled(&self, event: &str) -> u64 {
        match self {
            Self::Amqp(host) => {
                let queues = host.ctl(&["list_queues", "name", "messages", "--no-table-headers"]).await;
                let name = format!("gateway:{event}");
                let count = |line: &str| line.split_once('\t').filter(|(queue, _)| *queue == name)?.1.parse().ok();
                queues.lines().find_map(count).unwrap_or_else(|| panic!("no queue {name}: {queues}"))
            }
            Self::Redis(redis) => {
                let groups: Vec<BTreeMap<String, redis::Value>> = redis.command(&["XINFO", "GROUPS", event]).await;
                let group = groups.first().expect("the gateway's group");
                let number = |field| redis::from_redis_value::<Option<u64>>(group[field].clone()).unwrap().unwrap();
                number("pending") + number("lag")
            }
        }
    }

    /// Waits until that many are left.
    pub(crate) async fn settles(&self, event: &str, left: u64) {
        until(async || self.unsettled(event).await == left).await;
    }
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until(mut ask: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ask().await {
        assert!(Instant::now() < deadline, "it does not come about");
        tokio::task::yield_now().await;
    }
}

/// Waits until something has happened that many times.
pub(crate) async fn happens(control: &Control, times: usize, matches: impl Fn(&Happening) -> bool) -> Entry {
    let mut count = 0;
    let found = control.wait_for(|entry| {
        count += usize::from(matches(&entry.happening));
        count == times
    });
    found.await.unwrap()
}

/// Waits until that many shards have got READY.
pub(crate) async fn ready(control: &Control, shards: usize) {
    happens(control, shards, |happening| matches!(happening, Happening::Ready { .. })).await;
}

/// The identity of the event that was sent last.
pub(crate) fn last_identity(control: &Control) -> String {
    let Sent { session, sequence, .. } = control.sent(0).pop().unwrap();
    format!("{session}:{sequence}")
}

/// Waits until a gateway with metrics has delivered or filtered that many events, READY of each shard among them. What it has
/// not read when it is told to drain stays with Discord.
pub(crate) async fn settled(gateway: &mut Gateway, events: u32) {
    until(async || family(gateway, "gateway_lane_events_settled_total").await >= f64::from(events)).await;
}

/// Waits until that many commands have come.
pub(crate) async fn commands_come(control: &Control, count: usize) {
    happens(control, count, is_command).await;
}

pub(crate) fn is_command(happening: &Happening) -> bool {
    matches!(happening, Happening::Command { .. })
}

/// The commands that came, as shard and `d`.
pub(crate) fn commands(control: &Control) -> Vec<(u32, Value)> {
    let command = |entry: Entry| match entry.happening {
        Happening::Command { data, .. } => Some((entry.shard.unwrap(), data)),
        _ => None,
    };
    control.journal().into_iter().filter_map(command).collect()
}

/// The numbers of presence updates that came.
pub(crate) fn numbers(control: &Control) -> Vec<u64> {
    commands(control).into_iter().map(|(_, data)| data["since"].as_u64().unwrap()).collect()
}

/// A presence update, told apart by `since`.
pub(crate) fn packet(number: u64) -> Value {
    json!({"op": 3, "d": {"since": number, "activities": [], "status": "idle", "afk": false}})
}

/// The body of a `SEND` for a shard of so many.
pub(crate) fn send_to(shard: u64, shards: u64, number: u64) -> Value {
    let guild = ((2_000_000_000 / shards * shards + shard) << 22).to_string();
    json!({"guild_id": guild, "packet": packet(number)})
}

/// The body of a `SEND` for the only shard.
pub(crate) fn send(number: u64) -> Value {
    send_to(0, 1, number)
}

/// A series of the gateway's figures, 0 if there is none.
pub(crate) async fn figure(gateway: &mut Gateway, series: &str) -> f64 {
    gateway.figures().await.of(series).unwrap_or_default()
}

/// The sum of all series of a family.
pub(crate) async fn family(gateway: &mut Gateway, name: &str) -> f64 {
    let figures = gateway.figures().await;
    let own = figures.0.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    own.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

/// Takes what a queue of its own gets of an event, without acknowledging it. The exchange must exist.
pub(crate) async fn tap(channel: &Channel, group: &str, event: &str) -> Consumer {
    let queue = format!("tap:{group}:{event}");
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await.unwrap();
    let options = QueueBindOptions::default();
    channel
        .queue_bind(queue.as_str().into(), group.into(), event.into(), options, FieldTable::default())
        .await
        .unwrap();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await.unwrap()
}

/// The bodies of a stream's entries.
pub(crate) async fn stream(redis: &Redis, key: &str) -> Vec<String> {
    let entries: Vec<(String, Vec<String>)> = redis.command(&["XRANGE", key, "-", "+"]).await;
    let body = |(_, fields): (String, Vec<String>)| fields.into_iter().nth(1).expect("a field with its value");
    entries.into_iter().map(body).collect()
}

/// Numbers as JavaScript has them.
pub(crate) fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(values) => values.into_iter().map(floats).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, floats(value))).collect(),
        other => other,
    }
}

/// A MessagePack string as the original writes it: with the shortest head of three.
pub(crate) fn msgpack(text: &str) -> Vec<u8> {
    let head = match text.len() {
        length @ 0..32 => vec![0xa0 | u8::try_from(length).unwrap()],
        length @ 32..65_536 => [&[0xda][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
        length => [&[0xdb][..], &u32::try_from(length).unwrap().to_be_bytes()].concat(),
    };
    [&head, text.as_bytes()].concat()
}
