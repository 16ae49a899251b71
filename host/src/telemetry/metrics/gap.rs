//! Events that are lost, or may be.

use gateway_protocol::ShardId;
use prometheus::{IntCounterVec, Result};

use super::families::Families;
use crate::delivery::GapReason;

/// The figures of gaps.
#[derive(Debug, Clone)]
pub struct GapMetrics {
    gaps: IntCounterVec,
}

impl GapMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        let help = "Ranges of a session's events that are lost, or may be.";
        Ok(Self { gaps: families.counters("gateway_gaps_total", help, &["shard", "reason"])? })
    }

    /// The shard shows that there was none yet, so that the first one is an increase.
    pub fn shard(&self, shard: ShardId) {
        for reason in GapReason::ALL {
            self.gaps.with_label_values(&[&*shard.0.to_string(), reason.label()]);
        }
    }

    /// A range of the shard's events is lost, or may be.
    pub fn gap(&self, shard: ShardId, reason: GapReason) {
        self.gaps.with_label_values(&[&*shard.0.to_string(), reason.label()]).inc();
    }
}
