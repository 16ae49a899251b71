//! Which events of one session are settled: dropped by a filter, or confirmed by the broker.

use std::collections::VecDeque;

use gateway_protocol::Sequence;

/// The open events of one session, and the watermark below which nothing is open.
#[derive(Debug)]
pub struct Ledger {
    watermark: Sequence,
    /// In the order of their sequences.
    open: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    sequence: Sequence,
    bytes: usize,
    /// What the event still waits for: its lane, and each part that a capability has taken for it.
    waits_for: u32,
}

impl Ledger {
    /// A session of which everything up to `watermark` is settled.
    #[must_use]
    pub fn new(watermark: Sequence) -> Self {
        Self { watermark, open: VecDeque::new() }
    }

    /// Notes an event of `bytes` bytes that came in, and that its lane has it. False if it came before (it is not noted then).
    pub fn receive(&mut self, sequence: Sequence, bytes: usize) -> bool {
        let is_new = sequence > self.last();
        if is_new {
            self.open.push_back(Entry { sequence, bytes, waits_for: 1 });
        }
        is_new
    }

    /// Notes that a capability has taken a part for the event, which must be confirmed.
    pub fn hand_over(&mut self, sequence: Sequence) {
        if let Some(entry) = self.find(sequence) {
            entry.waits_for += 1;
        }
    }

    /// Notes that the lane has done with the event, or that one part of it is confirmed. Answers with the event's bytes if it is
    /// settled by this.
    pub fn settle(&mut self, sequence: Sequence) -> Option<usize> {
        let entry = self.find(sequence)?;
        entry.waits_for = entry.waits_for.checked_sub(1)?;
        let settled = (entry.waits_for == 0).then_some(entry.bytes);
        while let Some(entry) = self.open.pop_front_if(|entry| entry.waits_for == 0) {
            self.watermark = entry.sequence;
        }
        settled
    }

    /// The highest sequence with nothing open at or below it. Resuming from here misses nothing.
    #[must_use]
    pub fn watermark(&self) -> Sequence {
        self.watermark
    }

    /// The highest sequence that came in.
    #[must_use]
    pub fn last(&self) -> Sequence {
        self.open.back().map_or(self.watermark, |entry| entry.sequence)
    }

    /// Events that are not settled, and events above them.
    #[must_use]
    pub fn open_events(&self) -> usize {
        self.open.len()
    }

    fn find(&mut self, sequence: Sequence) -> Option<&mut Entry> {
        let first = self.open.front()?.sequence;
        // Without gaps, which are rare, the distance is the index.
        let distance = usize::try_from(sequence.0.checked_sub(first.0)?).ok()?;
        let index = match self.open.get(distance) {
            Some(entry) if entry.sequence == sequence => distance,
            _ => self.open.binary_search_by_key(&sequence, |entry| entry.sequence).ok()?,
        };
        self.open.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_watermark_waits_for_the_oldest_open_event() {
        let mut ledger = Ledger::new(Sequence(10));
        for sequence in [11, 12, 15] {
            assert!(ledger.receive(Sequence(sequence), 1));
        }
        assert!(ledger.settle(Sequence(12)).is_some());
        assert_eq!(ledger.watermark(), Sequence(10));
        assert!(ledger.settle(Sequence(11)).is_some());
        assert_eq!(ledger.watermark(), Sequence(12));
        assert!(ledger.settle(Sequence(15)).is_some());
        assert_eq!(ledger.watermark(), Sequence(15));
    }

    #[test]
    fn an_event_with_parts_waits_for_each() {
        let mut ledger = Ledger::new(Sequence(0));
        ledger.receive(Sequence(1), 7);
        ledger.hand_over(Sequence(1));
        ledger.hand_over(Sequence(1));
        assert_eq!(ledger.settle(Sequence(1)), None);
        assert_eq!(ledger.settle(Sequence(1)), None);
        assert_eq!(ledger.settle(Sequence(1)), Some(7));
        assert_eq!(ledger.settle(Sequence(1)), None);
    }

    #[test]
    fn a_repeated_event_is_not_noted() {
        let mut ledger = Ledger::new(Sequence(5));
        assert!(!ledger.receive(Sequence(5), 1));
        assert!(ledger.receive(Sequence(6), 1));
        assert!(!ledger.receive(Sequence(6), 1));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Receive { gap: u64 },
        HandOver(prop::sample::Index),
        Settle(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1..4_u64).prop_map(|gap| Step::Receive { gap }),
            any::<prop::sample::Index>().prop_map(Step::HandOver),
            any::<prop::sample::Index>().prop_map(Step::Settle),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Against a plain model: the watermark is the highest received sequence with nothing open at or below it.
        #[test]
        fn the_watermark_never_passes_an_open_event(steps in steps()) {
            let mut ledger = Ledger::new(Sequence(0));
            let mut waits: BTreeMap<u64, u32> = BTreeMap::new();
            let mut received = BTreeSet::from([0]);
            let mut last = 0;
            for step in steps {
                match step {
                    Step::Receive { gap } => {
                        last += gap;
                        received.insert(last);
                        waits.insert(last, 1);
                        prop_assert!(ledger.receive(Sequence(last), 1));
                    }
                    Step::HandOver(index) if !waits.is_empty() => {
                        let sequence = *waits.keys().nth(index.index(waits.len())).unwrap();
                        *waits.get_mut(&sequence).unwrap() += 1;
                        ledger.hand_over(Sequence(sequence));
                    }
                    Step::Settle(index) if !waits.is_empty() => {
                        let sequence = *waits.keys().nth(index.index(waits.len())).unwrap();
                        let open = waits.get_mut(&sequence).unwrap();
                        *open -= 1;
                        let settles = *open == 0;
                        if settles {
                            waits.remove(&sequence);
                        }
                        prop_assert_eq!(ledger.settle(Sequence(sequence)), settles.then_some(1));
                    }
                    Step::HandOver(_) | Step::Settle(_) => {}
                }
                let oldest_open = waits.keys().next().copied().unwrap_or(u64::MAX);
                let expected = received.range(..oldest_open).next_back().copied().unwrap();
                prop_assert_eq!(ledger.watermark(), Sequence(expected));
            }
        }
    }
}
