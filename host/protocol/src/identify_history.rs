//! Which shards identified lately, whatever process they were of, and what follows from it for the next time.

use std::time::Duration;

use crate::action::LossReason;
use crate::shard_id::ShardId;

/// A time that outlives the process: milliseconds since 1970, as the driver's wall clock tells them. Such clocks jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

impl WallTime {
    /// How long `earlier` is past; nothing if it is yet to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    const fn plus(self, time: Duration) -> Self {
        // Longer than any clock runs.
        Self(self.0.saturating_add(time.as_secs().saturating_mul(1000)))
    }
}

/// Why a shard identifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentifyReason {
    /// The process started, and knew no session to resume.
    Start,
    /// The session before was lost.
    Lost(LossReason),
    /// The identify before led to no session.
    Retry,
}

impl IdentifyReason {
    /// A name for metrics and records.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Lost(reason) => reason.label(),
            Self::Retry => "retry",
        }
    }
}

/// One identify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifyRecord {
    /// When.
    pub at: WallTime,
    /// Which shard.
    pub shard: ShardId,
    /// Why: the label of an [`IdentifyReason`], which may be one of another version.
    pub reason: String,
}

/// The identifies of the last day. A shard that identifies again and again must wait, although it is a new process each time.
#[derive(Debug, Clone, Default)]
pub struct IdentifyHistory {
    /// The oldest first.
    records: Vec<IdentifyRecord>,
}

/// How a shard that identifies again and again is slowed down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Its identifies one soon after the other.
    pub in_a_row: u32,
    /// How long it must wait for the next one. Zero if it may at once.
    pub wait: Duration,
}

impl IdentifyHistory {
    /// Takes what was kept, in any order. Of very many, the newest.
    #[must_use]
    pub fn new(records: impl IntoIterator<Item = IdentifyRecord>) -> Self {
        let mut records: Vec<_> = records.into_iter().collect();
        records.sort_by_key(|record| record.at);
        let mut history = Self { records };
        history.bound();
        history
    }

    /// Adds one.
    pub fn note(&mut self, record: IdentifyRecord, now: WallTime) {
        self.records.retain(|record| !is_over(record.at, now));
        let place = self.records.partition_point(|other| other.at <= record.at);
        self.records.insert(place, record);
        self.bound();
    }

    /// Those of the last day. One that is somewhat ahead is another machine's, whose clock is; one that is far ahead was written while
    /// a clock was wrong, and says nothing.
    pub fn last_day(&self, now: WallTime) -> impl Iterator<Item = &IdentifyRecord> {
        self.records.iter().filter(move |record| !is_over(record.at, now) && !is_ahead(record.at, now))
    }

    /// Those that are not used, because they are far ahead of the clock.
    pub fn ahead(&self, now: WallTime) -> impl Iterator<Item = &IdentifyRecord> {
        self.records.iter().filter(move |record| is_ahead(record.at, now))
    }

    /// How long a shard has to wait. It is never longer than half an hour, whatever clocks say.
    #[must_use]
    pub fn breaker(&self, shard: ShardId, now: WallTime) -> Breaker {
        let mut in_a_row = 0_u32;
        let mut last: Option<WallTime> = None;
        for record in self.last_day(now).filter(|record| record.shard == shard) {
            let at = record.at.min(now);
            // What lies between two is the pause that was imposed, and what the session was good for.
            let lasted = last.is_some_and(|last| at.since(last) >= pause_after(in_a_row) + LASTING);
            in_a_row = if lasted { 1 } else { in_a_row.saturating_add(1) };
            last = Some(at);
        }
        let wait = last.map_or(Duration::ZERO, |last| pause_after(in_a_row).saturating_sub(now.since(last)));
        Breaker { in_a_row, wait }
    }

    fn bound(&mut self) {
        self.records.drain(..self.records.len().saturating_sub(MOST_RECORDS));
    }
}

/// How long after the last of so many identifies in a row the next one may come.
fn pause_after(in_a_row: u32) -> Duration {
    match in_a_row.checked_sub(FREE) {
        Some(more) => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(more)).min(LONGEST_PAUSE),
        None => Duration::ZERO,
    }
}

fn is_over(at: WallTime, now: WallTime) -> bool {
    at.plus(DAY) < now
}

fn is_ahead(at: WallTime, now: WallTime) -> bool {
    at > now.plus(SKEW)
}

/// Discord counts session starts by the day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How far the clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(300);
/// Identifies in a row after which pauses begin.
const FREE: u32 = 4;
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// A session that worked for this long was no failure.
const LASTING: Duration = Duration::from_secs(600);
/// More than a bot of the largest kind starts in a day.
const MOST_RECORDS: usize = 65_536;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHARD: ShardId = ShardId(3);
    const NOW: WallTime = WallTime(1_800_000_000_000);

    fn record(at: WallTime) -> IdentifyRecord {
        IdentifyRecord { at, shard: SHARD, reason: "start".to_owned() }
    }

    fn before(seconds: u64) -> IdentifyRecord {
        record(WallTime(NOW.0 - seconds * 1000))
    }

    fn wait(records: impl IntoIterator<Item = IdentifyRecord>) -> u64 {
        IdentifyHistory::new(records).breaker(SHARD, NOW).wait.as_secs()
    }

    #[test]
    fn the_first_few_are_free_and_then_pauses_double() {
        for (identifies, pause) in
            [(0, 0), (1, 0), (3, 0), (4, 10), (5, 20), (6, 40), (11, 1280), (12, 1800), (500, 1800)]
        {
            assert_eq!(wait((0..identifies).map(|_| before(0))), pause, "after {identifies}");
        }
    }

    #[test]
    fn the_pause_counts_from_the_last_one() {
        assert_eq!(wait([9, 8, 7, 3].map(before)), 7);
        assert_eq!(wait([60, 50, 40, 30].map(before)), 0);
    }

    #[test]
    fn other_shards_do_not_count() {
        let others = (0..20).map(|_| IdentifyRecord { shard: ShardId(4), ..before(1) });
        assert_eq!(wait(others), 0);
    }

    #[test]
    fn a_session_that_lasted_ends_the_row() {
        assert_eq!(wait([4000, 3990, 3980, 3970, 3000, 1].map(before)), 0);
        let breaker = IdentifyHistory::new([4000, 3990, 3980, 3970, 3000, 1].map(before)).breaker(SHARD, NOW);
        assert_eq!(breaker.in_a_row, 1);
    }

    #[test]
    fn a_pause_is_no_session_that_lasted() {
        // Eleven in a row ask for 1280 s.
        let row = (0..11).map(|_| before(1290)).chain([before(0)]);
        assert_eq!(IdentifyHistory::new(row).breaker(SHARD, NOW).in_a_row, 12);
    }

    #[test]
    fn clocks_that_are_ahead_count_as_now_or_not_at_all() {
        let ahead = |seconds: u64| record(WallTime(NOW.0 + seconds * 1000));
        assert_eq!(wait((0..4).map(|_| ahead(60))), 10);
        assert_eq!(wait((0..4).map(|_| ahead(3600))), 0);
        let history = IdentifyHistory::new((0..4).map(|_| ahead(3600)));
        assert_eq!((history.ahead(NOW).count(), history.last_day(NOW).count()), (4, 0));
        assert_eq!(wait((0..4).map(|_| record(WallTime(u64::MAX)))), 0);
    }

    #[test]
    fn what_is_older_than_a_day_is_forgotten() {
        let day = DAY.as_secs();
        let mut history = IdentifyHistory::new([day + 1, day, 5].map(before));
        assert_eq!(history.last_day(NOW).count(), 2);
        history.note(before(0), NOW);
        assert_eq!(history.records.len(), 3);
    }

    /// Beside the pace within one process, which a new process does not know.
    #[test]
    fn a_day_of_crashes_costs_fewer_than_seventy_identifies() {
        let mut history = IdentifyHistory::default();
        let mut identifies = 0;
        // A process begins every second, and dies as soon as it has identified.
        for second in 0..DAY.as_secs() {
            let now = WallTime(NOW.0 + second * 1000);
            if history.breaker(SHARD, now).wait.is_zero() {
                history.note(record(now), now);
                identifies += 1;
            }
        }
        assert!((40..70).contains(&identifies), "{identifies}");
    }

    #[test]
    fn memory_is_bounded() {
        let mut history = IdentifyHistory::new((0..MOST_RECORDS as u64 + 5).map(|_| before(1)));
        history.note(before(0), NOW);
        assert_eq!(history.records.len(), MOST_RECORDS);
    }

    proptest! {
        #[test]
        fn no_history_and_no_clock_makes_a_shard_wait_for_longer_than_half_an_hour(
            times in proptest::collection::vec(any::<u64>(), 0..40),
            near in proptest::collection::vec(0_u64..100_000_000, 0..40),
            now in prop_oneof![any::<u64>(), Just(NOW.0)],
        ) {
            let near = near.into_iter().map(|time| NOW.0 - 50_000_000 + time);
            let history = IdentifyHistory::new(times.into_iter().chain(near).map(|time| record(WallTime(time))));
            let breaker = history.breaker(SHARD, WallTime(now));
            prop_assert!(breaker.wait <= LONGEST_PAUSE);
            prop_assert!(breaker.wait.is_zero() || breaker.in_a_row >= FREE);
        }

        #[test]
        fn waiting_as_long_as_it_says_is_enough(
            times in proptest::collection::vec(0_u64..4_000_000, 0..40),
        ) {
            let history = IdentifyHistory::new(times.into_iter().map(|time| record(WallTime(NOW.0 - time))));
            let wait = history.breaker(SHARD, NOW).wait;
            let then = WallTime(NOW.0 + u64::try_from(wait.as_millis()).unwrap());
            prop_assert!(history.breaker(SHARD, then).wait.is_zero());
        }
    }
}
