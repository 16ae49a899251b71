//! When which shard may identify: <https://docs.discord.com/developers/events/gateway#identifying>.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::shard_id::ShardId;

/// `session_start_limit` of `GET /gateway/bot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStartLimit {
    /// Session starts per day.
    pub total: u32,
    /// Session starts that are left.
    pub remaining: u32,
    /// How long until all are available again.
    pub reset_after: Duration,
    /// How many shards may start at the same time: those whose numbers differ modulo this.
    pub max_concurrency: NonZeroU32,
}

/// Grants identifies to all shards of a bot: one per key every five seconds (the key is the shard's number modulo
/// `max_concurrency`), and none when the day's session starts are used up. Whoever uses them up has the token reset by Discord.
///
/// Drive it: after a change, call [`poll_granted`](Self::poll_granted) until `None`, then sleep until
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct IdentifyLimiter {
    total: u32,
    remaining: u32,
    resets_at: Instant,
    max_concurrency: NonZeroU32,
    /// In the order of their numbers, which is the order that Discord asks for.
    waiting: BTreeSet<ShardId>,
    /// Grants whose key is not free yet, the oldest first.
    recent: VecDeque<(Instant, ShardId)>,
    /// The last time that the caller told.
    now: Instant,
}

impl IdentifyLimiter {
    /// A limiter that starts with what Discord said at `now`.
    #[must_use]
    pub fn new(limit: SessionStartLimit, now: Instant) -> Self {
        let SessionStartLimit { total, remaining, reset_after, max_concurrency } = limit;
        let resets_at = now + reset_after.min(LONGEST_RESET);
        Self { total, remaining, resets_at, max_concurrency, waiting: BTreeSet::new(), recent: VecDeque::new(), now }
    }

    /// Lets a shard wait for its turn. Asking twice is asking once.
    pub fn request(&mut self, shard: ShardId) {
        self.waiting.insert(shard);
    }

    /// Takes a request back. It costs nothing.
    pub fn cancel(&mut self, shard: ShardId) {
        self.waiting.remove(&shard);
    }

    /// Takes over fresh figures.
    pub fn update(&mut self, limit: SessionStartLimit, now: Instant) {
        let SessionStartLimit { total, remaining, reset_after, max_concurrency } = limit;
        (self.total, self.remaining, self.max_concurrency) = (total, remaining, max_concurrency);
        self.resets_at = now + reset_after.min(LONGEST_RESET);
        self.now = now;
    }

    /// The next shard that may identify now. The permit is spent by this.
    pub fn poll_granted(&mut self, now: Instant) -> Option<ShardId> {
        self.now = now;
        self.recent.retain(|(granted, _)| *granted + IDENTIFY_INTERVAL > now);
        if now >= self.resets_at {
            self.remaining = self.total;
            self.resets_at = now + LONGEST_RESET;
        }
        if self.remaining == 0 {
            return None;
        }
        let busy: BTreeSet<u32> = self.recent.iter().map(|(_, shard)| self.key(*shard)).collect();
        let granted = self.waiting.iter().copied().find(|shard| !busy.contains(&self.key(*shard)))?;
        self.waiting.remove(&granted);
        self.recent.push_back((now, granted));
        self.remaining -= 1;
        Some(granted)
    }

    /// When a waiting shard may identify at the earliest; in the past if it may now. `None` if none waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let earliest = if self.remaining == 0 { self.resets_at } else { self.now };
        self.waiting.iter().map(|shard| self.key_free_at(*shard).max(earliest)).min()
    }

    /// Session starts that are left, as far as known.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Shards that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn key_free_at(&self, shard: ShardId) -> Instant {
        let key = self.key(shard);
        let last = self.recent.iter().rev().find(|(_, granted)| self.key(*granted) == key);
        last.map_or(self.now, |(granted, _)| *granted + IDENTIFY_INTERVAL)
    }

    fn key(&self, shard: ShardId) -> u32 {
        shard.0 % self.max_concurrency
    }
}

/// Discord's five seconds, and what the network may take away from them.
const IDENTIFY_INTERVAL: Duration = Duration::from_millis(5_250);
/// The session starts of a day come back after a day.
const LONGEST_RESET: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(remaining: u32, reset_after: u64, max_concurrency: u32) -> SessionStartLimit {
        SessionStartLimit {
            total: 1000,
            remaining,
            reset_after: Duration::from_secs(reset_after),
            max_concurrency: NonZeroU32::new(max_concurrency).unwrap(),
        }
    }

    fn granted(limiter: &mut IdentifyLimiter, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| limiter.poll_granted(now)).map(|shard| shard.0).collect()
    }

    /// Conformance case 6.
    #[test]
    fn shards_start_in_waves_by_their_key() {
        let start = Instant::now();
        let mut limiter = IdentifyLimiter::new(limit(1000, 86_400, 16), start);
        (0..32).rev().for_each(|shard| limiter.request(ShardId(shard)));
        assert_eq!(granted(&mut limiter, start), (0..16).collect::<Vec<_>>());
        let second_wave = limiter.poll_timeout().unwrap();
        assert!(second_wave >= start + Duration::from_secs(5));
        assert_eq!(granted(&mut limiter, second_wave - Duration::from_millis(1)), [0; 0]);
        assert_eq!(granted(&mut limiter, second_wave), (16..32).collect::<Vec<_>>());
        assert_eq!((limiter.poll_timeout(), limiter.waiting(), limiter.remaining()), (None, 0, 968));
    }

    #[test]
    fn a_request_counts_once_and_a_cancelled_one_not_at_all() {
        let now = Instant::now();
        let mut limiter = IdentifyLimiter::new(limit(10, 86_400, 1), now);
        for shard in [1, 1, 2] {
            limiter.request(ShardId(shard));
        }
        limiter.cancel(ShardId(1));
        assert_eq!(granted(&mut limiter, now), [2]);
        assert_eq!((limiter.remaining(), limiter.waiting()), (9, 0));
    }

    /// Conformance case 25, first part.
    #[test]
    fn nobody_identifies_before_the_limit_is_reset() {
        let start = Instant::now();
        let mut limiter = IdentifyLimiter::new(limit(1, 3600, 16), start);
        limiter.request(ShardId(0));
        limiter.request(ShardId(1));
        assert_eq!(granted(&mut limiter, start), [0]);
        let reset = start + Duration::from_secs(3600);
        assert_eq!(limiter.poll_timeout(), Some(reset));
        assert_eq!(granted(&mut limiter, reset - Duration::from_millis(1)), [0; 0]);
        assert_eq!(granted(&mut limiter, reset), [1]);
        assert_eq!(limiter.remaining(), 999);
    }

    #[test]
    fn fresh_figures_keep_the_distance() {
        let start = Instant::now();
        let mut limiter = IdentifyLimiter::new(limit(5, 3600, 2), start);
        limiter.request(ShardId(0));
        assert_eq!(granted(&mut limiter, start), [0]);
        limiter.update(limit(100, 3600, 1), start);
        limiter.request(ShardId(1));
        assert_eq!(granted(&mut limiter, start), [0; 0]);
        let next = limiter.poll_timeout().unwrap();
        assert!(next > start);
        assert_eq!(granted(&mut limiter, next), [1]);
    }

    #[test]
    fn a_limit_without_starts_is_no_busy_loop() {
        let start = Instant::now();
        let lie = SessionStartLimit { total: 0, reset_after: Duration::ZERO, ..limit(0, 0, 1) };
        let mut limiter = IdentifyLimiter::new(lie, start);
        limiter.request(ShardId(0));
        assert_eq!(limiter.poll_granted(start), None);
        assert!(limiter.poll_timeout() > Some(start));
    }

    proptest! {
        #[test]
        fn a_key_is_granted_once_in_five_seconds(
            max_concurrency in 1_u32..5,
            steps in proptest::collection::vec((0_u32..12, 0_u64..7_000, any::<bool>()), 1..60),
        ) {
            let mut now = Instant::now();
            let mut limiter = IdentifyLimiter::new(limit(40, 200, max_concurrency), now);
            let mut last = std::collections::HashMap::new();
            for (shard, milliseconds, cancels) in steps {
                if cancels { limiter.cancel(ShardId(shard)) } else { limiter.request(ShardId(shard)) }
                now += Duration::from_millis(milliseconds);
                while let Some(shard) = limiter.poll_granted(now) {
                    if let Some(before) = last.insert(shard.0 % max_concurrency, now) {
                        prop_assert!(now - before >= Duration::from_secs(5));
                    }
                }
                prop_assert!(limiter.poll_timeout().is_none_or(|timeout| timeout > now));
                prop_assert_eq!(limiter.poll_timeout().is_none(), limiter.waiting() == 0);
            }
        }
    }
}
