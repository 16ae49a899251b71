//! What a shard's task is given, and how it ends.

use gateway_protocol::{FatalClose, Session, ShardId, ShardOptions};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::identify_queue::IdentifyQueue;
use super::siblings::Siblings;
use super::transport::Dialer;
use crate::command::{ClaimedPacket, ReadyShards};
use crate::config::Compression;
use crate::delivery::EventSender;
use crate::discord::GatewayUrl;
use crate::telemetry::{CommandMetrics, ShardHealth, ShardMetrics};

/// What a shard's task is made of.
pub struct ShardParts {
    /// Which one it is, and what it says to Discord.
    pub options: ShardOptions,
    /// What an earlier run left.
    pub session: Option<Session>,
    /// What the other shards hear.
    pub siblings: Siblings,
    /// The way to its lane.
    pub events: EventSender,
    /// Commands for Discord, in order.
    pub commands: mpsc::Receiver<ClaimedPacket>,
    /// Where permits come from.
    pub identifies: IdentifyQueue,
    /// Opens sockets.
    pub dialer: Dialer,
    /// Where to connect without a session.
    pub base: watch::Receiver<GatewayUrl>,
    /// Asks for a fresh base address.
    pub stale: mpsc::Sender<()>,
    /// The API's version, for the address.
    pub version: u8,
    /// How its connections are compressed.
    pub compression: Compression,
    /// The largest payload in bytes.
    pub payload_limit: usize,
    /// Told to end, and to keep the session.
    pub stop: CancellationToken,
    /// Its figures.
    pub metrics: ShardMetrics,
    /// Those of all commands.
    pub command_metrics: CommandMetrics,
    /// Where it says how far it is.
    pub health: ShardHealth,
    /// Where it says whether it takes commands.
    pub ready: ReadyShards,
}

impl ShardParts {
    /// Which shard it is.
    pub(super) fn id(&self) -> ShardId {
        self.options.id
    }
}

/// How a shard ended.
#[derive(Debug)]
pub enum ShardEnd {
    /// It was told to. Its session can be resumed.
    Stopped,
    /// Discord will not have it.
    Fatal(FatalClose),
    /// Its lane is gone.
    LaneGone,
}
