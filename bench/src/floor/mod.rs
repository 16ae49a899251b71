//! The floor: read, inflate, hand on, and nothing else. What the gateway does beyond it is what the benchmark shows.

mod amqp;
mod feed;
mod pipe;
mod redis;

use std::future::Future;

use tokio::task::{JoinSet, LocalSet};

pub(crate) use pipe::Buffering;

use crate::brokers::BrokerKind;

/// Connects `shards` times and writes what comes in to STDOUT, a line for each payload, until it is stopped from outside.
pub(crate) fn to_pipe(flood: &str, shards: u32, buffering: Buffering) -> anyhow::Result<()> {
    run(async {
        let output = pipe::output();
        let pump = |shard| pipe::pump(flood.to_owned(), shard, shards, output.clone(), buffering);
        all((0..shards).map(pump)).await
    })
}

/// The same into a broker, as the gateway publishes by default, without READY's own handling or any check.
pub(crate) fn to_broker(flood: &str, shards: u32, kind: BrokerKind, server: &str) -> anyhow::Result<()> {
    run(async {
        match kind {
            BrokerKind::Redis => {
                let connection = redis::connect(server).await?;
                all((0..shards).map(|shard| redis::pump(flood.to_owned(), shard, shards, connection.clone()))).await
            }
            BrokerKind::Amqp => {
                let connection = amqp::connect(server).await?;
                let mut pumps = Vec::new();
                for shard in 0..shards {
                    pumps.push(amqp::pump(flood.to_owned(), shard, shards, amqp::channel(&connection).await?));
                }
                all(pumps).await
            }
        }
    })
}

fn run(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}

async fn all(
    pumps: impl IntoIterator<Item = impl Future<Output = anyhow::Result<()>> + 'static>,
) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    for pump in pumps {
        running.spawn_local(pump);
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}
