//! What the native side of a broker is made of, whichever it is.

use std::collections::BTreeSet;

use gateway_protocol::ShardId;
use tokio::sync::{mpsc, watch};

use super::Incoming;
use crate::config::CommandPolicy;
use crate::delivery::DeadLetters;
use crate::telemetry::{BrokerHealth, BrokerMetrics};

/// The parts of a broker's server with the configuration `C`.
#[derive(Debug)]
pub struct ServerParts<C> {
    /// Where it is.
    pub config: C,
    /// Which commands are carried out.
    pub commands: CommandPolicy,
    /// Takes what consumers bring.
    pub incoming: mpsc::Sender<Incoming>,
    /// The shards that take commands now.
    pub ready: watch::Receiver<BTreeSet<ShardId>>,
    /// Takes what the server will never take, and commands that will never work.
    pub dead_letters: DeadLetters,
    /// Its figures.
    pub metrics: BrokerMetrics,
    /// Where it says how it is.
    pub health: BrokerHealth,
}
