//! What the gateway tells about itself: [`Metrics`] and [`Health`], served over HTTP by [`MetricsServer`], and the log.

mod health;
mod listen;
pub mod log;
mod metrics;
mod server;

pub use health::{BrokerHealth, BrokerState, Health, LaneHealth, ShardHealth, ShardState};
pub use listen::BindError;
pub use metrics::{
    BrokerMetrics, CheckpointMetrics, CommandMetrics, ComponentMetrics, DeadLetterMetrics, GapMetrics, IdentifyMetrics,
    LaneMetrics, Metrics, ShardMetrics, Since,
};
pub use server::MetricsServer;
