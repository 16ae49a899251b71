//! What the checkpoint writer needs of a store.

use std::collections::HashSet;

use gateway_protocol::ShardId;

use crate::delivery::Checkpoint;

/// A shard and its checkpoint.
pub type ShardCheckpoint = (ShardId, Checkpoint);

/// A store of one bot's checkpoints. The writer's thread owns it.
pub trait SessionStore: Send + 'static {
    /// Its shards, with what was found when it was opened.
    fn found(&self) -> Vec<ShardCheckpoint>;

    /// Keeps these checkpoints, and forgets the shards whose one is empty. Dropping the future leaves each shard's session as it was,
    /// as it shall be, or not resumable.
    ///
    /// # Errors
    /// Which shards were not saved. Saving them again is safe.
    fn save_all(&mut self, changes: &[ShardCheckpoint]) -> impl Future<Output = Result<(), Unsaved>>;
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
