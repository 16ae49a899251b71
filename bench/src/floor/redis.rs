//! The floor into Redis: pipelines of `XADD` with the bare client, several on their way.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline};
use tokio::task::JoinSet;

use super::feed::{Feed, data, event};
use crate::brokers::RETENTION;

/// Commands of one pipeline.
const BATCH: usize = 256;
/// Pipelines of one connection to the flood that are on their way.
const IN_FLIGHT: usize = 8;
/// For the answer to a pipeline.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn connect(server: &str) -> anyhow::Result<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    Ok(Client::open(server)?.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Appends what one connection brings.
pub(super) async fn pump(
    flood: String,
    shard: u32,
    shards: u32,
    connection: MultiplexedConnection,
) -> anyhow::Result<()> {
    let mut feed = Feed::connect(&flood, shard, shards).await?;
    let (data, mut body) = (data(), Vec::new());
    let mut batch = Pipeline::with_capacity(BATCH);
    let mut oldest = String::new();
    let mut in_flight = JoinSet::new();
    loop {
        // What has gathered goes out before waiting.
        let is_more = batch.len() < BATCH && feed.try_next().await?;
        if !is_more {
            if !batch.is_empty() {
                let batch = std::mem::replace(&mut batch, Pipeline::with_capacity(BATCH));
                if in_flight.len() == IN_FLIGHT {
                    settle(in_flight.join_next().await)?;
                }
                in_flight.spawn_local(send(batch, connection.clone()));
            }
            while let Some(ended) = in_flight.try_join_next() {
                settle(Some(ended))?;
            }
            feed.next().await?;
        }
        let Some((name, data)) = event(feed.payload(), &data) else { continue };
        if batch.is_empty() {
            oldest = milliseconds(SystemTime::now() - RETENTION)?;
        }
        body.clear();
        write_string(data, &mut body)?;
        batch.cmd("XADD").arg(name).arg("MINID").arg("~").arg(&oldest).arg("*").arg("data").arg(&body[..]).ignore();
    }
}

async fn send(batch: Pipeline, mut connection: MultiplexedConnection) -> redis::RedisResult<()> {
    batch.query_async(&mut connection).await
}

fn settle(ended: Option<Result<redis::RedisResult<()>, tokio::task::JoinError>>) -> anyhow::Result<()> {
    ended.context("nothing was on its way")???;
    Ok(())
}

fn milliseconds(time: SystemTime) -> anyhow::Result<String> {
    Ok(time.duration_since(UNIX_EPOCH)?.as_millis().to_string())
}

/// A MessagePack string.
fn write_string(text: &[u8], output: &mut Vec<u8>) -> anyhow::Result<()> {
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(length @ ..32), _) => output.push(0xa0 | length),
        (Ok(length), _) => output.extend_from_slice(&[0xd9, length]),
        (_, Ok(length)) => {
            output.push(0xda);
            output.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            output.push(0xdb);
            output.extend_from_slice(&u32::try_from(text.len())?.to_be_bytes());
        }
    }
    output.extend_from_slice(text);
    Ok(())
}
