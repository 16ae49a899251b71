//! What happens to commands from the broker.

use prometheus::{IntCounter, IntCounterVec, Result};

use super::families::Families;

/// The figures of the command router.
#[derive(Debug, Clone)]
pub struct CommandMetrics {
    sent: IntCounter,
    republished: IntCounter,
    refused: IntCounterVec,
}

impl CommandMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        Ok(Self {
            sent: families.counter("gateway_commands_sent_total", "Commands that were written to a shard's socket.")?,
            republished: families.counter(
                "gateway_commands_republished_total",
                "Commands that were given back to the broker because another gateway has their shard.",
            )?,
            refused: families.counters(
                "gateway_commands_refused_total",
                "Commands that can never work, by reason.",
                &["reason"],
            )?,
        })
    }

    /// A command was written to its shard's socket.
    pub fn sent(&self) {
        self.sent.inc();
    }

    /// A command belongs to a shard of another gateway.
    pub fn republished(&self) {
        self.republished.inc();
    }

    /// A command can never work.
    pub fn refused(&self, reason: &'static str) {
        self.refused.with_label_values(&[reason]).inc();
    }
}
