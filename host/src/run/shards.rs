//! The shards of the process, each a task on its lane's thread.

use std::collections::HashMap;

use anyhow::anyhow;
use gateway_protocol::ShardId;
use tokio::runtime::Handle;
use tokio::task::{Id, JoinSet};

use crate::shard::{ShardEnd, ShardParts, ShardTask};

/// The running shards.
#[derive(Debug, Default)]
pub(super) struct Shards {
    tasks: JoinSet<ShardEnd>,
    numbers: HashMap<Id, ShardId>,
}

impl Shards {
    /// Starts a shard on its lane's thread.
    pub(super) fn spawn(&mut self, parts: ShardParts, lane: &Handle) {
        let number = parts.options.id;
        let task = self.tasks.spawn_on(ShardTask::new(parts).run(), lane);
        self.numbers.insert(task.id(), number);
    }

    /// Waits for the next shard that ends; `None` when all have. Cancel safe.
    ///
    /// # Errors
    /// If it ended otherwise than by being told to.
    pub(super) async fn next_ended(&mut self) -> Option<anyhow::Result<()>> {
        let (task, ended) = match self.tasks.join_next_with_id().await? {
            Ok((task, end)) => (task, Ok(end)),
            Err(error) => (error.id(), Err(error)),
        };
        let shard = self.numbers.remove(&task).unwrap_or(ShardId(u32::MAX));
        Some(match ended {
            Ok(ShardEnd::Stopped) => Ok(()),
            Ok(ShardEnd::Fatal(fatal)) => Err(anyhow!("Discord refuses shard {shard}: {fatal}")),
            Ok(ShardEnd::LaneGone) => Err(anyhow!("shard {shard} has ended because its lane has")),
            Err(crash) => Err(anyhow!("shard {shard} crashed: {crash}")),
        })
    }
}
