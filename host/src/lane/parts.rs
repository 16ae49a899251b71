//! What a lane is made of.

use std::sync::Arc;

use gateway_protocol::ShardId;
use tokio::sync::mpsc;

use super::outlet::{DeadLetterBox, Outputs};
use super::progress::LaneShard;
use crate::capability::Incoming;
use crate::command::Claimed;
use crate::component::adapter::Adapter;
use crate::component::filter::Filter;
use crate::config::OnError;
use crate::delivery::{Checkpoint, EventReceiver};
use crate::telemetry::{ComponentMetrics, GapMetrics, LaneHealth, LaneMetrics};

/// What a lane is made of.
pub struct LaneParts {
    /// Where its shards' happenings come in.
    pub inbox: EventReceiver,
    /// Its shards.
    pub shards: Vec<LaneShard>,
    /// The chain, in order.
    pub filters: Vec<(Filter, OnError, ComponentMetrics)>,
    /// The broker adapter.
    pub adapter: (Adapter, ComponentMetrics),
    /// Where what the adapter publishes goes.
    pub outputs: Outputs,
    /// Where events go that the adapter crashes on.
    pub dead_letters: DeadLetterBox,
    /// Whether the broker is told of gaps ([`GAP_EVENT`](crate::delivery::GAP_EVENT)).
    pub tells_gaps: bool,
    /// What came in from the broker. One lane takes it.
    pub incoming: Option<mpsc::Receiver<Incoming>>,
    /// Where the commands in it go.
    pub commands: mpsc::Sender<Claimed>,
    /// Is told how far each shard is.
    pub checkpoint: CheckpointSink,
    /// Its figures.
    pub metrics: LaneMetrics,
    /// Those of gaps.
    pub gaps: GapMetrics,
    /// Where it says that it has crashed.
    pub health: LaneHealth,
}

/// Is told how far each shard is.
pub type CheckpointSink = Arc<dyn Fn(ShardId, Checkpoint) + Send + Sync>;
