//! The record of identifies in the store, for a start.

use gateway_protocol::{IdentifyHistory, ShardId};

use crate::config::{Config, StoreType};
use crate::connection::RedisAddress;
use crate::store::{self, BotKey, IdentifyLedger, LocalLedger, RedisLedger};

/// Opens the ledger beside the sessions of these shards, whose store must be open, and reads it. What cannot be read is a warning: it
/// must not keep a bot from its start.
///
/// # Errors
/// If the configuration cannot work.
pub(super) async fn open(
    config: &Config,
    shards: impl Iterator<Item = ShardId>,
) -> anyhow::Result<(Option<IdentifyLedger>, IdentifyHistory)> {
    let now = store::wall_time();
    let (ledger, records) = match config.shard_store.kind {
        StoreType::Memory => return Ok((None, IdentifyHistory::default())),
        StoreType::Local => {
            let directory = config.shard_store.path.clone().unwrap_or_else(store::default_directory);
            let bot = BotKey::new(config.token.expose(), &config.api.host);
            let (ledger, records) = LocalLedger::open(&directory, &bot, shards, now);
            (IdentifyLedger::Local(ledger), records)
        }
        StoreType::Redis => {
            let mut ledger = RedisLedger::new(RedisAddress::new(&config.redis)?, &config.shard_store.prefix);
            let records = ledger.read(now).await.unwrap_or_else(|error| {
                tracing::warn!("nobody knows how often shards identified lately, so that crash loops are slowed down late: {error:#}");
                Vec::new()
            });
            (IdentifyLedger::Redis(ledger), records)
        }
    };
    let history = IdentifyHistory::new(records);
    let ahead = history.ahead(now).count();
    if ahead > 0 {
        tracing::warn!(
            "{ahead} identifies on record are more than 5 minutes ahead of this machine's clock and are not used: a clock was or is wrong"
        );
    }
    Ok((Some(ledger), history))
}
