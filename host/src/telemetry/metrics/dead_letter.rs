//! What is kept of messages that a broker never takes.

use prometheus::{IntCounter, IntCounterVec, Result};

use super::families::Families;

/// The figures of the file of dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetterMetrics {
    kept: IntCounterVec,
    failed: IntCounter,
}

impl DeadLetterMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        Ok(Self {
            kept: families.counters(
                "gateway_dead_letters_total",
                "Messages that the broker never takes and that were kept in the file of dead letters.",
                &["broker"],
            )?,
            failed: families.counter(
                "gateway_dead_letters_failed_total",
                "Messages that the broker never takes and that are lost, because the file of dead letters could not be written.",
            )?,
        })
    }

    /// A message of that broker was kept.
    pub fn kept(&self, broker: &'static str) {
        self.kept.with_label_values(&[broker]).inc();
    }

    /// A message could not be kept.
    pub fn failed(&self) {
        self.failed.inc();
    }
}
