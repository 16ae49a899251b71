//! When which shard may identify: <https://docs.discord.com/developers/events/gateway#identifying>.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::reserve::Reserve;
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

/// Why a shard that wants to identify may not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifyHold {
    /// No session starts are left.
    Exhausted,
    /// Those that are left are the reserve.
    Reserve,
    /// It identified too often lately.
    Breaker,
    /// It is another shard's turn, or its own at once.
    Turn,
}

impl IdentifyHold {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::Exhausted, Self::Reserve, Self::Breaker, Self::Turn];

    /// A name for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Reserve => "reserve",
            Self::Breaker => "breaker",
            Self::Turn => "turn",
        }
    }
}

/// Grants identifies to all shards of a bot: one per key every five seconds (the key is the shard's number modulo
/// `max_concurrency`), and none when what is left of the day's session starts is the reserve. Whoever uses them up has the token
/// reset by Discord.
///
/// Drive it: after a change, call [`poll_granted`](Self::poll_granted) until `None`, then sleep until
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct IdentifyLimiter {
    total: u32,
    remaining: u32,
    reserve: Reserve,
    resets_at: Instant,
    max_concurrency: NonZeroU32,
    /// In the order of their numbers, which is the order that Discord asks for; each with the time before which it shall not.
    waiting: BTreeMap<ShardId, Instant>,
    /// Grants whose key is not free yet, those of one key in order.
    recent: VecDeque<(Instant, ShardId)>,
    /// The last time that the caller told.
    now: Instant,
}

impl IdentifyLimiter {
    /// A limiter that starts with what Discord said at `now`, and does not spend the reserve.
    #[must_use]
    pub fn new(limit: SessionStartLimit, reserve: Reserve, now: Instant) -> Self {
        let SessionStartLimit { total, remaining, reset_after, max_concurrency } = limit;
        let resets_at = now + reset_after.min(LONGEST_RESET);
        let (waiting, recent) = (BTreeMap::new(), VecDeque::new());
        Self { total, remaining, reserve, resets_at, max_concurrency, waiting, recent, now }
    }

    /// Lets a shard wait for its turn, which does not come before that time. Asking twice is asking once; the later time holds.
    pub fn request(&mut self, shard: ShardId, not_before: Instant) {
        let held = self.waiting.entry(shard).or_insert(not_before);
        *held = not_before.max(*held);
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
        if self.available() == 0 {
            return None;
        }
        let busy: BTreeSet<u32> = self.recent.iter().map(|(_, shard)| self.key(*shard)).collect();
        let may = |(shard, not_before): (&ShardId, &Instant)| {
            (*not_before <= now && !busy.contains(&self.key(*shard))).then_some(*shard)
        };
        let granted = self.waiting.iter().find_map(may)?;
        self.waiting.remove(&granted);
        self.recent.push_back((now, granted));
        self.remaining -= 1;
        Some(granted)
    }

    /// The shard got its permit only now: from here on its key is busy.
    pub fn handed_over(&mut self, shard: ShardId, now: Instant) {
        if let Some((granted, _)) = self.recent.iter_mut().rev().find(|(_, recent)| *recent == shard) {
            *granted = now.max(*granted);
        }
    }

    /// When a waiting shard may identify at the earliest; in the past if it may now. `None` if none waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let earliest = if self.available() == 0 { self.resets_at } else { self.now };
        let free_at: BTreeMap<u32, Instant> =
            self.recent.iter().map(|(granted, shard)| (self.key(*shard), *granted + IDENTIFY_INTERVAL)).collect();
        let at = |(shard, not_before): (&ShardId, &Instant)| {
            let free_at = free_at.get(&self.key(*shard)).copied().unwrap_or(earliest);
            free_at.max(*not_before).max(earliest)
        };
        self.waiting.iter().map(at).min()
    }

    /// Session starts that are left, as far as known.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Those of them that are not spent.
    #[must_use]
    pub fn reserve(&self) -> u32 {
        self.reserve.of(self.total)
    }

    /// When Discord gives new ones, as far as known.
    #[must_use]
    pub fn resets_at(&self) -> Instant {
        self.resets_at
    }

    /// Shards that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Shards that wait for that reason. Each counts once, for the strongest one.
    #[must_use]
    pub fn held(&self, hold: IdentifyHold) -> usize {
        self.waiting.values().filter(|not_before| self.hold(**not_before) == hold).count()
    }

    fn hold(&self, not_before: Instant) -> IdentifyHold {
        if self.remaining == 0 {
            IdentifyHold::Exhausted
        } else if self.available() == 0 {
            IdentifyHold::Reserve
        } else if not_before > self.now {
            IdentifyHold::Breaker
        } else {
            IdentifyHold::Turn
        }
    }

    fn available(&self) -> u32 {
        self.remaining.saturating_sub(self.reserve())
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
        let mut limiter = IdentifyLimiter::new(limit(1000, 86_400, 16), Reserve::NONE, start);
        (0..32).rev().for_each(|shard| limiter.request(ShardId(shard), start));
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
        let mut limiter = IdentifyLimiter::new(limit(10, 86_400, 1), Reserve::NONE, now);
        for shard in [1, 1, 2] {
            limiter.request(ShardId(shard), now);
        }
        limiter.cancel(ShardId(1));
        assert_eq!(granted(&mut limiter, now), [2]);
        assert_eq!((limiter.remaining(), limiter.waiting()), (9, 0));
    }

    /// Conformance case 25, first part.
    #[test]
    fn nobody_identifies_before_the_limit_is_reset() {
        let start = Instant::now();
        let mut limiter = IdentifyLimiter::new(limit(1, 3600, 16), Reserve::NONE, start);
        limiter.request(ShardId(0), start);
        limiter.request(ShardId(1), start);
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
        let mut limiter = IdentifyLimiter::new(limit(5, 3600, 2), Reserve::NONE, start);
        limiter.request(ShardId(0), start);
        assert_eq!(granted(&mut limiter, start), [0]);
        limiter.update(limit(100, 3600, 1), start);
        limiter.request(ShardId(1), start);
        assert_eq!(granted(&mut limiter, start), [0; 0]);
        let next = limiter.poll_timeout().unwrap();
        assert!(next > start);
        assert_eq!(granted(&mut limiter, next), [1]);
    }

    #[test]
    fn a_limit_without_starts_is_no_busy_loop() {
        let start = Instant::now();
        let lie = SessionStartLimit { total: 0, reset_after: Duration::ZERO, ..limit(0, 0, 1) };
        let mut limiter = IdentifyLimiter::new(lie, Reserve::NONE, start);
        limiter.request(ShardId(0), start);
        assert_eq!(limiter.poll_granted(start), None);
        assert!(limiter.poll_timeout() > Some(start));
    }

    #[test]
    fn the_reserve_is_kept_until_the_limit_is_reset() {
        let start = Instant::now();
        let mut limiter = IdentifyLimiter::new(limit(51, 3600, 16), Reserve::default(), start);
        (0..3).for_each(|shard| limiter.request(ShardId(shard), start));
        assert_eq!(limiter.reserve(), 50);
        assert_eq!(granted(&mut limiter, start), [0]);
        assert_eq!(
            (limiter.remaining(), limiter.held(IdentifyHold::Reserve), limiter.held(IdentifyHold::Turn)),
            (50, 2, 0)
        );
        let reset = start + Duration::from_secs(3600);
        assert_eq!((limiter.poll_timeout(), limiter.resets_at()), (Some(reset), reset));
        assert_eq!(granted(&mut limiter, reset - Duration::from_millis(1)), [0; 0]);
        assert_eq!(granted(&mut limiter, reset), [1, 2]);
        assert_eq!(limiter.remaining(), 998);
    }

    #[test]
    fn a_held_shard_keeps_no_other_from_its_turn() {
        let start = Instant::now();
        let later = start + Duration::from_secs(20);
        let mut limiter = IdentifyLimiter::new(limit(1000, 3600, 1), Reserve::default(), start);
        limiter.request(ShardId(0), later);
        limiter.request(ShardId(1), start);
        assert_eq!(granted(&mut limiter, start), [1]);
        assert_eq!((limiter.held(IdentifyHold::Breaker), limiter.poll_timeout()), (1, Some(later)));
        // Asking again is no way around it.
        limiter.request(ShardId(0), start);
        assert_eq!(granted(&mut limiter, later - Duration::from_millis(1)), [0; 0]);
        assert_eq!(granted(&mut limiter, later), [0]);
    }

    #[test]
    fn five_seconds_count_from_when_the_permit_was_handed_over() {
        let start = Instant::now();
        let handed_over = start + Duration::from_secs(2);
        let mut limiter = IdentifyLimiter::new(limit(1000, 3600, 1), Reserve::NONE, start);
        limiter.request(ShardId(0), start);
        limiter.request(ShardId(1), start);
        assert_eq!(limiter.poll_granted(start), Some(ShardId(0)));
        limiter.handed_over(ShardId(0), handed_over);
        let next = limiter.poll_timeout().unwrap();
        assert!(next >= handed_over + Duration::from_secs(5));
        assert_eq!(granted(&mut limiter, next - Duration::from_millis(1)), [0; 0]);
        assert_eq!(granted(&mut limiter, next), [1]);
    }

    proptest! {
        #[test]
        fn a_key_is_granted_once_in_five_seconds_and_the_reserve_never(
            max_concurrency in 1_u32..5,
            reserve in prop_oneof![(0_u8..=100).prop_map(Reserve::Percent), (0_u32..60).prop_map(Reserve::Starts)],
            steps in proptest::collection::vec((0_u32..12, 0_u64..7_000, 0_u64..20_000, any::<bool>()), 1..60),
        ) {
            let mut now = Instant::now();
            let day = SessionStartLimit { total: 40, ..limit(30, 200, max_concurrency) };
            let mut limiter = IdentifyLimiter::new(day, reserve, now);
            let mut last = std::collections::HashMap::new();
            let mut holds = std::collections::HashMap::new();
            for (shard, milliseconds, hold, cancels) in steps {
                if cancels {
                    limiter.cancel(ShardId(shard));
                    holds.remove(&shard);
                } else {
                    let not_before = now + Duration::from_millis(hold);
                    limiter.request(ShardId(shard), not_before);
                    holds.entry(shard).and_modify(|held: &mut Instant| *held = not_before.max(*held)).or_insert(not_before);
                }
                now += Duration::from_millis(milliseconds);
                while let Some(shard) = limiter.poll_granted(now) {
                    prop_assert!(holds.remove(&shard.0).is_some_and(|not_before| not_before <= now));
                    prop_assert!(limiter.remaining() >= limiter.reserve());
                    if let Some(before) = last.insert(shard.0 % max_concurrency, now) {
                        prop_assert!(now - before >= Duration::from_secs(5));
                    }
                }
                prop_assert!(limiter.poll_timeout().is_none_or(|timeout| timeout > now));
                prop_assert_eq!(limiter.poll_timeout().is_none(), limiter.waiting() == 0);
                let held: usize = IdentifyHold::ALL.map(|hold| limiter.held(hold)).iter().sum();
                prop_assert_eq!(held, limiter.waiting());
            }
        }

        #[test]
        fn every_shard_has_its_turn_in_the_end(
            max_concurrency in 1_u32..5,
            reserve in (0_u32..60).prop_map(Reserve::Starts),
            holds in proptest::collection::vec(0_u64..2_000_000, 1..20),
        ) {
            let start = Instant::now();
            let day = SessionStartLimit { total: 40, ..limit(25, 200, max_concurrency) };
            let mut limiter = IdentifyLimiter::new(day, reserve, start);
            for (shard, hold) in (0..).zip(&holds) {
                limiter.request(ShardId(shard), start + Duration::from_millis(*hold));
            }
            let mut granted = 0;
            while let Some(next) = limiter.poll_timeout() {
                while limiter.poll_granted(next).is_some() {
                    granted += 1;
                }
                prop_assert!(limiter.poll_timeout().is_none_or(|timeout| timeout > next));
            }
            prop_assert_eq!(granted, holds.len());
        }
    }
}
