//! How many events of a lane are not settled, and since when: counted by the time they were taken, so that neither costs a look at
//! each shard.

use std::collections::VecDeque;
use std::time::Instant;

/// The events that were taken together. Wraps around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken(u32);

/// The open events of a lane.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The number of the first of `batches`.
    first: u32,
    /// When, and how many of them are open. The first is not 0.
    batches: VecDeque<(Instant, usize)>,
    events: usize,
}

impl Open {
    /// Notes an event that was taken at `now`, which never goes back.
    pub(super) fn take(&mut self, now: Instant) -> Taken {
        self.events += 1;
        match self.batches.back_mut() {
            Some((at, open)) if *at == now => *open += 1,
            _ => self.batches.push_back((now, 1)),
        }
        Taken(self.first.wrapping_add(u32::try_from(self.batches.len() - 1).unwrap_or_default()))
    }

    /// Notes that one of these events is settled.
    pub(super) fn settle(&mut self, taken: Taken) {
        let index = usize::try_from(taken.0.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        let Some((_, open)) = self.batches.get_mut(index).filter(|(_, open)| *open > 0) else { return };
        *open -= 1;
        self.events -= 1;
        while self.batches.pop_front_if(|(_, open)| *open == 0).is_some() {
            self.first = self.first.wrapping_add(1);
        }
    }

    /// How many there are.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// When the oldest of them was taken.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.batches.front().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn number_and_age_are_those_of_a_plain_list(first: u32, steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 0..3_u64), 1..200)) {
            let mut now = Instant::now();
            let mut open = Open { first, ..Open::default() };
            let mut list: Vec<(Instant, Taken)> = Vec::new();
            for (takes, index, seconds) in steps {
                now += Duration::from_secs(seconds);
                if takes || list.is_empty() {
                    list.push((now, open.take(now)));
                } else {
                    let (_, taken) = list.remove(index.index(list.len()));
                    open.settle(taken);
                }
                prop_assert_eq!(open.events(), list.len());
                prop_assert_eq!(open.oldest(), list.iter().map(|(at, _)| *at).min());
            }
        }
    }
}
