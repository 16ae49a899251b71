//! The broker's hold on a message that brought commands, until it is known what became of them.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What became of a message. Of several commands in one message, the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// All that it asked for is done.
    Done,
    /// It can never work.
    Refused,
    /// Nobody has dealt with it: it is for a later run, or for another gateway.
    Returned,
}

/// A share in an incoming message. When all shares are gone, the broker hears what became of it. A share that is dropped
/// without a word counts as [`Outcome::Returned`].
#[derive(Debug)]
pub struct Claim {
    inner: Arc<Inner>,
    outcome: Outcome,
}

type Settle = Box<dyn FnOnce(Outcome) + Send>;

struct Inner {
    worst: AtomicU8,
    /// `None` where nobody waits for the outcome.
    settle: Mutex<Option<Settle>>,
}

impl Claim {
    /// The first share. `settle` is called once, on whatever thread drops the last share, and must not wait.
    #[must_use]
    pub fn new(settle: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Self::with(Some(Box::new(settle)))
    }

    /// For a message whose broker does not ask.
    #[must_use]
    pub fn unasked() -> Self {
        Self::with(None)
    }

    /// Ends this share.
    pub fn finish(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    fn with(settle: Option<Settle>) -> Self {
        let inner = Inner { worst: AtomicU8::new(Outcome::Done as u8), settle: Mutex::new(settle) };
        Self { inner: Arc::new(inner), outcome: Outcome::Returned }
    }
}

/// Another share.
impl Clone for Claim {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), outcome: Outcome::Returned }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.inner.worst.fetch_max(self.outcome as u8, Ordering::AcqRel);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let settle = self.settle.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let worst = match *self.worst.get_mut() {
            0 => Outcome::Done,
            1 => Outcome::Refused,
            _ => Outcome::Returned,
        };
        if let Some(settle) = settle {
            settle(worst);
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inner").field("worst", &self.worst).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn claim() -> (Claim, mpsc::Receiver<Outcome>) {
        let (sender, outcomes) = mpsc::sync_channel(16);
        (Claim::new(move |outcome| sender.send(outcome).unwrap()), outcomes)
    }

    #[test]
    fn the_last_share_settles_with_the_worst_outcome() {
        for (second, expected) in [
            (Outcome::Done, Outcome::Done),
            (Outcome::Refused, Outcome::Refused),
            (Outcome::Returned, Outcome::Returned),
        ] {
            let (first, outcomes) = claim();
            let other = first.clone();
            other.finish(second);
            assert!(outcomes.try_recv().is_err(), "one share is left");
            first.finish(Outcome::Done);
            assert_eq!(outcomes.recv(), Ok(expected));
        }
    }

    #[test]
    fn a_share_that_is_lost_gives_the_message_back() {
        let (claim, outcomes) = claim();
        drop(claim);
        assert_eq!(outcomes.recv(), Ok(Outcome::Returned));
    }
}
