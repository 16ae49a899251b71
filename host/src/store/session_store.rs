//! What the checkpoint writer needs of a store.

use std::collections::HashSet;

use gateway_protocol::{Session, ShardId};

/// A shard, and the session that it can resume, if any. The session's sequence is the shard's watermark.
pub type ShardSession = (ShardId, Option<Session>);

/// A store of one bot's sessions. The writer's thread owns it.
pub trait SessionStore: Send + 'static {
    /// Its shards, with what was found when it was opened.
    fn sessions(&self) -> Vec<ShardSession>;

    /// Keeps these sessions, and forgets those of shards that have none. Dropping the future leaves each shard's session as it was,
    /// as it shall be, or not resumable.
    ///
    /// # Errors
    /// Which shards were not saved. Saving them again is safe.
    fn save_all(&mut self, changes: &[ShardSession]) -> impl Future<Output = Result<(), Unsaved>>;
}

/// What could not be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaved {
    /// These shards.
    pub shards: HashSet<ShardId>,
    /// Why the first of them was not, and what to do. The others mostly have the same reason.
    pub reason: String,
}

impl Unsaved {
    pub(super) fn check(failures: impl IntoIterator<Item = (ShardId, String)>) -> Result<(), Self> {
        let mut failures = failures.into_iter();
        let Some((first, reason)) = failures.next() else { return Ok(()) };
        let shards = std::iter::once(first).chain(failures.map(|(shard, _)| shard)).collect();
        Err(Self { shards, reason })
    }
}
