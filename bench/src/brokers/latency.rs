//! How long an event takes.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use gateway_simulator::{Flood, FloodOptions};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions};
use lapin::types::FieldTable;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands as _, Value};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::server::{EVENTS, Server, connect};
use super::subject::Subject;
use super::{BrokerKind, MARKER};
use crate::ROUNDS;
use crate::subject::Target;

/// Events in a second.
pub(super) const PACE: u32 = 2000;
/// Events of one run.
const EVENTS_PER_RUN: u64 = 16_000;
/// Those that do not count: the consumer may have begun behind them.
const WARM_UP: usize = 2_000;
/// For a run.
const PATIENCE: Duration = Duration::from_secs(60);
/// For what Redis has to say while nothing comes.
const BLOCK: usize = 1000;

/// Half of the events, and all but a hundredth, took no longer.
#[derive(Debug, Clone, Copy)]
struct Percentiles {
    half: Duration,
    most: Duration,
}

/// Measures each subject, and prints a line for it.
pub(super) fn measure(runtime: &Runtime, server: &Server, subjects: &[Subject]) -> anyhow::Result<()> {
    let options = FloodOptions {
        events_per_shard: EVENTS_PER_RUN,
        marker: MARKER.to_owned(),
        pace: NonZeroU32::new(PACE),
        ..FloodOptions::default()
    };
    let flood = runtime.block_on(Flood::start(options)).context("the flood cannot start")?;
    let mut best: Vec<Option<Percentiles>> = vec![None; subjects.len()];
    for _ in 0..ROUNDS {
        for (subject, best) in subjects.iter().zip(&mut best) {
            let run = run(server, &flood, subject);
            let seen = runtime
                .block_on(async { timeout(PATIENCE, run).await.context("not all events have come")? })
                .with_context(|| format!("{subject} into {}", server.kind()))?;
            if best.is_none_or(|best| seen.most < best.most) {
                *best = Some(seen);
            }
        }
    }
    for (subject, best) in subjects.iter().zip(best) {
        let Some(Percentiles { half, most }) = best else { continue };
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        println!("{:<10}{subject:<28}{:>10.2}{:>10.2}", server.kind(), milliseconds(half), milliseconds(most));
    }
    runtime.block_on(flood.shutdown());
    Ok(())
}

async fn run(server: &Server, flood: &Flood, subject: &Subject) -> anyhow::Result<Percentiles> {
    server.prepare(flood).await?;
    let home = TempDir::new()?;
    let process = subject.start(server, &Target::of(flood, 1), home.path())?;
    let mut received = Vec::new();
    match server.kind() {
        BrokerKind::Redis => read(server, flood, &mut received).await?,
        BrokerKind::Amqp => consume(server, &mut received).await?,
    }
    process.stop()?;
    percentiles(&flood.written(), &received)
}

/// When which event came.
type Received = Vec<(usize, Instant)>;

/// Reads all streams until the last event has come.
async fn read(server: &Server, flood: &Flood, received: &mut Received) -> anyhow::Result<()> {
    let mut connection = connect(&server.url()).await?;
    let options = StreamReadOptions::default().block(BLOCK);
    let keys: Vec<&str> = flood.event_names().collect();
    let mut last = vec!["0".to_owned(); keys.len()];
    loop {
        let reply: Option<StreamReadReply> = connection.xread_options(&keys, &last, &options).await?;
        let now = Instant::now();
        for stream in reply.into_iter().flat_map(|reply| reply.keys) {
            let place = keys.iter().position(|key| *key == stream.key).context("a stream that nobody asked for")?;
            for entry in stream.ids {
                if let Some(Value::BulkString(body)) = entry.map.get("data") {
                    received.extend(number(body).map(|number| (number, now)));
                }
                if let Some(last) = last.get_mut(place) {
                    *last = entry.id;
                }
            }
        }
        if received.len() as u64 >= EVENTS_PER_RUN {
            return Ok(());
        }
    }
}

/// Consumes until the last event has come.
async fn consume(server: &Server, received: &mut Received) -> anyhow::Result<()> {
    let Server::Amqp { channel, .. } = server else { bail!("this is no AMQP server") };
    let (options, tag) = (BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() }, "bench");
    let mut consumer = channel.basic_consume(EVENTS.into(), tag.into(), options, FieldTable::default()).await?;
    while (received.len() as u64) < EVENTS_PER_RUN {
        let delivery = consumer.next().await.context("the queue is gone")??;
        received.extend(number(&delivery.data).map(|number| (number, Instant::now())));
    }
    Ok(channel.basic_cancel(tag.into(), BasicCancelOptions::default()).await?)
}

/// The number that a paced flood gives its events.
fn number(body: &[u8]) -> Option<usize> {
    let start = memchr::memmem::rfind(body, NUMBER)? + NUMBER.len();
    std::str::from_utf8(body.get(start..body.len() - 1)?).ok()?.parse().ok()
}

const NUMBER: &[u8] = br#","flood_number":"#;

fn percentiles(written: &[Instant], received: &Received) -> anyhow::Result<Percentiles> {
    let counted = received.iter().filter(|(number, _)| *number >= WARM_UP);
    let mut times = counted
        .map(|(number, at)| written.get(*number).map(|written| at.duration_since(*written)))
        .collect::<Option<Vec<Duration>>>()
        .context("an event came that was never written")?;
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().context("no event counts");
    Ok(Percentiles { half: at(0.5)?, most: at(0.99)? })
}
