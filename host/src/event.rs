//! An event on its way from a shard to a broker.

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
    has_line_breaks: bool,
}

impl Event {
    /// An event. Its payload is best looked at now: it has just been made, so the processor's cache has it.
    #[must_use]
    pub fn new(shard: ShardId, sequence: Sequence, name: Arc<str>, payload: Bytes) -> Self {
        let has_line_breaks = has_line_breaks(&payload);
        Self { shard, sequence, name, payload, has_line_breaks }
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
