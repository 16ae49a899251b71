//! What a start would cost now, found out without starting anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use gateway_protocol::{
    IdentifyHistory, IdentifyLimiter, IdentifyRecord, Reserve, SessionStartLimit, ShardId, WallTime,
};

use super::plan::shards;
use crate::config::{Config, StoreType};
use crate::connection::RedisAddress;
use crate::discord::Rest;
use crate::store::{self, BotKey, LocalLedger, LocalStore, RedisLedger, RedisStore, SessionStore as _};

/// What would happen at a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The shards of the whole bot.
    pub shard_count: u32,
    /// Those that this gateway runs.
    pub shards: usize,
    /// Those that have a session to resume, and how long ago it was saved, as far as known.
    pub resuming: BTreeMap<ShardId, Option<Duration>>,
    /// Those that start a session.
    pub identifying: BTreeSet<ShardId>,
    /// What Discord says about session starts.
    pub limit: SessionStartLimit,
    /// How many of the starts that are left are not taken.
    pub reserve: u32,
    /// How many shards wait because what is left is the reserve, or nothing.
    pub waiting: usize,
    /// How often shards start at the same time, one after the other.
    pub waves: u32,
    /// How long it takes until the last one identifies; `None` if Discord allows none ever.
    pub last_identify: Option<Duration>,
    /// Whether identifies are on record: they are where sessions are kept.
    pub has_ledger: bool,
    /// How many identifies of the last 24 hours are on record, by their reasons.
    pub recorded: BTreeMap<String, usize>,
    /// Those that would wait because they identified too often, how often in a row, and for how long.
    pub held: BTreeMap<ShardId, (u32, Duration)>,
}

impl Forecast {
    /// Asks Discord and looks into the store, of which it takes no lock and in which it changes nothing.
    ///
    /// # Errors
    /// If Discord or the store cannot be asked. The text says what to do.
    pub async fn ask(config: &Config) -> anyhow::Result<Self> {
        let info = Rest::new(&config.api, &config.token)?.gateway_bot().await?;
        let (count, ids) = shards(config, &info);
        let stored = Stored::look(config, count.get(), &ids).await?;
        let resuming: BTreeMap<_, _> = stored.sessions.into_iter().collect();
        let identifying = ids.iter().copied().filter(|id| !resuming.contains_key(id)).collect();
        let start = Start {
            shard_count: count.get(),
            resuming,
            identifying,
            limit: info.session_start_limit,
            has_ledger: config.shard_store.kind != StoreType::Memory,
        };
        Ok(start.forecast(config.identify_reserve, &IdentifyHistory::new(stored.records), store::wall_time()))
    }

    /// Whether nothing but `max_concurrency` and the breaker keeps shards waiting.
    #[must_use]
    pub fn is_affordable(&self) -> bool {
        self.waiting == 0
    }
}

/// What begins, before it is known how long it takes.
struct Start {
    shard_count: u32,
    resuming: BTreeMap<ShardId, Option<Duration>>,
    identifying: BTreeSet<ShardId>,
    limit: SessionStartLimit,
    has_ledger: bool,
}

impl Start {
    /// Lets the limiter run ahead of time.
    fn forecast(self, reserve: Reserve, history: &IdentifyHistory, wall: WallTime) -> Forecast {
        let now = Instant::now();
        let mut limiter = IdentifyLimiter::new(self.limit, reserve, now);
        let reserve = limiter.reserve();
        let available = self.limit.remaining.saturating_sub(reserve);
        let mut held = BTreeMap::new();
        for shard in &self.identifying {
            let breaker = history.breaker(*shard, wall);
            if !breaker.wait.is_zero() {
                held.insert(*shard, (breaker.in_a_row, breaker.wait));
            }
            limiter.request(*shard, now + breaker.wait);
        }
        let mut recorded = BTreeMap::new();
        for record in history.last_day(wall) {
            *recorded.entry(record.reason.clone()).or_default() += 1;
        }
        let (waves, last_identify) = run_ahead(limiter, now);
        Forecast {
            shard_count: self.shard_count,
            shards: self.resuming.len() + self.identifying.len(),
            waiting: self.identifying.len().saturating_sub(usize::try_from(available).unwrap_or(usize::MAX)),
            resuming: self.resuming,
            identifying: self.identifying,
            limit: self.limit,
            reserve,
            waves,
            last_identify,
            has_ledger: self.has_ledger,
            recorded,
            held,
        }
    }
}

/// How often shards are granted at the same time, and when the last is; `None` if not all ever are.
fn run_ahead(mut limiter: IdentifyLimiter, now: Instant) -> (u32, Option<Duration>) {
    let (mut waves, mut last) = (0, Duration::ZERO);
    while let Some(then) = limiter.poll_timeout() {
        if limiter.poll_granted(then).is_none() {
            // Not even after the reset.
            return (waves, None);
        }
        while limiter.poll_granted(then).is_some() {}
        waves += 1;
        last = then.saturating_duration_since(now);
    }
    (waves, Some(last))
}

/// What the store has.
#[derive(Debug, Default)]
struct Stored {
    sessions: Vec<(ShardId, Option<Duration>)>,
    records: Vec<IdentifyRecord>,
}

impl Stored {
    async fn look(config: &Config, count: u32, ids: &[ShardId]) -> anyhow::Result<Self> {
        match config.shard_store.kind {
            StoreType::Memory => Ok(Self::default()),
            StoreType::Local => {
                let directory = config.shard_store.path.clone().unwrap_or_else(store::default_directory);
                let bot = BotKey::new(config.token.expose(), &config.api.host);
                Ok(Self {
                    sessions: LocalStore::look(&directory, &bot, count, ids.iter().copied()),
                    records: LocalLedger::look(&directory, &bot, ids.iter().copied()),
                })
            }
            StoreType::Redis => {
                let address = RedisAddress::new(&config.redis)?;
                let prefix = &config.shard_store.prefix;
                let opening = RedisStore::open(address.clone(), prefix, count, ids.iter().copied());
                let opened = tokio::time::timeout(REDIS, opening).await.with_context(|| {
                    format!("Redis at {address}, which knows the sessions (shard_store.type), does not answer")
                })?;
                let found = opened?.found().into_iter();
                let sessions = found.filter_map(|(shard, found)| found.session.map(|_| (shard, None))).collect();
                Ok(Self { sessions, records: RedisLedger::new(address, prefix).read(store::wall_time()).await? })
            }
        }
    }
}

/// How long Redis may take to come back.
const REDIS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const NOW: WallTime = WallTime(1_800_000_000_000);

    fn forecast(identifying: u32, remaining: u32, records: Vec<IdentifyRecord>) -> Forecast {
        start(identifying, remaining).forecast(Reserve::default(), &IdentifyHistory::new(records), NOW)
    }

    fn start(identifying: u32, remaining: u32) -> Start {
        Start {
            shard_count: 40,
            resuming: (identifying..40).map(|shard| (ShardId(shard), None)).collect(),
            identifying: (0..identifying).map(ShardId).collect(),
            limit: SessionStartLimit {
                total: 1000,
                remaining,
                reset_after: Duration::from_secs(3600),
                max_concurrency: NonZeroU32::new(16).unwrap(),
            },
            has_ledger: true,
        }
    }

    fn record(shard: u32, reason: &str) -> IdentifyRecord {
        IdentifyRecord { at: WallTime(NOW.0 - 1000), shard: ShardId(shard), reason: reason.to_owned() }
    }

    #[test]
    fn a_start_takes_as_many_waves_as_a_key_has_shards() {
        let forecast = forecast(33, 1000, Vec::new());
        assert_eq!((forecast.waves, forecast.waiting, forecast.reserve), (3, 0, 50));
        assert_eq!(forecast.last_identify, Some(Duration::from_millis(10_500)));
        assert!(forecast.is_affordable());
    }

    #[test]
    fn a_start_that_only_resumes_costs_nothing() {
        let forecast = forecast(0, 0, Vec::new());
        assert_eq!((forecast.waves, forecast.last_identify), (0, Some(Duration::ZERO)));
        assert!(forecast.is_affordable());
    }

    #[test]
    fn what_the_reserve_keeps_back_waits_for_the_reset() {
        let forecast = forecast(4, 52, Vec::new());
        assert_eq!(forecast.waiting, 2);
        assert_eq!(forecast.last_identify, Some(Duration::from_secs(3600)));
        assert!(!forecast.is_affordable());
    }

    #[test]
    fn the_record_is_counted_and_holds_shards_back() {
        let records = vec![record(0, "start"); 4].into_iter().chain([record(1, "invalidated"), record(39, "start")]);
        let forecast = forecast(2, 1000, records.collect());
        assert_eq!(forecast.recorded, BTreeMap::from([("invalidated".into(), 1), ("start".into(), 5)]));
        assert_eq!(forecast.held, BTreeMap::from([(ShardId(0), (4, Duration::from_secs(9)))]));
        assert_eq!(forecast.last_identify, Some(Duration::from_secs(9)));
        assert!(forecast.is_affordable());
    }

    #[test]
    fn a_limit_that_allows_nothing_ever_is_told() {
        let mut start = start(1, 0);
        start.limit.total = 0;
        let forecast = start.forecast(Reserve::NONE, &IdentifyHistory::default(), NOW);
        assert_eq!(forecast.last_identify, None);
        assert!(!forecast.is_affordable());
    }
}
