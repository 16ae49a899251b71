//! What the gateway tells about itself: [`Metrics`] and [`Health`], served over HTTP by [`MetricsServer`], and the log.

mod health;
mod listen;
pub mod log;
mod metrics;
mod server;

pub use health::{Health, ShardHealth, ShardState};
pub use listen::BindError;
pub use metrics::{
    CheckpointMetrics, CommandMetrics, ComponentMetrics, IdentifyMetrics, LaneMetrics, Metrics, ShardMetrics,
};
pub use server::MetricsServer;
