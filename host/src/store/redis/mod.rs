//! The store in Redis: keys of the original gateway, and others beside.

#[cfg(test)]
mod crash_tests;
mod keys;
mod save;
mod stored;

use std::time::{Duration, SystemTime};

use anyhow::bail;
use futures_util::future::join_all;
use gateway_protocol::ShardId;
use redis::RedisError;

use self::keys::Keys;
use self::save::Details;
use self::stored::{Failure, Stored};
use super::{SessionStore, ShardCheckpoint, Unsaved};
use crate::connection::{Backoff, Connection, RedisAddress, to_mend};
use crate::delivery::Checkpoint;

/// Sessions of one bot's shards in Redis. It does not notice another gateway that runs the same shards.
#[derive(Debug)]
pub struct RedisStore {
    address: RedisAddress,
    prefix: String,
    /// Over how many shards the bot is spread.
    count: u32,
    /// As they were found.
    found: Vec<ShardCheckpoint>,
    /// While it works.
    connection: Option<Connection>,
}

impl RedisStore {
    /// Looks up the sessions of these of the bot's `count` shards. Waits until Redis answers, however long that is, and says so
    /// in the log; dropping the future ends that. Keys that cannot be used are a gap, with a warning.
    ///
    /// # Errors
    /// If the server refuses what only its operator can mend. The text says what to do.
    pub async fn open(
        address: RedisAddress,
        prefix: &str,
        count: u32,
        shards: impl IntoIterator<Item = ShardId>,
    ) -> anyhow::Result<Self> {
        let shards: Vec<_> = shards.into_iter().collect();
        let mut store = Self { address, prefix: prefix.to_owned(), count, found: Vec::new(), connection: None };
        let mut backoff = Backoff::default();
        let found = loop {
            let error = match store.find(&shards).await {
                Ok(found) => break found,
                Err(error) => error,
            };
            if let Some(advice) = store.advice(&error) {
                bail!("the sessions in Redis at {} cannot be read: {advice}", store.address);
            }
            // At first, then about once a minute.
            if backoff.failures().is_multiple_of(QUIET) {
                tracing::warn!(
                    "waiting for Redis at {}, which knows the sessions (shard_store.type), before shards start: {error}",
                    store.address
                );
            }
            backoff.wait().await;
        };
        store.found = shards.iter().copied().zip(found).collect();
        let found = store.found.iter().filter(|(_, checkpoint)| checkpoint.session.is_some()).count();
        tracing::info!("Redis at {} has sessions of {found} of {} shards", store.address, shards.len());
        Ok(store)
    }

    /// What there is of each shard. What cannot be used is told in the log.
    async fn find(&self, shards: &[ShardId]) -> Result<Vec<Checkpoint>, RedisError> {
        // It belongs to the caller's runtime; the writer has one of its own.
        let connection = self.address.connect().await?;
        let checkpoints = shards.iter().map(|shard| self.load(&connection, *shard));
        within(ANSWERS, join_all(checkpoints)).await?.into_iter().collect()
    }

    async fn load(&self, connection: &Connection, shard: ShardId) -> Result<Checkpoint, RedisError> {
        let keys = Keys::new(&self.prefix, shard);
        let (checkpoint, unusable) = match Stored::read_consistently(connection, &keys).await {
            Ok(stored) => stored.checkpoint(&keys, self.count),
            Err(Failure::Redis(error)) => return Err(error),
            Err(other) => {
                warn_of_unusable(shard, &other);
                return Ok(Checkpoint::unreadable());
            }
        };
        unusable.iter().for_each(|reason| warn_of_unusable(shard, reason));
        Ok(checkpoint)
    }

    /// Saves over the connection that there is, or a new one. It is kept if it works.
    async fn attempt(&mut self, changes: &[ShardCheckpoint]) -> Result<Vec<Result<(), Failure>>, RedisError> {
        // Taken, so that it is gone when this is cut short.
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.address.connect().await?,
        };
        let saves = changes.iter().map(|(shard, checkpoint)| self.save(connection.clone(), *shard, checkpoint));
        let outcomes = within(ANSWERS, join_all(saves)).await?;
        if !is_broken(&outcomes) {
            self.connection = Some(connection);
        }
        Ok(outcomes)
    }

    async fn save(&self, connection: Connection, shard: ShardId, checkpoint: &Checkpoint) -> Result<(), Failure> {
        let keys = Keys::new(&self.prefix, shard);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let details = Details { count: self.count, saved_at: now.as_millis() };
        match connection {
            Connection::Single(connection) => save::at_once(connection, &keys, checkpoint, details).await,
            Connection::Cluster(connection) => save::in_order(connection, &keys, checkpoint, details).await,
        }
    }

    /// What the operator has to do about an error, if it does not go away by itself.
    fn advice(&self, error: &RedisError) -> Option<String> {
        match error.code() {
            Some("MOVED" | "CROSSSLOT") if !self.address.is_cluster() => {
                Some(format!("it is a node of a cluster: name two or more of its nodes in redis.urls ({error})"))
            }
            Some("NOPERM") => Some(format!(
                "the user of redis.urls lacks a permission: it needs GET, SET, DEL, TYPE, EVALSHA and SCRIPT LOAD on keys that \
                 begin with `{}` ({error})",
                self.prefix
            )),
            Some("OOM") => Some(format!("its memory is full: raise its maxmemory, or use another server ({error})")),
            Some("READONLY") => Some(format!("it is a replica: name its master in redis.urls ({error})")),
            _ => to_mend(error),
        }
    }

    fn reason(&self, error: &RedisError) -> String {
        let advice = self.advice(error).unwrap_or_else(|| error.to_string());
        format!("Redis at {}: {advice}", self.address)
    }
}

impl SessionStore for RedisStore {
    fn found(&self) -> Vec<ShardCheckpoint> {
        self.found.clone()
    }

    async fn save_all(&mut self, changes: &[ShardCheckpoint]) -> Result<(), Unsaved> {
        let was_idle = self.connection.is_some();
        let mut outcomes = self.attempt(changes).await;
        // An idle connection may have died unnoticed.
        if was_idle && outcomes.as_ref().map_or(true, |outcomes| is_broken(outcomes)) {
            outcomes = self.attempt(changes).await;
        }
        let shards = changes.iter().map(|(shard, _)| *shard);
        match outcomes {
            Ok(outcomes) => Unsaved::check(shards.zip(outcomes).filter_map(|(shard, outcome)| match outcome {
                Ok(()) => None,
                Err(Failure::Redis(error)) => Some((shard, self.reason(&error))),
                Err(other) => Some((shard, other.to_string())),
            })),
            Err(error) => Err(Unsaved { shards: shards.collect(), reason: self.reason(&error) }),
        }
    }
}

fn warn_of_unusable(shard: ShardId, reason: &dyn std::fmt::Display) {
    tracing::warn!(shard = shard.0, "what Redis has of the shard is not used, so a new session starts: {reason}");
}

/// Whether a new connection may do better.
fn is_broken(outcomes: &[Result<(), Failure>]) -> bool {
    outcomes.iter().any(|outcome| matches!(outcome, Err(Failure::Redis(_))))
}

async fn within<T>(limit: Duration, answers: impl Future<Output = T>) -> Result<T, RedisError> {
    let timeout =
        |_| std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs()));
    Ok(tokio::time::timeout(limit, answers).await.map_err(timeout)?)
}

/// How long all answers of a round may take.
const ANSWERS: Duration = Duration::from_secs(5);
/// Failures to wait for Redis between two lines in the log.
const QUIET: u32 = 8;
