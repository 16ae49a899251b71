//! What happens in a lane.

use std::time::Instant;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::age::{Ages, Since, Unset};
use super::families::Families;

/// The families that all lanes' figures are in.
#[derive(Debug, Clone)]
pub(super) struct LaneFamilies {
    batches: IntCounterVec,
    events: IntCounterVec,
    settled: IntCounterVec,
    open: IntGaugeVec,
    oldest: Ages,
    crashes: IntCounterVec,
    messages_refused: IntCounter,
}

impl LaneFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        let lane = ["lane"];
        Ok(Self {
            batches: families.counters("gateway_lane_batches_total", "Batches that a lane has taken.", &lane)?,
            events: families.counters("gateway_lane_events_total", "Events in these batches.", &lane)?,
            settled: families.counters(
                "gateway_lane_events_settled_total",
                "Events that a filter dropped or the broker confirmed.",
                &lane,
            )?,
            open: families.gauges(
                "gateway_lane_open_events",
                "Events that a lane has taken and that are not settled.",
                &lane,
            )?,
            oldest: Ages::new(
                families,
                "gateway_oldest_unsettled_seconds",
                "How long ago the lane took the oldest event that is not settled; 0 if there is none.",
                &lane,
                Unset::Zero,
            )?,
            crashes: families.counters(
                "gateway_lane_crashes_total",
                "How often a lane crashed and went on with what it had.",
                &lane,
            )?,
            messages_refused: families.counter(
                "gateway_messages_refused_total",
                "Messages from the broker that the adapter could not read.",
            )?,
        })
    }
}

impl LaneFamilies {
    /// Open events, and settled ones, of the first `lanes` lanes.
    pub(super) fn totals(&self, lanes: usize) -> (u64, u64) {
        let lanes = (0..lanes).map(|lane| lane.to_string());
        lanes.fold((0, 0), |(open, settled), lane| {
            let in_lane = u64::try_from(self.open.with_label_values(&[&lane]).get()).unwrap_or_default();
            (open + in_lane, settled + self.settled.with_label_values(&[&lane]).get())
        })
    }
}

/// The figures of one lane.
#[derive(Debug)]
pub struct LaneMetrics {
    batches: IntCounter,
    events: IntCounter,
    settled: IntCounter,
    open: IntGauge,
    oldest: Since,
    crashes: IntCounter,
    messages_refused: IntCounter,
}

impl LaneMetrics {
    pub(super) fn new(index: usize, families: &LaneFamilies) -> Self {
        let lane = index.to_string();
        Self {
            batches: families.batches.with_label_values(&[&lane]),
            events: families.events.with_label_values(&[&lane]),
            settled: families.settled.with_label_values(&[&lane]),
            open: families.open.with_label_values(&[&lane]),
            oldest: families.oldest.watch(&[&lane]),
            crashes: families.crashes.with_label_values(&[&lane]),
            messages_refused: families.messages_refused.clone(),
        }
    }

    /// A batch of `events` events was taken.
    pub fn batch(&self, events: usize) {
        self.batches.inc();
        self.events.inc_by(events as u64);
    }

    /// A part of an event was confirmed; `settled` if the event is done with by this.
    pub fn settled(&self, settled: bool) {
        if settled {
            self.settled.inc();
        }
    }

    /// `events` events are not settled; the oldest was taken at `oldest`.
    pub fn open(&self, events: usize, oldest: Option<Instant>) {
        self.open.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.oldest.set(oldest);
    }

    /// The age of the oldest event that is not settled, for whoever wants to look at it.
    #[must_use]
    pub fn oldest(&self) -> Since {
        self.oldest.clone()
    }

    /// The lane crashed, and goes on.
    pub fn crashed(&self) {
        self.crashes.inc();
    }

    /// A message from the broker could not be read.
    pub fn message_refused(&self) {
        self.messages_refused.inc();
    }
}

impl Drop for LaneMetrics {
    /// A lane that ended holds nothing.
    fn drop(&mut self) {
        self.open(0, None);
    }
}
