//! What a gateway runs: which shards, with which budgets and identity, and where their sessions are kept.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gateway_protocol::{Identity, Session, ShardCount, ShardId, ShardOptions};

use crate::config::{self, Config, StoreType};
use crate::connection::RedisAddress;
use crate::delivery::Budget;
use crate::discord::{GatewayInfo, GatewayUrl};
use crate::store::{self, BotKey, CheckpointWriter, LocalStore, RedisStore};
use crate::telemetry::Metrics;

/// Which shards run, and with what.
pub(super) struct Plan {
    /// Of the whole bot.
    pub(super) count: ShardCount,
    /// Those of this gateway, each with the budget of its events.
    pub(super) shards: Vec<(ShardId, Arc<Budget>)>,
    identity: Arc<Identity>,
    patience: Option<Duration>,
    silence: Option<Duration>,
}

impl Plan {
    pub(super) fn new(config: &Config, info: &GatewayInfo, metrics: &Metrics) -> anyhow::Result<Self> {
        let (count, ids) = shards(config, info);
        let whole = Budget::new(config.buffer.total);
        metrics.queue_limits(config.buffer.per_shard, config.buffer.total);
        metrics.running_shards(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        let limit = info.session_start_limit;
        tracing::info!(
            "running {} of {count} shards; {} of {} session starts left today, {} at a time",
            ids.len(),
            limit.remaining,
            limit.total,
            limit.max_concurrency
        );
        let shards = ids.into_iter().map(|id| (id, whole.part(config.buffer.per_shard))).collect::<Vec<_>>();
        for (id, budget) in &shards {
            let budget = Arc::clone(budget);
            metrics.watch_queue(*id, move || budget.used());
        }
        let count = ShardCount::new(count.get()).context("there are no shards")?;
        Ok(Self {
            count,
            shards,
            identity: Arc::new(identity(config)?),
            patience: config.buffer.patience,
            silence: config.silence,
        })
    }

    /// What a shard is and identifies with.
    pub(super) fn options(&self, id: ShardId) -> ShardOptions {
        ShardOptions {
            id,
            count: self.count,
            identity: Arc::clone(&self.identity),
            patience: self.patience,
            silence: self.silence,
        }
    }

    /// What may be resumed of a session that was stored. `base` is where Discord says that its gateway is.
    pub(super) fn resumable(session: Session, base: &GatewayUrl) -> Session {
        // Whoever can write to the store must not learn the token.
        let resume_url = session.resume_url.filter(|url| url.parse().is_ok_and(|url| base.is_neighbour(&url)));
        Session { resume_url, ..session }
    }

    /// What the adapter is opened with.
    pub(super) fn adapter_config(&self, config: &Config) -> serde_json::Value {
        let ids: Vec<_> = self.shards.iter().map(|(id, _)| id.0).collect();
        config.broker.component_config(self.count.get(), &ids)
    }

    /// Where sessions are kept. Waits for a server that is away. `None` if they are not kept.
    pub(super) async fn open_store(
        &self,
        config: &Config,
        metrics: &Metrics,
    ) -> anyhow::Result<Option<CheckpointWriter>> {
        let ids = self.shards.iter().map(|(id, _)| *id);
        let started = match config.shard_store.kind {
            StoreType::Memory => return Ok(None),
            StoreType::Local => match open_local(config, self.count, ids)? {
                Some(store) => CheckpointWriter::start(store, config.shard_store.pace, metrics.checkpoints()),
                None => return Ok(None),
            },
            StoreType::Redis => {
                let address = RedisAddress::new(&config.redis)?;
                let store = RedisStore::open(address, &config.shard_store.prefix, self.count.get(), ids).await?;
                CheckpointWriter::start(store, config.shard_store.pace, metrics.checkpoints())
            }
        };
        Ok(Some(started.context("the system refuses a thread for checkpoints")?))
    }
}

/// Which shards this gateway runs, of how many.
pub(super) fn shards(config: &Config, info: &GatewayInfo) -> (NonZeroU32, Vec<ShardId>) {
    let (count, ids) = match &config.shards {
        config::Shards::Recommended => (info.shards, None),
        config::Shards::All { count } => (*count, None),
        config::Shards::Subset { count, ids } => (*count, Some(ids.clone())),
    };
    (count, ids.unwrap_or_else(|| (0..count.get()).map(ShardId).collect()))
}

fn open_local(
    config: &Config,
    count: ShardCount,
    ids: impl Iterator<Item = ShardId>,
) -> anyhow::Result<Option<LocalStore>> {
    let directory = config.shard_store.path.clone().unwrap_or_else(store::default_directory);
    let bot = BotKey::new(config.token.expose(), &config.api.host);
    match LocalStore::open(&directory, &bot, count.get(), ids) {
        Ok(store) => Ok(Some(store)),
        // Nobody asked for this place. A read-only container still runs, as the original did.
        Err(error @ store::StoreError::NotWritable { .. }) if config.shard_store.path.is_none() => {
            tracing::warn!("{error}. For now, sessions are not kept");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What shards identify with.
pub(super) fn identity(config: &Config) -> anyhow::Result<Identity> {
    let identity = Identity {
        token: config.token.expose().to_owned(),
        intents: config.intents.bits().into(),
        presence: config.presence.as_ref().map(config::Presence::to_json),
        large_threshold: config.large_threshold,
    };
    identity.validate()?;
    Ok(identity)
}
