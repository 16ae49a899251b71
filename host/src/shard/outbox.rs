//! What a shard hands to its lane. When the lane has no room, it is held here and reading stops.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use foldhash::HashSet;
use gateway_protocol::{Sequence, ShardId};

use crate::delivery::{EventSender, TrySendError};
use crate::event::{Event, Happening, SessionId};
use crate::lane::BATCH;

/// Names that are remembered; beyond it, a name costs an allocation each time. Discord documents some 80.
const NAMES: usize = 1024;

/// Bytes of an allocation that payloads share.
const ROOM: usize = 64 << 10;

/// The lane has ended, so nothing can be delivered any more.
#[derive(Debug)]
pub(super) struct LaneGone;

/// The way to the lane, in order.
pub(super) struct Outbox {
    shard: ShardId,
    sender: EventSender,
    /// What found no room, oldest first. Reading stops with the first, so that it stays short.
    held: VecDeque<Happening>,
    /// The session that events belong to now.
    session: Option<SessionId>,
    names: HashSet<Arc<str>>,
    room: BytesMut,
}

impl Outbox {
    pub(super) fn new(shard: ShardId, sender: EventSender) -> Self {
        Self { shard, sender, held: VecDeque::new(), session: None, names: HashSet::default(), room: BytesMut::new() }
    }

    /// Hands over one dispatch. `sequence` is 0 for one without a number.
    pub(super) fn dispatch(&mut self, sequence: Option<Sequence>, name: &str, data: &str) -> Result<(), LaneGone> {
        let name = self.intern(name);
        let payload = self.copy(data.as_bytes());
        let event = Event::new(self.shard, sequence.unwrap_or(Sequence(0)), name, payload);
        self.send(Happening::Event(event.of_session(self.session.clone())))
    }

    pub(super) fn send(&mut self, happening: Happening) -> Result<(), LaneGone> {
        match &happening {
            Happening::SessionStarted(_, session) => self.begin(&session.id),
            Happening::SessionEnded(..) => self.session = None,
            Happening::Event(_) | Happening::Gap(..) | Happening::Republish(..) => {}
        }
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

    /// Whether the lane has a full batch to work on.
    pub(super) fn is_lane_busy(&self) -> bool {
        self.sender.queued() >= BATCH
    }

    /// The events from now on belong to that session.
    fn begin(&mut self, session: &str) {
        if self.session.as_ref().is_none_or(|current| current.as_str() != session) {
            self.session = Some(session.into());
        }
    }

    /// Payloads of usual sizes share an allocation, which is used again when all of them are delivered.
    fn copy(&mut self, data: &[u8]) -> Bytes {
        if data.len() > ROOM / 4 {
            return Bytes::copy_from_slice(data);
        }
        if self.room.capacity() < data.len() {
            self.room.reserve(ROOM);
        }
        self.room.extend_from_slice(data);
        self.room.split().freeze()
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
