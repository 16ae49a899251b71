//! The Discord gateway protocol as state machines without I/O.

/// The number of a shard, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u32);

/// The number of an event in its session, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(pub u64);

/// What it takes to resume a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Discord's identifier of the session.
    pub id: String,
    /// Where to resume it; `None` when only the base address is known.
    pub resume_url: Option<String>,
    /// The last event of it.
    pub sequence: Sequence,
}
