//! An event on its way from a shard to a broker.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use gateway_protocol::{Sequence, Session, ShardId};
use memchr::memchr2;

use crate::capability::Claim;
use crate::delivery::Gap;

/// One dispatch of Discord.
#[derive(Debug, Clone)]
pub struct Event {
    /// The shard that received it.
    pub shard: ShardId,
    /// Its number in the session (`s`).
    pub sequence: Sequence,
    /// Its name (`t`).
    pub name: Arc<str>,
    /// Its payload: the JSON text of `d`, exactly as Discord sent it.
    pub payload: Bytes,
    session: Option<SessionId>,
    has_line_breaks: bool,
}

impl Event {
    /// An event of no session. Its payload is best looked at now: it has just been made, so the processor's cache has it.
    #[must_use]
    pub fn new(shard: ShardId, sequence: Sequence, name: Arc<str>, payload: Bytes) -> Self {
        let has_line_breaks = has_line_breaks(&payload);
        Self { shard, sequence, name, payload, session: None, has_line_breaks }
    }

    /// The same as an event of a session.
    #[must_use]
    pub fn of_session(self, session: Option<SessionId>) -> Self {
        Self { session, ..self }
    }

    /// What tells it from all other events, whenever and by whichever run it is published: `<session>:<sequence>`. `None`
    /// for what is not from a session, or has no number in it, or whose session has an id that no broker's names have room for.
    #[must_use]
    pub fn identity(&self) -> Option<String> {
        let SessionId(session) = self.session.as_ref()?;
        if self.sequence.0 == 0 || session.len() > LONGEST_SESSION {
            return None;
        }
        // One allocation, which `format!` would not guess. Writing to a string cannot fail.
        let mut identity = String::with_capacity(session.len() + BEHIND_SESSION);
        let _ = write!(identity, "{session}:{}", self.sequence);
        Some(identity)
    }

    /// Whether the payload is more than one line. Discord's never are.
    #[must_use]
    pub fn has_line_breaks(&self) -> bool {
        self.has_line_breaks
    }

    /// Puts another payload in place of its own.
    pub fn replace_payload(&mut self, payload: Bytes) {
        self.has_line_breaks = has_line_breaks(&payload);
        self.payload = payload;
    }
}

fn has_line_breaks(payload: &[u8]) -> bool {
    memchr2(b'\n', b'\r', payload).is_some()
}

/// The id of a session, shared by its events. With the token it opens the session, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// The id that Discord gave.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SessionId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<redacted>")
    }
}

/// What a shard hands to its lane, in the order in which it happened.
#[derive(Debug)]
pub enum Happening {
    /// A session began, or an earlier run's session goes on, or something about the current one has changed. The events that
    /// follow belong to it.
    SessionStarted(ShardId, Session),
    /// Discord ended the session: what it had not sent yet will not come.
    SessionEnded(ShardId, Gap),
    /// Events of the current session, or of one that is over, that will not come.
    Gap(ShardId, Gap),
    /// An event came in.
    Event(Event),
    /// A command for a shard of another gateway, which the broker shall bring there. Its name is that shard's number, and its
    /// sequence 0. The claim is on the message that brought the command.
    Republish(Event, Claim),
}

/// Bytes of a session's id, so that an identity has 255 at most. Discord's have 32.
const LONGEST_SESSION: usize = 255 - BEHIND_SESSION;
/// Bytes of the longest colon with a sequence.
const BEHIND_SESSION: usize = ":18446744073709551615".len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_room_in_every_broker_and_costs_one_allocation_of_its_size() {
        let longest = "s".repeat(LONGEST_SESSION);
        let identity = event(u64::MAX, Some(&longest)).identity().unwrap();
        assert_eq!((identity.len(), identity.capacity()), (255, 255));
        assert_eq!(event(1, Some(&format!("{longest}s"))).identity(), None);
    }

    fn event(sequence: u64, session: Option<&str>) -> Event {
        let event = Event::new(ShardId(0), Sequence(sequence), "NAME".into(), Bytes::from_static(b"{}"));
        event.of_session(session.map(SessionId::from))
    }

    #[test]
    fn an_identity_is_the_session_and_the_sequence_whatever_the_payload() {
        let mut event = event(42, Some("a:b"));
        assert_eq!(event.identity().as_deref(), Some("a:b:42"));
        event.replace_payload(Bytes::from_static(b"[]"));
        assert_eq!(event.identity().as_deref(), Some("a:b:42"));
    }

    #[test]
    fn what_has_no_number_or_no_session_has_no_identity() {
        assert_eq!(event(0, Some("session")).identity(), None);
        assert_eq!(event(42, None).identity(), None);
    }

    #[test]
    fn debug_hides_the_session() {
        let shown = format!("{:?}", event(42, Some("s3cret")));
        assert!(!shown.contains("s3cret") && shown.contains("42"), "{shown}");
    }
}
