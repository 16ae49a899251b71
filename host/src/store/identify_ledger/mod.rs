//! Which shards identified when and why, kept beside the sessions, so that the next process knows.

mod line;
mod local;
mod redis;

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use gateway_protocol::{IdentifyRecord, WallTime};

pub use self::local::LocalLedger;
pub use self::redis::RedisLedger;

/// Where identifies are kept.
#[derive(Debug)]
pub enum IdentifyLedger {
    /// Files on this machine.
    Local(LocalLedger),
    /// A Redis server, for the gateways of all machines.
    Redis(RedisLedger),
}

impl IdentifyLedger {
    /// Keeps these, and returns when nothing but the loss of the disk or server can take them away, or after two seconds.
    ///
    /// # Errors
    /// If they are not kept, or nobody knows. The text says where and why.
    pub async fn append(&mut self, records: &[IdentifyRecord]) -> anyhow::Result<()> {
        let appended = tokio::time::timeout(PATIENCE, async {
            match self {
                Self::Local(ledger) => ledger.append(records).await,
                Self::Redis(ledger) => ledger.append(records).await,
            }
        });
        appended.await.map_err(|_| anyhow!("it took longer than {} s", PATIENCE.as_secs()))?.context("not written")
    }
}

/// The time by this machine's clock.
#[must_use]
pub fn wall_time() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// How long an identify waits for its record. Longer than a disk or a server takes that works.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a record is of use: Discord counts by the day.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// When records begin to be of use.
fn kept_from(now: WallTime) -> WallTime {
    WallTime(now.0.saturating_sub(KEPT.as_secs() * 1000))
}
