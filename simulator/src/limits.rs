//! Counters behind the limits: sends, session starts, requests in a window.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

use crate::options::{SendLimiter, SessionStarts};

/// At most so many in a window.
pub(crate) struct Window {
    limit: u32,
    length: Duration,
    kind: SendLimiter,
    taken: VecDeque<Instant>,
}

impl Window {
    pub(crate) fn new(limit: u32, length: Duration, kind: SendLimiter) -> Self {
        Self { limit, length, kind, taken: VecDeque::new() }
    }

    /// Counts one more at `now`; `false` if it is one too many.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        match self.kind {
            SendLimiter::Sliding => {
                while self.taken.front().is_some_and(|at| *at + self.length <= now) {
                    self.taken.pop_front();
                }
            }
            SendLimiter::Fixed => {
                if self.taken.front().is_some_and(|at| *at + self.length <= now) {
                    self.taken.clear();
                }
            }
        }
        let allowed = self.taken.len() < usize::try_from(self.limit).unwrap_or(usize::MAX);
        if allowed {
            self.taken.push_back(now);
        }
        allowed
    }

    /// How many are left at `now`, and when the window is over.
    pub(crate) fn left(&self, now: Instant) -> (u32, Duration) {
        let live = self.taken.iter().filter(|at| **at + self.length > now).count();
        let reset = self.taken.front().map_or(self.length, |at| (*at + self.length).saturating_duration_since(now));
        (self.limit.saturating_sub(u32::try_from(live).unwrap_or(u32::MAX)), reset)
    }
}

/// The daily budget of session starts.
pub(crate) struct Ledger {
    total: u32,
    remaining: u32,
    resets: Instant,
}

impl Ledger {
    pub(crate) fn new(starts: SessionStarts, now: Instant) -> Self {
        Self { total: starts.total, remaining: starts.remaining, resets: now + starts.reset_after }
    }

    /// Spends one start; `false` if none was left.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        self.refill(now);
        let left = self.remaining > 0;
        self.remaining = self.remaining.saturating_sub(1);
        left
    }

    pub(crate) fn at(&mut self, now: Instant) -> SessionStarts {
        self.refill(now);
        SessionStarts {
            total: self.total,
            remaining: self.remaining,
            reset_after: self.resets.saturating_duration_since(now),
        }
    }

    fn refill(&mut self, now: Instant) {
        if now >= self.resets {
            self.remaining = self.total;
            self.resets = now + Duration::from_secs(24 * 60 * 60);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted_of(kind: SendLimiter, seconds: &[u64]) -> Vec<bool> {
        let start = Instant::now();
        let mut window = Window::new(2, Duration::from_secs(60), kind);
        seconds.iter().map(|second| window.take(start + Duration::from_secs(*second))).collect()
    }

    #[test]
    fn a_fixed_window_starts_anew_and_a_sliding_one_forgets_one_by_one() {
        assert_eq!(accepted_of(SendLimiter::Fixed, &[0, 50, 55, 61, 62]), [true, true, false, true, true]);
        assert_eq!(accepted_of(SendLimiter::Sliding, &[0, 50, 55, 61, 62]), [true, true, false, true, false]);
    }

    #[test]
    fn a_spent_budget_is_full_again_after_the_reset() {
        let now = Instant::now();
        let starts = SessionStarts { total: 5, remaining: 1, reset_after: Duration::from_secs(10) };
        let mut ledger = Ledger::new(starts, now);
        assert!(ledger.spend(now));
        assert!(!ledger.spend(now));
        assert_eq!(ledger.at(now + Duration::from_secs(10)).remaining, 5);
    }
}
