//! The ledger in Redis: one sorted set for the gateways of all machines.

use anyhow::{Context as _, anyhow};
use futures_util::future::try_join_all;
use gateway_protocol::{IdentifyRecord, WallTime};
use redis::{Cmd, RedisError};

use super::{KEPT, kept_from, line, wall_time};
use crate::connection::{Connection, RedisAddress, to_mend};

/// Records that are kept and read, the newest.
const MOST: isize = 65_536;

/// Records of one bot's shards, by the time. It is connected when it is needed.
#[derive(Debug)]
pub struct RedisLedger {
    address: RedisAddress,
    key: String,
    /// While it works.
    connection: Option<Connection>,
}

impl RedisLedger {
    /// A ledger beside the sessions of that prefix.
    #[must_use]
    pub fn new(address: RedisAddress, prefix: &str) -> Self {
        Self { address, key: format!("{prefix}identifies"), connection: None }
    }

    /// The records of the last day, in any order. What cannot be read is told in the log, and the rest is used.
    ///
    /// # Errors
    /// If Redis does not answer, or refuses. The text says what to do.
    pub async fn read(&mut self, now: WallTime) -> anyhow::Result<Vec<IdentifyRecord>> {
        let mut ask = redis::cmd("ZREVRANGEBYSCORE");
        ask.arg(&self.key).arg("+inf").arg(kept_from(now).0).arg("LIMIT").arg(0).arg(MOST);
        let answer = tokio::time::timeout(super::PATIENCE, async {
            let mut connection = self.connected().await?;
            let lines = ask.query_async::<Vec<Vec<u8>>>(&mut connection).await?;
            self.connection = Some(connection);
            Ok(lines)
        });
        let answer = answer.await.map_err(|_| anyhow!("no answer within {} s", super::PATIENCE.as_secs()));
        let lines = answer
            .and_then(|lines| lines.map_err(|error: RedisError| self.explained(&error)))
            .with_context(|| format!("Redis at {}", self.address))?;
        let (mut records, mut first) = (Vec::new(), None);
        for line in &lines {
            match line::read(line) {
                Ok(record) => records.push(record),
                Err(why) => drop(first.get_or_insert(why)),
            }
        }
        if let Some(why) = first {
            let (unused, all) = (lines.len() - records.len(), lines.len());
            tracing::warn!(
                "Redis at {}: {unused} of {all} entries of the key `{}` are not used: {why}",
                self.address,
                self.key
            );
        }
        Ok(records)
    }

    /// Returns when the server has them.
    ///
    /// # Errors
    /// If it does not answer, or refuses. The text says what to do.
    pub(super) async fn append(&mut self, records: &[IdentifyRecord]) -> anyhow::Result<()> {
        let additions = self.additions(records);
        let was_idle = self.connection.is_some();
        let mut written = self.attempt(&additions).await;
        // An idle connection may have died unnoticed.
        if was_idle && written.is_err() {
            written = self.attempt(&additions).await;
        }
        written.map_err(|error| self.explained(&error)).with_context(|| format!("Redis at {}", self.address))
    }

    /// Adding one twice is adding it once.
    fn additions(&self, records: &[IdentifyRecord]) -> Vec<Cmd> {
        let mut add = redis::cmd("ZADD");
        add.arg(&self.key);
        for record in records {
            add.arg(record.at.0).arg(line::write(record));
        }
        let over = format!("({}", kept_from(wall_time()).0);
        let by_age = redis::cmd("ZREMRANGEBYSCORE").arg(&self.key).arg("-inf").arg(over).take();
        let by_number = redis::cmd("ZREMRANGEBYRANK").arg(&self.key).arg(0).arg(-MOST - 1).take();
        // A bot that is given up leaves nothing behind.
        let ends = redis::cmd("EXPIRE").arg(&self.key).arg(KEPT.as_secs()).take();
        vec![add, by_age, by_number, ends]
    }

    async fn attempt(&mut self, commands: &[Cmd]) -> Result<(), RedisError> {
        let connection = self.connected().await?;
        let run = |command: &Cmd| {
            let (command, mut connection) = (command.clone(), connection.clone());
            async move { command.exec_async(&mut connection).await }
        };
        try_join_all(commands.iter().map(run)).await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// The connection that there is, or a new one. It is taken, so that it is gone when something goes wrong.
    async fn connected(&mut self) -> Result<Connection, RedisError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.address.connect().await,
        }
    }

    fn explained(&self, error: &RedisError) -> anyhow::Error {
        let key = &self.key;
        match error.code() {
            Some("WRONGTYPE") => anyhow!(
                "the key `{key}` holds no sorted set, so it is somebody else's: set another `shard_store.prefix` \
                 (SHARD_STORE_PREFIX), or delete it if nobody needs it"
            ),
            Some("NOPERM") => anyhow!(
                "the user of redis.urls lacks a permission: it needs ZADD, ZREVRANGEBYSCORE, ZREMRANGEBYSCORE, \
                 ZREMRANGEBYRANK and EXPIRE on the key `{key}` ({error})"
            ),
            _ => anyhow!(to_mend(error).unwrap_or_else(|| error.to_string())),
        }
    }
}
