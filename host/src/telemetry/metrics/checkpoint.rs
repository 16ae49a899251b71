//! How saving sessions goes.

use std::time::Instant;

use prometheus::{IntCounter, IntGauge, Result};

use super::age::{Ages, Since, Unset};
use super::families::Families;

/// The figures of the checkpoint writer.
#[derive(Debug, Clone)]
pub struct CheckpointMetrics {
    saved: IntCounter,
    failed: IntCounter,
    unsaved: IntGauge,
    up_to_date: Since,
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
            up_to_date: Ages::new(
                families,
                "gateway_checkpoint_age_seconds",
                "How long ago the store last had all checkpoints; a crash now delivers again what was delivered since.",
                &[],
                Unset::Zero,
            )?
            .watch(&[]),
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

    /// The store has all checkpoints.
    pub fn up_to_date(&self) {
        self.up_to_date.set(Some(Instant::now()));
    }

    /// The latest checkpoint of `shards` shards could not be saved yet.
    pub fn unsaved(&self, shards: usize) {
        self.unsaved.set(i64::try_from(shards).unwrap_or(i64::MAX));
    }
}
