//! How far the shards of a lane are: their sessions, what is settled, and what may be checkpointed.

use std::collections::VecDeque;
use std::sync::Arc;

use gateway_protocol::{Sequence, Session, ShardId};

use crate::delivery::{Budget, Ledger};

/// Says which event a confirmation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The shard's place in its lane.
    slot: usize,
    /// Sequences start anew with each session.
    generation: u32,
    sequence: Sequence,
}

/// A session and the point from which it can be resumed with nothing missing. That point is 0 until the first event is settled:
/// such a session cannot be resumed, but a later run knows of it, and says what is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The shard.
    pub shard: ShardId,
    /// With the watermark as its sequence; `None` when there is nothing to resume.
    pub session: Option<Session>,
}

/// The state of all shards of a lane.
#[derive(Debug)]
pub(super) struct Progress {
    /// In the order of their numbers.
    shards: Vec<ShardProgress>,
}

#[derive(Debug)]
struct ShardProgress {
    shard: ShardId,
    budget: Arc<Budget>,
    generation: u32,
    /// The current session, until it ends.
    session: Option<Session>,
    /// The current session's ledger last; before it those of earlier sessions with open events.
    ledgers: VecDeque<(u32, Ledger)>,
}

impl Progress {
    /// The shards of a lane, each with the budget that its settled events give back to.
    pub(super) fn new(shards: impl IntoIterator<Item = (ShardId, Arc<Budget>)>) -> Self {
        let progress =
            |(shard, budget)| ShardProgress { shard, budget, generation: 0, session: None, ledgers: VecDeque::new() };
        let mut shards: Vec<_> = shards.into_iter().map(progress).collect();
        shards.sort_by_key(|progress| progress.shard);
        Self { shards }
    }

    /// A session begins, or goes on after a restart from its sequence.
    pub(super) fn start_session(&mut self, shard: ShardId, session: Session) -> Option<Checkpoint> {
        let slot = self.slot(shard)?;
        let progress = self.shards.get_mut(slot)?;
        progress.generation += 1;
        progress.ledgers.retain(|(_, ledger)| ledger.open_events() > 0);
        progress.ledgers.push_back((progress.generation, Ledger::new(session.sequence)));
        progress.session = Some(session.clone());
        Some(Checkpoint { shard, session: Some(session) })
    }

    pub(super) fn end_session(&mut self, shard: ShardId) -> Option<Checkpoint> {
        let slot = self.slot(shard)?;
        self.shards.get_mut(slot)?.session = None;
        Some(Checkpoint { shard, session: None })
    }

    /// Notes an event that came in. `None` if the shard has no session, which no shard's driver does.
    pub(super) fn receive(&mut self, shard: ShardId, sequence: Sequence, bytes: usize) -> Option<Receipt> {
        let slot = self.slot(shard)?;
        let progress = self.shards.get_mut(slot)?;
        let Some((generation, ledger)) = progress.ledgers.back_mut() else {
            progress.budget.release(bytes);
            return None;
        };
        if !ledger.receive(sequence, bytes) {
            progress.budget.release(bytes);
        }
        Some(Receipt { slot, generation: *generation, sequence })
    }

    /// Notes that a capability has taken a part for the event.
    pub(super) fn hand_over(&mut self, receipt: Receipt) {
        if let Some(ledger) = self.ledger(receipt) {
            ledger.hand_over(receipt.sequence);
        }
    }

    /// Notes that the lane has done with the event, or that one part of it is confirmed. True if it is settled by this.
    pub(super) fn settle(&mut self, receipt: Receipt) -> bool {
        let Some(bytes) = self.ledger(receipt).and_then(|ledger| ledger.settle(receipt.sequence)) else { return false };
        if let Some(progress) = self.shards.get(receipt.slot) {
            progress.budget.release(bytes);
        }
        true
    }

    /// Up to where the session of the receipt's shard can be resumed now. `None` while it has none.
    pub(super) fn checkpoint(&self, receipt: Receipt) -> Option<Checkpoint> {
        let progress = self.shards.get(receipt.slot)?;
        let shard = progress.shard;
        let (_, ledger) = progress.ledgers.back()?;
        let session = progress.session.as_ref()?;
        Some(Checkpoint { shard, session: Some(Session { sequence: ledger.watermark(), ..session.clone() }) })
    }

    /// Events that are not settled, over all shards.
    pub(super) fn open_events(&self) -> usize {
        self.shards.iter().flat_map(|shard| &shard.ledgers).map(|(_, ledger)| ledger.open_events()).sum()
    }

    fn ledger(&mut self, receipt: Receipt) -> Option<&mut Ledger> {
        let ledgers = &mut self.shards.get_mut(receipt.slot)?.ledgers;
        ledgers.iter_mut().rev().find(|(generation, _)| *generation == receipt.generation).map(|(_, ledger)| ledger)
    }

    fn slot(&self, shard: ShardId) -> Option<usize> {
        self.shards.binary_search_by_key(&shard, |progress| progress.shard).ok()
    }
}

impl Receipt {
    /// Whether both are for events of one shard.
    pub(super) fn is_same_shard(self, other: Self) -> bool {
        self.slot == other.slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: ShardId = ShardId(3);

    fn session(id: &str, sequence: u64) -> Session {
        Session { id: id.into(), resume_url: None, sequence: Sequence(sequence) }
    }

    fn progress() -> (Progress, Arc<Budget>) {
        let budget = Budget::new(1000);
        (Progress::new([(SHARD, Arc::clone(&budget))]), budget)
    }

    #[test]
    fn a_new_session_is_known_at_once_and_moves_when_its_first_event_is_settled() {
        let (mut progress, _) = progress();
        assert_eq!(progress.start_session(SHARD, session("a", 0)).unwrap().session, Some(session("a", 0)));
        let receipt = progress.receive(SHARD, Sequence(1), 10).unwrap();
        assert_eq!(progress.checkpoint(receipt).unwrap().session, Some(session("a", 0)));
        assert!(progress.settle(receipt));
        assert_eq!(progress.checkpoint(receipt).unwrap().session, Some(session("a", 1)));
    }

    #[test]
    fn a_late_confirmation_of_an_old_session_does_not_move_the_new_one() {
        let (mut progress, budget) = progress();
        progress.start_session(SHARD, session("a", 0));
        assert!(budget.try_reserve(10));
        let old = progress.receive(SHARD, Sequence(1), 10).unwrap();
        progress.end_session(SHARD);
        assert_eq!(progress.checkpoint(old), None);
        progress.start_session(SHARD, session("b", 0));
        let new = progress.receive(SHARD, Sequence(1), 0).unwrap();
        assert!(progress.settle(old));
        assert_eq!(budget.used(), 0, "its bytes are given back all the same");
        assert_eq!(progress.checkpoint(old).unwrap().session, Some(session("b", 0)));
        assert!(progress.settle(new));
        assert_eq!(progress.checkpoint(new).unwrap().session, Some(session("b", 1)));
    }

    #[test]
    fn a_resumed_session_goes_on_from_its_watermark() {
        let (mut progress, _) = progress();
        let resumed = progress.start_session(SHARD, session("a", 41)).unwrap();
        assert_eq!(resumed.session, Some(session("a", 41)));
        let receipt = progress.receive(SHARD, Sequence(42), 0).unwrap();
        progress.hand_over(receipt);
        assert!(!progress.settle(receipt));
        assert_eq!(progress.checkpoint(receipt).unwrap().session, Some(session("a", 41)));
        assert!(progress.settle(receipt));
        assert_eq!(progress.open_events(), 0);
    }
}
