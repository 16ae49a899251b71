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

#[cfg(test)]
mod tests {
    use gateway_protocol::Session;

    use super::*;
    use crate::delivery::{Budget, EventReceiver, Gap, GapReason, event_queue};

    fn outbox() -> (Outbox, EventReceiver) {
        let (queue, inbox) = event_queue();
        let sender = EventSender::new(queue, Budget::new(1 << 20).part(1 << 20));
        (Outbox::new(ShardId(0), sender), inbox)
    }

    fn started(id: &str, sequence: u64) -> Happening {
        let session = Session { id: id.to_owned(), resume_url: None, sequence: Sequence(sequence) };
        Happening::SessionStarted(ShardId(0), session)
    }

    fn ended() -> Happening {
        let session = Session { id: "first".to_owned(), resume_url: None, sequence: Sequence(2) };
        Happening::SessionEnded(ShardId(0), Gap::after(&session, GapReason::SessionLost))
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
        outbox.send(started("first", 7)).unwrap();
        assert_eq!(dispatch(&mut outbox, Some(8)).as_deref(), Some("first:8"));
        // Its resume URL has changed, say.
        outbox.send(started("first", 8)).unwrap();
        assert_eq!(dispatch(&mut outbox, Some(9)).as_deref(), Some("first:9"));
        assert_eq!(dispatch(&mut outbox, None), None);
        outbox.send(ended()).unwrap();
        assert_eq!(dispatch(&mut outbox, Some(10)), None);
        outbox.send(started("second", 0)).unwrap();
        assert_eq!(dispatch(&mut outbox, Some(1)).as_deref(), Some("second:1"));
    }
}
