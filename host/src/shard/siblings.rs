//! What the shards of a process have heard, so that each can compare itself with the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The count of one shard, beside that of all. It is touched at heartbeats only.
#[derive(Debug)]
pub struct Siblings {
    all: Arc<AtomicU64>,
    own: u64,
    is_alone: bool,
}

impl Siblings {
    /// For each of `count` shards its own.
    pub fn new(count: usize) -> impl Iterator<Item = Self> {
        let all = Arc::new(AtomicU64::new(0));
        (0..count).map(move |_| Self { all: Arc::clone(&all), own: 0, is_alone: count == 1 })
    }

    /// This shard has heard so many events more. Answers how many the others have heard so far; `None` if there are no others.
    pub(super) fn heard(&mut self, events: u64) -> Option<u64> {
        self.own += events;
        let all = self.all.fetch_add(events, Ordering::Relaxed) + events;
        (!self.is_alone).then(|| all.saturating_sub(self.own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_is_told_of_the_others() {
        let mut shards: Vec<_> = Siblings::new(2).collect();
        assert_eq!(shards[0].heard(3), Some(0));
        assert_eq!(shards[1].heard(5), Some(3));
        assert_eq!(shards[0].heard(1), Some(5));
        assert_eq!(Siblings::new(1).next().unwrap().heard(7), None);
    }
}
