//! How many sessions may still be started, and who waits for one.

use std::time::Instant;

use gateway_protocol::{IdentifyHold, IdentifyReason};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::age::{Ages, Since, Unset};
use super::families::Families;

/// The figures of the identify queue.
#[derive(Debug, Clone)]
pub struct IdentifyMetrics {
    left: IntGauge,
    told: Since,
    reserve: IntGauge,
    granted: IntCounterVec,
    waiting: IntGaugeVec,
    unrecorded: IntCounter,
}

impl IdentifyMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        Ok(Self {
            left: families.gauge(
                "gateway_identifies_left",
                "Sessions that Discord lets this bot start before its limit resets.",
            )?,
            told: Ages::new(
                families,
                "gateway_identifies_left_age_seconds",
                "How long ago Discord told how many sessions may be started.",
                &[],
                Unset::Hidden,
            )?
            .watch(&[]),
            reserve: families.gauge("gateway_identify_reserve", "Session starts that only an operator may spend.")?,
            granted: families.counters(
                "gateway_identifies_total",
                "Sessions that this gateway tried to start.",
                &["reason"],
            )?,
            waiting: families.gauges(
                "gateway_identifies_waiting",
                "Shards that want to start a session and may not yet.",
                &["cause"],
            )?,
            unrecorded: families.counter(
                "gateway_identifies_unrecorded_total",
                "Session starts of which the store holds no record because it could not be written.",
            )?,
        })
    }

    /// Discord has told how many sessions may be started.
    pub fn refreshed(&self) {
        self.told.set(Some(Instant::now()));
    }

    /// As far as known, `left` sessions may be started, of which `reserve` are kept back.
    pub fn left(&self, left: u32, reserve: u32) {
        self.left.set(left.into());
        self.reserve.set(reserve.into());
    }

    /// A shard may identify.
    pub fn granted(&self, reason: IdentifyReason) {
        self.granted.with_label_values(&[reason.label()]).inc();
    }

    /// So many shards wait for that reason.
    pub fn waiting(&self, hold: IdentifyHold, shards: usize) {
        self.waiting.with_label_values(&[hold.label()]).set(i64::try_from(shards).unwrap_or(i64::MAX));
    }

    /// The records of so many session starts could not be written.
    pub fn unrecorded(&self, starts: usize) {
        self.unrecorded.inc_by(starts as u64);
    }
}
