//! What a shard hands to its lane. When the lane has no room, it is held here and reading stops.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::HashSet;
use gateway_protocol::{Sequence, ShardId};

use crate::delivery::{EventSender, TrySendError};
use crate::event::{Event, Happening};

/// Names that are remembered; beyond it, a name costs an allocation each time. Discord documents some 80.
const NAMES: usize = 1024;

/// The lane has ended, so nothing can be delivered any more.
#[derive(Debug)]
pub(super) struct LaneGone;

/// The way to the lane, in order.
pub(super) struct Outbox {
    shard: ShardId,
    sender: EventSender,
    /// What found no room, oldest first. Reading stops with the first, so that it stays short.
    held: VecDeque<Happening>,
    names: HashSet<Arc<str>>,
}

impl Outbox {
    pub(super) fn new(shard: ShardId, sender: EventSender) -> Self {
        Self { shard, sender, held: VecDeque::new(), names: HashSet::default() }
    }

    /// Hands over one dispatch. `sequence` is 0 for one without a number.
    pub(super) fn dispatch(&mut self, sequence: Option<Sequence>, name: &str, data: &str) -> Result<(), LaneGone> {
        let name = self.intern(name);
        let payload = Bytes::copy_from_slice(data.as_bytes());
        let event = Event { shard: self.shard, sequence: sequence.unwrap_or(Sequence(0)), name, payload };
        self.send(Happening::Event(event))
    }

    pub(super) fn send(&mut self, happening: Happening) -> Result<(), LaneGone> {
        if !self.held.is_empty() {
            self.held.push_back(happening);
            return Ok(());
        }
        match self.sender.try_send(happening) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(happening)) => {
                self.held.push_back(happening);
                Ok(())
            }
            Err(TrySendError::Closed) => Err(LaneGone),
        }
    }

    /// Whether something waits for room.
    pub(super) fn is_blocked(&self) -> bool {
        !self.held.is_empty()
    }

    /// Waits for room for what is held, and hands over one of it. Pends for ever when nothing is held. Cancel safe.
    pub(super) async fn unblock(&mut self) -> Result<(), LaneGone> {
        match self.held.front() {
            Some(happening) => self.sender.room_for(happening).await,
            None => std::future::pending().await,
        }
        let Some(happening) = self.held.pop_front() else { return Ok(()) };
        match self.sender.try_send(happening) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(happening)) => {
                self.held.push_front(happening);
                Ok(())
            }
            Err(TrySendError::Closed) => Err(LaneGone),
        }
    }

    fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        if self.names.len() < NAMES {
            self.names.insert(Arc::clone(&new));
        }
        new
    }
}
