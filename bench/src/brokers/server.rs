//! A real server, and what can be seen of its contents without disturbing anybody.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gateway_simulator::Flood;
use gateway_tests::{RabbitMq, RabbitMqOptions, Redis, RedisOptions};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};

use super::{BrokerKind, GROUP, MARKER};
use crate::child::Measured;
use crate::subject::Target;

/// Where everything arrives. Its oldest messages are dropped.
pub(super) const EVENTS: &str = "bench-events";
/// Where each shard's last event arrives.
const MARKERS: &str = "bench-markers";
/// Messages in [`EVENTS`].
const LONGEST: u32 = 10_000;
/// How often the server is asked.
const PAUSE: Duration = Duration::from_millis(5);
/// For a run.
const PATIENCE: Duration = Duration::from_secs(600);

/// One server, which has a process of its own, and a connection to it.
pub(super) enum Server {
    Redis { server: Redis, connection: MultiplexedConnection },
    Amqp { server: Box<RabbitMq>, channel: Channel, _connection: Connection },
}

impl Server {
    /// Starts it, which takes RabbitMQ some seconds.
    pub(super) async fn start(kind: BrokerKind) -> anyhow::Result<Self> {
        Ok(match kind {
            BrokerKind::Redis => {
                let server = Redis::start(RedisOptions::default()).await;
                Self::Redis { connection: connect(&server.url()).await?, server }
            }
            BrokerKind::Amqp => {
                let server = Box::new(RabbitMq::start(RabbitMqOptions::default()).await);
                let connection = server.connect().await;
                let channel = connection.create_channel().await?;
                Self::Amqp { server, channel, _connection: connection }
            }
        })
    }

    pub(super) fn kind(&self) -> BrokerKind {
        match self {
            Self::Redis { .. } => BrokerKind::Redis,
            Self::Amqp { .. } => BrokerKind::Amqp,
        }
    }

    pub(super) fn url(&self) -> String {
        match self {
            Self::Redis { server, .. } => server.url(),
            Self::Amqp { server, .. } => server.url(),
        }
    }

    /// Empties it, and gets it ready for what this flood sends.
    pub(super) async fn prepare(&self, flood: &Flood) -> anyhow::Result<()> {
        match self {
            Self::Redis { connection, .. } => {
                let mut connection = connection.clone();
                let _: () = redis::cmd("FLUSHALL").arg("ASYNC").query_async(&mut connection).await?;
                let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut connection).await?;
            }
            Self::Amqp { channel, .. } => {
                let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
                channel.exchange_declare(GROUP.into(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
                let mut bounded = FieldTable::default();
                bounded.insert("x-max-length".into(), AMQPValue::LongUInt(LONGEST));
                declare(channel, EVENTS, flood.event_names(), bounded).await?;
                declare(channel, MARKERS, [MARKER], FieldTable::default()).await?;
            }
        }
        Ok(())
    }

    /// Waits until all that the flood sends has arrived by way of this process. The time from the first event to the last.
    pub(super) async fn filled(&self, target: &Target, process: &mut Measured) -> anyhow::Result<Duration> {
        let (begin, mut first) = (Instant::now(), None);
        while begin.elapsed() < PATIENCE && process.is_running()? {
            let (has_begun, is_complete) = match self {
                Self::Redis { connection, .. } => {
                    let appended = appended(connection).await?;
                    (appended > 0, appended >= target.events + 2 * u64::from(target.shards))
                }
                Self::Amqp { channel, .. } => (
                    first.is_some() || length(channel, EVENTS).await? > 0,
                    length(channel, MARKERS).await? >= target.shards,
                ),
            };
            if has_begun {
                let first = first.get_or_insert_with(Instant::now);
                if is_complete {
                    return Ok(first.elapsed());
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{} did not get all events", self.kind())
    }
}

/// A connection to Redis that waits for its answers: nothing here is urgent on a busy machine.
pub(super) async fn connect(url: &str) -> anyhow::Result<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    Ok(Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Entries that were appended since the figures were reset.
async fn appended(connection: &MultiplexedConnection) -> anyhow::Result<u64> {
    let text: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection.clone()).await?;
    let Some(rest) = text.split("cmdstat_xadd:calls=").nth(1) else { return Ok(0) };
    rest.split(',').next().and_then(|calls| calls.parse().ok()).context("INFO is not as expected")
}

async fn length(channel: &Channel, queue: &str) -> anyhow::Result<u32> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    Ok(channel.queue_declare(queue.into(), passive, FieldTable::default()).await?.message_count())
}

/// A queue of this connection, in memory, that gets these events.
async fn declare(
    channel: &Channel,
    queue: &str,
    events: impl IntoIterator<Item = &str>,
    arguments: FieldTable,
) -> anyhow::Result<()> {
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), exclusive, arguments).await?;
    for event in events {
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.into(), GROUP.into(), event.into(), options, FieldTable::default()).await?;
    }
    channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?;
    Ok(())
}
