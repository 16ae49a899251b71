//! Which shards take commands now, so that commands for the others stay with the broker.

use std::collections::BTreeSet;
use std::sync::Arc;

use gateway_protocol::ShardId;
use tokio::sync::watch;

/// The shards of this gateway that are ready. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct ReadyShards {
    shards: Arc<watch::Sender<BTreeSet<ShardId>>>,
}

impl Default for ReadyShards {
    fn default() -> Self {
        Self { shards: Arc::new(watch::Sender::new(BTreeSet::new())) }
    }
}

impl ReadyShards {
    /// Says whether a shard is ready.
    pub fn set(&self, shard: ShardId, ready: bool) {
        self.shards.send_if_modified(|shards| if ready { shards.insert(shard) } else { shards.remove(&shard) });
    }

    /// For whoever waits for shards to become ready, or to be no longer.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeSet<ShardId>> {
        self.shards.subscribe()
    }
}
