//! How long to wait before trying again.

use std::time::Duration;

/// Delays that double with each failure, from a tenth of a second to ten seconds, each shortened at random to between half and
/// all of it, so that many clients of a server that was away do not come back together.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Notes a failure, and waits.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_delay()).await;
    }

    /// Notes a failure. Answers with the delay that follows it.
    pub fn next_delay(&mut self) -> Duration {
        let limit = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        limit.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_start_over() {
        let mut backoff = Backoff::default();
        for failures in 0..100 {
            let limit = FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST);
            let delay = backoff.next_delay();
            assert!(delay >= limit.mul_f64(0.49) && delay <= limit, "{delay:?} after {failures}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= FIRST);
    }
}
