//! How many sessions may still be started, and who waits for one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gateway_protocol::{IdentifyHold, IdentifyReason};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::families::Families;

/// The figures of the identify queue.
#[derive(Debug, Clone)]
pub struct IdentifyMetrics {
    left: IntGauge,
    left_age: Age,
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
            left_age: families.add(Age::new(
                "gateway_identifies_left_age_seconds",
                "How long ago Discord told how many sessions may be started.",
            )?)?,
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
        self.left_age.renew();
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

/// How long ago something was told, at the time of the scrape. Not shown before the first time.
#[derive(Debug, Clone)]
struct Age {
    gauge: Gauge,
    since: Arc<Mutex<Option<Instant>>>,
}

impl Age {
    fn new(name: &str, help: &str) -> Result<Self> {
        Ok(Self { gauge: Gauge::new(name, help)?, since: Arc::default() })
    }

    fn renew(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Collector for Age {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or_else(Vec::new, |since| {
            self.gauge.set(since.elapsed().as_secs_f64());
            self.gauge.collect()
        })
    }
}
