//! How many sessions may still be started.

use prometheus::{IntCounter, IntGauge, Result};

use super::families::Families;

/// The figures of the identify queue.
#[derive(Debug, Clone)]
pub struct IdentifyMetrics {
    left: IntGauge,
    granted: IntCounter,
}

impl IdentifyMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        Ok(Self {
            left: families.gauge(
                "gateway_identifies_left",
                "Sessions that Discord lets this bot start before its limit resets.",
            )?,
            granted: families.counter("gateway_identifies_total", "Sessions that this gateway tried to start.")?,
        })
    }

    /// Discord says that `left` sessions may still be started.
    pub fn left(&self, left: u32) {
        self.left.set(left.into());
    }

    /// A shard may identify, which leaves `left`.
    pub fn granted(&self, left: u32) {
        self.granted.inc();
        self.left(left);
    }
}
