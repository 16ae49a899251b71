//! What components do.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::families::Families;

/// Seconds. A call takes microseconds; the time limit is where it ends.
const BUCKETS: [f64; 10] = [0.000_01, 0.000_05, 0.000_25, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The families that all components' figures are in.
#[derive(Debug, Clone)]
pub(super) struct ComponentFamilies {
    calls: HistogramVec,
    events: IntCounterVec,
    failures: IntCounterVec,
    memory: IntGaugeVec,
    verdicts: IntCounterVec,
}

impl ComponentFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        let component = ["component"];
        Ok(Self {
            calls: families.histograms(
                "gateway_component_call_seconds",
                "How long calls of a component took; `_count` is their number.",
                &component,
                &BUCKETS,
            )?,
            events: families.counters(
                "gateway_component_events_total",
                "Events that a component was called with.",
                &component,
            )?,
            failures: families.counters(
                "gateway_component_failures_total",
                "Calls that failed. All but the reason `error` cost the instance.",
                &["component", "reason"],
            )?,
            memory: families.gauges(
                "gateway_component_memory_bytes",
                "Memory of a component, summed over its instances.",
                &component,
            )?,
            verdicts: families.counters(
                "gateway_component_verdicts_total",
                "Verdicts that a filter gave. What it decided for ever is not asked again and not counted.",
                &["component", "verdict"],
            )?,
        })
    }
}

/// The figures of one component in one lane.
#[derive(Debug)]
pub struct ComponentMetrics {
    name: String,
    calls: Histogram,
    events: IntCounter,
    failures: IntCounterVec,
    memory: IntGauge,
    /// What this instance's part of `memory` is.
    own_memory: AtomicI64,
    passed: IntCounter,
    dropped: IntCounter,
}

impl ComponentMetrics {
    pub(super) fn new(name: &str, families: &ComponentFamilies) -> Self {
        Self {
            calls: families.calls.with_label_values(&[name]),
            events: families.events.with_label_values(&[name]),
            failures: families.failures.clone(),
            memory: families.memory.with_label_values(&[name]),
            own_memory: AtomicI64::new(0),
            passed: families.verdicts.with_label_values(&[name, "pass"]),
            dropped: families.verdicts.with_label_values(&[name, "drop"]),
            name: name.to_owned(),
        }
    }

    /// A call with `events` events ended, well or not, after `time`.
    pub fn called(&self, events: usize, time: Duration) {
        self.calls.observe(time.as_secs_f64());
        self.events.inc_by(events as u64);
    }

    /// A call failed.
    pub fn failed(&self, reason: &'static str) {
        self.failures.with_label_values(&[&*self.name, reason]).inc();
    }

    /// The instance uses `bytes` of memory; 0 when it is gone.
    pub fn memory(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let before = self.own_memory.swap(bytes, Ordering::Relaxed);
        if before != bytes {
            self.memory.add(bytes - before);
        }
    }

    /// A filter decided about one event.
    pub fn decided(&self, passes: bool) {
        if passes { &self.passed } else { &self.dropped }.inc();
    }
}

impl Drop for ComponentMetrics {
    fn drop(&mut self) {
        self.memory(0);
    }
}
