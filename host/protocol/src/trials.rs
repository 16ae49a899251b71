//! How long a shard keeps trying with a session, and how often with a new one.

use std::time::{Duration, Instant};

use crate::backoff::Backoff;

/// The attempts to resume the current session since it last worked.
#[derive(Debug, Default)]
pub(crate) struct ResumeTrials {
    failures: u32,
    first_failure: Option<Instant>,
    is_last_chance: bool,
}

impl ResumeTrials {
    /// Notes that a resume failed. True if the session should be given up.
    pub(crate) fn fail(&mut self, now: Instant) -> bool {
        self.failures += 1;
        let since = *self.first_failure.get_or_insert(now);
        self.is_last_chance || self.failures >= MAX_FAILURES || now.saturating_duration_since(since) >= PATIENCE
    }

    /// The next failure is the last one.
    pub(crate) fn allow_one_more(&mut self) {
        self.is_last_chance = true;
    }

    /// Missed events came, so the session works.
    pub(crate) fn note_progress(&mut self) {
        self.failures = 0;
        self.first_failure = None;
    }

    /// Nothing was tried for that long, so it does not count.
    pub(crate) fn forgive(&mut self, time: Duration) {
        self.first_failure = self.first_failure.map(|since| since + time);
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Spaces a shard's identifies, so that sessions that never last don't use up the day's session starts.
#[derive(Debug)]
pub(crate) struct IdentifyPace {
    backoff: Backoff,
    not_before: Option<Instant>,
    /// Since when the current session has worked.
    working_since: Option<Instant>,
}

impl IdentifyPace {
    pub(crate) fn new() -> Self {
        Self { backoff: Backoff::IDENTIFY, not_before: None, working_since: None }
    }

    /// Notes that an identify is being sent.
    pub(crate) fn note_identify(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        self.not_before = Some(now + self.backoff.next_at_least_half(rng));
    }

    /// Notes that the session works.
    pub(crate) fn note_working(&mut self, now: Instant) {
        self.working_since.get_or_insert(now);
    }

    /// Notes that the session is lost.
    pub(crate) fn note_lost(&mut self, now: Instant) {
        let worked = self.working_since.take().map(|since| now.saturating_duration_since(since));
        if worked.is_some_and(|worked| worked >= LASTING) {
            self.backoff.reset();
        }
    }

    /// When the next identify may be sent.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }
}

/// Failures after which a session is given up, however quickly they came.
const MAX_FAILURES: u32 = 10;
/// How long a session that cannot be resumed is tried. Discord has been seen to answer after about as long.
const PATIENCE: Duration = Duration::from_secs(90);
/// A session that worked for this long was no failure.
const LASTING: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_given_up_by_number_by_time_or_at_its_last_chance() {
        let start = Instant::now();
        let mut by_number = ResumeTrials::default();
        assert_eq!((0..MAX_FAILURES).filter(|_| by_number.fail(start)).count(), 1);

        let mut by_time = ResumeTrials::default();
        assert!(!by_time.fail(start) && !by_time.fail(start + PATIENCE / 2) && by_time.fail(start + PATIENCE));

        let mut last_chance = ResumeTrials::default();
        last_chance.allow_one_more();
        assert!(last_chance.fail(start));
    }

    #[test]
    fn progress_renews_the_patience() {
        let start = Instant::now();
        let mut trials = ResumeTrials::default();
        trials.fail(start);
        trials.note_progress();
        assert!(!trials.fail(start + PATIENCE));
    }

    #[test]
    fn only_a_lasting_session_resets_the_pace() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut now = Instant::now();
        let mut pace = IdentifyPace::new();
        for _ in 0..20 {
            pace.note_identify(now, &mut rng);
            pace.note_working(now);
            pace.note_lost(now + LASTING / 2);
            now = pace.not_before().unwrap();
        }
        pace.note_identify(now, &mut rng);
        assert!(pace.not_before().unwrap() >= now + LASTING);
        pace.note_working(now);
        pace.note_lost(now + LASTING);
        pace.note_identify(now, &mut rng);
        assert!(pace.not_before().unwrap() <= now + Duration::from_secs(10));
    }
}
