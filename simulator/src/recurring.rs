//! Faults that come back every so many events of a shard.

use std::{collections::HashMap, num::NonZeroU32};

use crate::fault::Fault;

#[derive(Default)]
pub(crate) struct Recurring(Vec<Entry>);

struct Entry {
    fault: Fault,
    /// The events of each shard since its last fault.
    events: HashMap<u32, u32>,
}

impl Recurring {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(Entry { fault, events: HashMap::new() });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts one more event of a shard. The faults that are due after it, each for once and this shard.
    pub(crate) fn count(&mut self, shard: u32) -> Vec<Fault> {
        let due = self.0.iter_mut().filter_map(|entry| entry.count(shard)).collect();
        self.0.retain(|entry| entry.fault.left != Some(0));
        due
    }
}

impl Entry {
    fn count(&mut self, shard: u32) -> Option<Fault> {
        if self.fault.shard.is_some_and(|wanted| wanted != shard) {
            return None;
        }
        let events = self.events.entry(shard).or_default();
        *events += 1;
        if *events < self.fault.every.map_or(1, NonZeroU32::get) {
            return None;
        }
        *events = 0;
        self.fault.left = self.fault.left.map(|left| left.saturating_sub(1));
        Some(self.fault.kind.clone().on_shard(shard).times(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultKind;

    fn recurring(fault: Fault, every: u32) -> Recurring {
        let mut recurring = Recurring::default();
        recurring.add(fault.every(NonZeroU32::new(every).unwrap()));
        recurring
    }

    #[test]
    fn each_shard_counts_its_own_events() {
        let mut recurring = recurring(FaultKind::Drop.until_cleared(), 2);
        let due: Vec<_> = [0, 1, 0, 0, 1, 0].map(|shard| recurring.count(shard)).into_iter().flatten().collect();
        assert_eq!(due, [0, 1, 0].map(|shard| FaultKind::Drop.on_shard(shard)));
    }

    #[test]
    fn it_keeps_to_its_shard_and_its_number() {
        let mut recurring = recurring(FaultKind::Drop.on_shard(1).times(2), 1);
        let due = [0, 1, 1, 0, 1, 1].map(|shard| recurring.count(shard).len());
        assert_eq!(due, [0, 1, 1, 0, 0, 0]);
    }
}
