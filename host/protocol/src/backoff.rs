//! Exponential backoff with jitter, so that many shards that failed together do not come back together.

use std::time::Duration;

/// Delays that double from a first one up to a longest one.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

/// Why delays do not make a backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackoffError {
    /// The first delay is zero: it would never grow.
    #[error("the first delay must be longer than zero")]
    Zero,
    /// The longest delay is shorter than the first one.
    #[error("the longest delay must not be shorter than the first one")]
    Reversed,
}

impl Backoff {
    /// Between connections: half a second on average after the first loss, half a minute in a long outage.
    pub(crate) const RECONNECT: Self =
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(60), failures: 0 };

    /// Between identifies of a shard whose sessions do not last: with a quarter of an hour or more between them, a day of
    /// failures costs a shard fewer than 110 session starts.
    pub(crate) const IDENTIFY: Self =
        Self { first: Duration::from_secs(10), longest: Duration::from_secs(30 * 60), failures: 0 };

    /// A backoff that starts with at most `first` and ends with at most `longest`.
    ///
    /// # Errors
    ///
    /// If `first` is zero or longer than `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Result<Self, BackoffError> {
        if first.is_zero() {
            Err(BackoffError::Zero)
        } else if longest.as_nanos() < first.as_nanos() {
            Err(BackoffError::Reversed)
        } else {
            Ok(Self { first, longest, failures: 0 })
        }
    }

    /// Notes a failure. Answers with a delay from zero up to the current limit ("full jitter").
    pub fn next(&mut self, rng: &mut fastrand::Rng) -> Duration {
        self.raise().mul_f64(rng.f64())
    }

    /// As [`next`](Self::next), from half of the limit, where a delay of nearly zero must not happen.
    pub fn next_at_least_half(&mut self, rng: &mut fastrand::Rng) -> Duration {
        self.raise().mul_f64(0.5 + 0.5 * rng.f64())
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The current limit, which is higher from the next failure on.
    fn raise(&mut self) -> Duration {
        let limit = self.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        limit
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_that_make_no_backoff_are_refused() {
        let second = Duration::from_secs(1);
        assert_eq!(Backoff::new(Duration::ZERO, second).map(drop), Err(BackoffError::Zero));
        assert_eq!(Backoff::new(second, Duration::ZERO).map(drop), Err(BackoffError::Reversed));
        for constant in [Backoff::RECONNECT, Backoff::IDENTIFY] {
            assert!(Backoff::new(constant.first, constant.longest).is_ok());
        }
    }

    #[test]
    fn a_success_starts_over() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::RECONNECT;
        for _ in 0..20 {
            backoff.next(&mut rng);
        }
        backoff.reset();
        assert!(backoff.next(&mut rng) <= Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn delays_stay_in_their_bounds(seed in any::<u64>(), failures in 0_u32..100, first in 1_u64..10_000, more in 0_u64..10_000_000) {
            let (first, longest) = (Duration::from_millis(first), Duration::from_millis(first + more));
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut backoff = Backoff::new(first, longest).unwrap();
            backoff.failures = failures;
            let limit = first.saturating_mul(2_u32.saturating_pow(failures)).min(longest);
            prop_assert!(backoff.clone().next(&mut rng) <= limit);
            let delay = backoff.next_at_least_half(&mut rng);
            prop_assert!(delay >= limit.mul_f64(0.499) && delay <= limit);
        }
    }
}
