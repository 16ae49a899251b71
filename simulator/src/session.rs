//! Sessions and their log of dispatches: what is live, what waits, and what can be replayed are one queue.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};
use tokio::time::Instant;

/// What Identify fixed for a session.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) shard: u32,
    pub(crate) count: u32,
    /// Whether the client named its shard.
    pub(crate) sharded: bool,
    pub(crate) intents: u64,
    pub(crate) large_threshold: u32,
}

/// One dispatch of a session.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    pub(crate) sequence: u64,
    pub(crate) name: Arc<str>,
    pub(crate) data: Arc<str>,
    /// Marks the end of a replay; a later replay doesn't repeat it.
    is_marker: bool,
}

pub(crate) struct Session {
    pub(crate) identity: Identity,
    pub(crate) sequence: u64,
    /// The connection that serves it.
    pub(crate) connection: Option<u64>,
    /// When its connection ended.
    pub(crate) detached: Option<Instant>,
    /// Guilds whose GUILD_CREATE is still to come, and when the next one may.
    pub(crate) pending_guilds: VecDeque<u64>,
    pub(crate) next_guild: Instant,
    /// Guilds in an outage.
    pub(crate) unavailable: HashSet<u64>,
    log: VecDeque<Dispatch>,
    /// The highest sequence that can't be replayed any more.
    forgotten: u64,
}

impl Session {
    pub(crate) fn new(identity: Identity, now: Instant) -> Self {
        Self {
            identity,
            sequence: 0,
            connection: None,
            detached: None,
            pending_guilds: VecDeque::new(),
            next_guild: now,
            unavailable: HashSet::new(),
            log: VecDeque::new(),
            forgotten: 0,
        }
    }

    pub(crate) fn push(&mut self, name: Arc<str>, data: Arc<str>) -> u64 {
        self.append(name, data, false)
    }

    /// Marks the end of a replay with a dispatch of its own.
    pub(crate) fn push_marker(&mut self, name: Arc<str>, data: Arc<str>) -> u64 {
        self.append(name, data, true)
    }

    fn append(&mut self, name: Arc<str>, data: Arc<str>, is_marker: bool) -> u64 {
        self.sequence += 1;
        self.log.push_back(Dispatch { sequence: self.sequence, name, data, is_marker });
        self.sequence
    }

    /// The first dispatch after `sequence`.
    pub(crate) fn after(&self, sequence: u64) -> Option<&Dispatch> {
        let index = self.log.partition_point(|dispatch| dispatch.sequence <= sequence);
        self.log.get(index)
    }

    /// How many dispatches follow `sequence`.
    pub(crate) fn backlog(&self, sequence: u64) -> usize {
        self.log.len() - self.log.partition_point(|dispatch| dispatch.sequence <= sequence)
    }

    /// Whether everything after `sequence` is still here.
    pub(crate) fn can_replay_from(&self, sequence: u64) -> bool {
        sequence >= self.forgotten
    }

    /// Drops the end marks of earlier replays.
    pub(crate) fn forget_markers(&mut self) {
        self.log.retain(|dispatch| !dispatch.is_marker);
    }

    /// Keeps `kept` dispatches, and those after `written` that its connection has yet to write.
    pub(crate) fn trim(&mut self, kept: usize, written: u64) {
        while self.log.len() > kept && self.log.front().is_some_and(|dispatch| dispatch.sequence <= written) {
            if let Some(dispatch) = self.log.pop_front() {
                self.forgotten = dispatch.sequence;
            }
        }
    }
}

/// A dispatch that was put on a session, whether its client was connected or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The session's id.
    pub session: String,
    /// Its `s`.
    pub sequence: u64,
    /// Its `t`.
    pub name: Arc<str>,
    /// Its `d`, byte for byte.
    pub payload: Arc<str>,
}

/// The payload of a dispatch, keys in Discord's order.
pub(crate) fn envelope(dispatch: &Dispatch) -> Vec<u8> {
    format!(r#"{{"t":"{}","s":{},"op":0,"d":{}}}"#, dispatch.name, dispatch.sequence, dispatch.data).into_bytes()
}

/// The payload of anything else than a dispatch.
pub(crate) fn control_payload(opcode: u8, data: impl std::fmt::Display) -> Vec<u8> {
    format!(r#"{{"t":null,"s":null,"op":{opcode},"d":{data}}}"#).into_bytes()
}
