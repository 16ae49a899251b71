//! An event on its way from a shard to a broker.

use std::sync::Arc;

use bytes::Bytes;
use gateway_protocol::{Sequence, Session, ShardId};

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
}

/// What a shard hands to its lane, in the order in which it happened.
#[derive(Debug)]
pub enum Happening {
    /// A session began, or an earlier run's session goes on. The events that follow belong to it.
    SessionStarted(ShardId, Session),
    /// Discord ended the session: what it had not sent yet will not come.
    SessionEnded(ShardId),
    /// An event came in.
    Event(Event),
    /// A command for a shard of another gateway, which the broker shall bring there. Its name is that shard's number, and its
    /// sequence 0.
    Republish(Event),
}
