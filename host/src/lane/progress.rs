//! How far the shards of a lane are: their sessions, what is settled, and what may be checkpointed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use gateway_protocol::{Sequence, Session, ShardId};

use super::open::{Open, Taken};
use crate::delivery::{Budget, Checkpoint, Gap, GapReason, Ledger};

/// Says which event a confirmation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The shard's place in its lane.
    slot: usize,
    /// Sequences start anew with each session.
    generation: u32,
    taken: Taken,
    sequence: Sequence,
}

/// A shard of a lane, as it starts.
#[derive(Debug, Clone)]
pub struct LaneShard {
    /// Its number.
    pub id: ShardId,
    /// What settled events give back to.
    pub budget: Arc<Budget>,
    /// What an earlier run left.
    pub found: Checkpoint,
}

/// The state of all shards of a lane.
#[derive(Debug)]
pub(super) struct Progress {
    /// In the order of their numbers.
    shards: Vec<ShardProgress>,
    open: Open,
}

#[derive(Debug)]
struct ShardProgress {
    shard: ShardId,
    budget: Arc<Budget>,
    generation: u32,
    /// The current session, until it ends.
    session: Option<Session>,
    /// The current session's ledger last; before it those of earlier sessions with open events.
    ledgers: VecDeque<SessionLedger>,
    /// Gaps of which the broker was not told yet, oldest first, by the sequences of their own ledger.
    gaps: VecDeque<(Sequence, Gap)>,
    gap_ledger: Ledger,
}

#[derive(Debug)]
struct SessionLedger {
    generation: u32,
    session: Arc<str>,
    ledger: Ledger,
}

impl Progress {
    /// The shards of a lane. The gaps that were found are not told yet: see [`Self::gap`].
    pub(super) fn new(shards: impl IntoIterator<Item = LaneShard>) -> Self {
        let mut shards: Vec<_> = shards.into_iter().map(ShardProgress::new).collect();
        shards.sort_by_key(|progress| progress.shard);
        Self { shards, open: Open::default() }
    }

    /// A session begins, or goes on: after a restart from its sequence, otherwise from where it is.
    pub(super) fn start_session(&mut self, shard: ShardId, session: Session) -> Option<Checkpoint> {
        let progress = self.shard(shard)?;
        match &mut progress.session {
            Some(current) if current.id == session.id => current.resume_url = session.resume_url,
            _ => progress.begin(session),
        }
        Some(progress.checkpoint())
    }

    /// The session has ended.
    pub(super) fn end_session(&mut self, shard: ShardId) -> Option<Checkpoint> {
        let progress = self.shard(shard)?;
        progress.session = None;
        Some(progress.checkpoint())
    }

    /// Notes a gap that the broker is to be told of, which the receipt is for.
    pub(super) fn gap(&mut self, shard: ShardId, gap: Gap, now: Instant) -> Option<Receipt> {
        let slot = self.slot(shard)?;
        let progress = self.shards.get_mut(slot)?;
        let sequence = Sequence(progress.gap_ledger.last().0 + 1);
        progress.gap_ledger.receive(sequence, 0);
        progress.gaps.push_back((sequence, gap));
        Some(Receipt { slot, generation: GAPS, taken: self.open.take(now), sequence })
    }

    /// Notes an event that came in. `None` if the shard has no session, which no shard's driver does.
    pub(super) fn receive(
        &mut self,
        shard: ShardId,
        sequence: Sequence,
        bytes: usize,
        now: Instant,
    ) -> Option<Receipt> {
        let slot = self.slot(shard)?;
        let progress = self.shards.get_mut(slot)?;
        let Some(current) = progress.ledgers.back_mut() else {
            progress.budget.release(bytes);
            return None;
        };
        if current.ledger.receive(sequence, bytes) {
            return Some(Receipt { slot, generation: current.generation, taken: self.open.take(now), sequence });
        }
        // Without a number, or repeated: it settles nothing.
        progress.budget.release(bytes);
        None
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
        self.open.settle(receipt.taken);
        if let Some(progress) = self.shards.get_mut(receipt.slot) {
            if receipt.generation == GAPS {
                progress.gaps.retain(|(sequence, _)| *sequence != receipt.sequence);
            }
            progress.budget.release(bytes);
        }
        true
    }

    /// What a later run would need of the receipt's shard now.
    pub(super) fn checkpoint(&self, receipt: Receipt) -> Option<(ShardId, Checkpoint)> {
        let progress = self.shards.get(receipt.slot)?;
        Some((progress.shard, progress.checkpoint()))
    }

    /// What a later run would need of each shard now.
    pub(super) fn checkpoints(&self) -> impl Iterator<Item = (ShardId, Checkpoint)> {
        self.shards.iter().map(|progress| (progress.shard, progress.checkpoint()))
    }

    /// Events that are not settled, over all shards.
    pub(super) fn open_events(&self) -> usize {
        self.open.events()
    }

    /// When the oldest of them was taken.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.open.oldest()
    }

    fn ledger(&mut self, receipt: Receipt) -> Option<&mut Ledger> {
        let progress = self.shards.get_mut(receipt.slot)?;
        if receipt.generation == GAPS {
            return Some(&mut progress.gap_ledger);
        }
        let of_generation = |ledger: &&mut SessionLedger| ledger.generation == receipt.generation;
        progress.ledgers.iter_mut().rev().find(of_generation).map(|ledger| &mut ledger.ledger)
    }

    fn shard(&mut self, shard: ShardId) -> Option<&mut ShardProgress> {
        let slot = self.slot(shard)?;
        self.shards.get_mut(slot)
    }

    fn slot(&self, shard: ShardId) -> Option<usize> {
        self.shards.binary_search_by_key(&shard, |progress| progress.shard).ok()
    }
}

impl ShardProgress {
    fn new(LaneShard { id, budget, found }: LaneShard) -> Self {
        let mut progress = Self {
            shard: id,
            budget,
            generation: GAPS,
            session: None,
            ledgers: VecDeque::new(),
            gaps: VecDeque::new(),
            gap_ledger: Ledger::new(Sequence(0)),
        };
        if let Some(session) = found.session {
            progress.begin(session);
        }
        progress
    }

    fn begin(&mut self, session: Session) {
        self.generation += 1;
        self.ledgers.retain(|ledger| ledger.ledger.open_events() > 0);
        self.ledgers.push_back(SessionLedger {
            generation: self.generation,
            session: session.id.as_str().into(),
            ledger: Ledger::new(session.sequence),
        });
        self.session = Some(session);
    }

    fn checkpoint(&self) -> Checkpoint {
        let watermark = self.ledgers.back().map_or(Sequence(0), |current| current.ledger.watermark());
        let session = self.session.as_ref().map(|session| Session { sequence: watermark, ..session.clone() });
        let over = self.ledgers.len() - usize::from(session.is_some() && !self.ledgers.is_empty());
        // Should the gateway end now, nobody has them: their sessions are over.
        let undelivered = self.ledgers.iter().take(over).filter_map(SessionLedger::undelivered);
        let untold = self.gaps.iter().map(|(_, gap)| gap.clone());
        Checkpoint { session, gaps: untold.chain(undelivered).take(KEPT_GAPS).collect() }
    }
}

impl SessionLedger {
    fn undelivered(&self) -> Option<Gap> {
        let behind = Sequence(self.ledger.last().0.saturating_add(1));
        (self.ledger.open_events() > 0)
            .then(|| Gap::between(&self.session, self.ledger.watermark(), behind, GapReason::NotDelivered))
    }
}

/// The generation of receipts for gaps; sessions count from the next one.
const GAPS: u32 = 0;
/// Gaps of a shard that are kept for a later run. More would come of sessions that end again and again while the broker is away.
const KEPT_GAPS: usize = 100;

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

    fn found(found: Checkpoint) -> (Progress, Arc<Budget>) {
        let budget = Budget::new(1000);
        (Progress::new([LaneShard { id: SHARD, budget: Arc::clone(&budget), found }]), budget)
    }

    fn progress() -> (Progress, Arc<Budget>) {
        found(Checkpoint::default())
    }

    fn receive(progress: &mut Progress, sequence: u64, bytes: usize) -> Receipt {
        progress.receive(SHARD, Sequence(sequence), bytes, Instant::now()).unwrap()
    }

    fn checkpoint(progress: &Progress, receipt: Receipt) -> Checkpoint {
        progress.checkpoint(receipt).unwrap().1
    }

    fn not_delivered(session: &str, from: u64, to: u64) -> Gap {
        let reason = GapReason::NotDelivered;
        Gap { session: session.into(), from: Sequence(from), to: Some(Sequence(to)), reason }
    }

    #[test]
    fn a_new_session_is_known_at_once_and_moves_when_its_first_event_is_settled() {
        let (mut progress, _) = progress();
        assert_eq!(progress.start_session(SHARD, session("a", 0)).unwrap(), session("a", 0).into());
        let receipt = receive(&mut progress, 1, 10);
        assert_eq!(checkpoint(&progress, receipt), session("a", 0).into());
        assert!(progress.settle(receipt));
        assert_eq!(checkpoint(&progress, receipt), session("a", 1).into());
    }

    #[test]
    fn what_is_open_of_an_ended_session_is_owed_until_it_is_settled() {
        let (mut progress, budget) = progress();
        progress.start_session(SHARD, session("a", 0));
        assert!(budget.try_reserve(10));
        let old = [1, 2].map(|sequence| receive(&mut progress, sequence, 5));
        let owed = |session: Option<Session>, from| Checkpoint { session, gaps: vec![not_delivered("a", from, 2)] };
        assert_eq!(progress.end_session(SHARD).unwrap(), owed(None, 1));
        assert_eq!(progress.start_session(SHARD, session("b", 0)).unwrap(), owed(Some(session("b", 0)), 1));
        let new = receive(&mut progress, 1, 0);
        assert!(progress.settle(old[0]));
        assert_eq!(checkpoint(&progress, old[0]), owed(Some(session("b", 0)), 2));
        assert!(progress.settle(old[1]));
        assert_eq!(budget.used(), 0, "its bytes are given back all the same");
        assert_eq!(checkpoint(&progress, old[1]), session("b", 0).into());
        assert!(progress.settle(new));
        assert_eq!(checkpoint(&progress, new), session("b", 1).into());
    }

    #[test]
    fn a_resumed_session_goes_on_from_its_watermark() {
        let (mut progress, _) = found(session("a", 41).into());
        let resumed = progress.start_session(SHARD, session("a", 41)).unwrap();
        assert_eq!(resumed, session("a", 41).into());
        let receipt = receive(&mut progress, 42, 0);
        progress.hand_over(receipt);
        assert!(!progress.settle(receipt));
        assert_eq!(checkpoint(&progress, receipt), session("a", 41).into());
        assert!(progress.settle(receipt));
        assert_eq!((progress.open_events(), progress.oldest()), (0, None));
    }

    /// A shard that starts anew after a crash, or that forgets its resume URL, tells of its session again.
    #[test]
    fn a_session_that_is_told_again_keeps_its_watermark() {
        let (mut progress, _) = progress();
        let with_url = Session { resume_url: Some("wss://dead".into()), ..session("a", 0) };
        progress.start_session(SHARD, with_url);
        let receipt = receive(&mut progress, 1, 0);
        assert_eq!(progress.start_session(SHARD, session("a", 1)).unwrap(), session("a", 0).into());
        assert!(progress.settle(receipt));
        assert_eq!(checkpoint(&progress, receipt), session("a", 1).into());
    }

    #[test]
    fn a_repeated_event_settles_nothing() {
        let (mut progress, budget) = progress();
        progress.start_session(SHARD, session("a", 0));
        let receipt = receive(&mut progress, 1, 0);
        assert!(budget.try_reserve(7));
        assert_eq!(progress.receive(SHARD, Sequence(1), 7, Instant::now()), None);
        assert_eq!(budget.used(), 0);
        assert_eq!(progress.open_events(), 1);
        assert!(progress.settle(receipt));
    }

    #[test]
    fn a_gap_is_owed_until_the_broker_was_told() {
        let (mut progress, _) = progress();
        let gap = Gap { session: "a".into(), from: Sequence(8), to: None, reason: GapReason::SessionLost };
        let told = progress.gap(SHARD, gap.clone(), Instant::now()).unwrap();
        let other = Gap { session: "b".into(), ..gap.clone() };
        progress.gap(SHARD, other.clone(), Instant::now()).unwrap();
        let owed = progress.start_session(SHARD, session("c", 0)).unwrap();
        assert_eq!(owed, Checkpoint { session: Some(session("c", 0)), gaps: vec![gap, other.clone()] });
        progress.hand_over(told);
        assert!(!progress.settle(told) && progress.settle(told));
        assert_eq!(checkpoint(&progress, told).gaps, [other]);
    }
}
