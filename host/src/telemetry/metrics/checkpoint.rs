//! How saving sessions goes.

use prometheus::{IntCounter, IntGauge, Result};

use super::families::Families;

/// The figures of the checkpoint writer.
#[derive(Debug, Clone)]
pub struct CheckpointMetrics {
    saved: IntCounter,
    failed: IntCounter,
    unsaved: IntGauge,
}

impl CheckpointMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        Ok(Self {
            saved: families.counter("gateway_checkpoints_total", "Checkpoints of a shard that were saved.")?,
            failed: families.counter(
                "gateway_checkpoint_failures_total",
                "Checkpoints that could not be saved; each is tried again.",
            )?,
            unsaved: families
                .gauge("gateway_checkpoints_unsaved", "Shards whose latest checkpoint could not be saved yet.")?,
        })
    }

    /// A checkpoint was saved.
    pub fn saved(&self) {
        self.saved.inc();
    }

    /// A checkpoint could not be saved.
    pub fn failed(&self) {
        self.failed.inc();
    }

    /// The latest checkpoint of `shards` shards could not be saved yet.
    pub fn unsaved(&self, shards: usize) {
        self.unsaved.set(i64::try_from(shards).unwrap_or(i64::MAX));
    }
}
