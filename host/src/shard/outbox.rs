//! What a shard hands to its lane. When the lane has no room, it is held here and reading stops.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use foldhash::HashSet;
use gateway_protocol::{Sequence, Session, ShardId};

use crate::delivery::{EventSender, Gap, TrySendError};
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
    /// The current one, with the last event that was taken in.
    session: Option<Session>,
    /// Its id, for its events.
    id: Option<SessionId>,
    /// What found no room, oldest first. Reading stops with the first, so that it stays short.
    held: VecDeque<Happening>,
    names: HashSet<Arc<str>>,
    room: BytesMut,
}

impl Outbox {
    pub(super) fn new(shard: ShardId, sender: EventSender) -> Self {
        Self {
            shard,
            sender,
            session: None,
            id: None,
            held: VecDeque::new(),
            names: HashSet::default(),
            room: BytesMut::new(),
        }
    }

    /// Hands over one dispatch. `sequence` is 0 for one without a number.
    pub(super) fn dispatch(&mut self, sequence: Option<Sequence>, name: &str, data: &str) -> Result<(), LaneGone> {
        let name = self.intern(name);
        let payload = self.copy(data.as_bytes());
        let event = Event::new(self.shard, sequence.unwrap_or(Sequence(0)), name, payload);
        self.send(Happening::Event(event.of_session(self.id.clone())))?;
        if let (Some(session), Some(sequence)) = (&mut self.session, sequence) {
            session.sequence = sequence;
        }
        Ok(())
    }

    /// The events that follow belong to this session.
    pub(super) fn session_started(&mut self, session: Session) -> Result<(), LaneGone> {
        if self.session.as_ref().is_none_or(|current| current.id != session.id) {
            self.id = Some(session.id.as_str().into());
        }
        self.session = Some(session.clone());
        self.send(Happening::SessionStarted(self.shard, session))
    }

    /// The session is over, and the rest of it will not come.
    pub(super) fn session_ended(&mut self, gap: Gap) -> Result<(), LaneGone> {
        (self.session, self.id) = (None, None);
        self.send(Happening::SessionEnded(self.shard, gap))
    }

    /// Events of the current session will not come.
    pub(super) fn gap(&mut self, gap: Gap) -> Result<(), LaneGone> {
        self.send(Happening::Gap(self.shard, gap))
    }

    /// The current session. It can be resumed behind the last event that was handed over or is held.
    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    fn send(&mut self, happening: Happening) -> Result<(), LaneGone> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Budget, EventReceiver, GapReason, event_queue};

    fn outbox() -> (Outbox, EventReceiver) {
        let (queue, inbox) = event_queue();
        let sender = EventSender::new(queue, Budget::new(1 << 20).part(1 << 20));
        (Outbox::new(ShardId(0), sender), inbox)
    }

    fn session(id: &str, sequence: u64) -> Session {
        Session { id: id.to_owned(), resume_url: None, sequence: Sequence(sequence) }
    }

    #[test]
    fn an_event_belongs_to_the_session_that_was_begun_last() {
        let (mut outbox, mut inbox) = outbox();
        let mut dispatch = |outbox: &mut Outbox, sequence: Option<u64>| {
            outbox.dispatch(sequence.map(Sequence), "NAME", "{}").unwrap();
            loop {
                if let Happening::Event(event) = inbox.try_recv().unwrap() {
                    return event.identity();
                }
            }
        };
        assert_eq!(dispatch(&mut outbox, Some(1)), None);
        outbox.session_started(session("first", 7)).unwrap();
        assert_eq!(dispatch(&mut outbox, Some(8)).as_deref(), Some("first:8"));
        // Its resume URL has changed, say.
        outbox.session_started(session("first", 8)).unwrap();
        assert_eq!(dispatch(&mut outbox, Some(9)).as_deref(), Some("first:9"));
        assert_eq!(dispatch(&mut outbox, None), None);
        outbox.session_ended(Gap::after(&session("first", 9), GapReason::SessionLost)).unwrap();
        assert_eq!(dispatch(&mut outbox, Some(10)), None);
        outbox.session_started(session("second", 0)).unwrap();
        assert_eq!(dispatch(&mut outbox, Some(1)).as_deref(), Some("second:1"));
    }
}
