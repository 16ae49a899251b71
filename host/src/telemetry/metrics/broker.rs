//! How it goes with a broker's server: the connection, what is published there, and what comes from there.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Result};

use super::families::Families;
use crate::capability::Outcome;

/// The families that all brokers' figures are in.
#[derive(Debug, Clone)]
pub(super) struct BrokerFamilies {
    connected: IntGaugeVec,
    blocked: IntGaugeVec,
    changed: GaugeVec,
    connect_failures: IntCounterVec,
    published: IntCounterVec,
    unroutable: IntCounterVec,
    retried: IntCounterVec,
    refused: IntCounterVec,
    received: IntCounterVec,
    skipped: IntCounterVec,
    settled: IntCounterVec,
}

impl BrokerFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        let broker = ["broker"];
        Ok(Self {
            connected: families.gauges(
                "gateway_broker_connected",
                "1 while there is a connection to the broker's server.",
                &broker,
            )?,
            blocked: families.gauges(
                "gateway_broker_blocked",
                "1 while the broker's server is there and takes nothing.",
                &broker,
            )?,
            changed: families.float_gauges(
                "gateway_broker_state_changed_timestamp_seconds",
                "Since when gateway_broker_connected and gateway_broker_blocked are what they are, in seconds since 1970.",
                &broker,
            )?,
            connect_failures: families.counters(
                "gateway_broker_connect_failures_total",
                "Failed tries to connect to the broker's server.",
                &broker,
            )?,
            published: families.counters(
                "gateway_broker_messages_published_total",
                "Messages that the broker's server confirmed.",
                &broker,
            )?,
            unroutable: families.counters(
                "gateway_broker_messages_unroutable_total",
                "Messages that the broker's server returned because nobody takes them.",
                &broker,
            )?,
            retried: families.counters(
                "gateway_broker_messages_retried_total",
                "Messages that were sent again because they were not confirmed.",
                &broker,
            )?,
            refused: families.counters(
                "gateway_broker_messages_refused_total",
                "Messages that the broker's server will never take, by reason.",
                &["broker", "reason"],
            )?,
            received: families.counters(
                "gateway_broker_messages_received_total",
                "Messages that came from the broker's server.",
                &broker,
            )?,
            skipped: families.counters(
                "gateway_broker_messages_skipped_total",
                "Messages from the broker's server that were left out, by reason.",
                &["broker", "reason"],
            )?,
            settled: families.counters(
                "gateway_broker_messages_settled_total",
                "Messages from the broker's server by what became of them.",
                &["broker", "outcome"],
            )?,
        })
    }
}

/// The figures of one broker. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct BrokerMetrics {
    broker: &'static str,
    connected: IntGauge,
    blocked: IntGauge,
    changed: Gauge,
    connect_failures: IntCounter,
    published: IntCounter,
    unroutable: IntCounter,
    retried: IntCounter,
    refused: IntCounterVec,
    received: IntCounter,
    skipped: IntCounterVec,
    done: IntCounter,
    settled_refused: IntCounter,
    returned: IntCounter,
}

impl BrokerMetrics {
    pub(super) fn new(broker: &'static str, families: &BrokerFamilies) -> Self {
        let settled = |outcome: &str| families.settled.with_label_values(&[broker, outcome]);
        let metrics = Self {
            broker,
            connected: families.connected.with_label_values(&[broker]),
            blocked: families.blocked.with_label_values(&[broker]),
            changed: families.changed.with_label_values(&[broker]),
            connect_failures: families.connect_failures.with_label_values(&[broker]),
            published: families.published.with_label_values(&[broker]),
            unroutable: families.unroutable.with_label_values(&[broker]),
            retried: families.retried.with_label_values(&[broker]),
            refused: families.refused.clone(),
            received: families.received.with_label_values(&[broker]),
            skipped: families.skipped.clone(),
            done: settled("done"),
            settled_refused: settled("refused"),
            returned: settled("returned"),
        };
        metrics.set_changed();
        metrics
    }

    /// There is a connection, or there is none any more; then it is not blocked either.
    pub fn connected(&self, connected: bool) {
        self.set(&self.connected, connected);
        if !connected {
            self.set(&self.blocked, false);
        }
    }

    /// The server takes nothing for now, or takes messages again.
    pub fn blocked(&self, blocked: bool) {
        self.set(&self.blocked, blocked);
    }

    /// A try to connect failed.
    pub fn connect_failed(&self) {
        self.connect_failures.inc();
    }

    /// The server confirmed `messages` messages.
    pub fn published(&self, messages: usize) {
        self.published.inc_by(messages as u64);
    }

    /// The server returned `messages` messages, because nobody takes them.
    pub fn unroutable(&self, messages: usize) {
        self.unroutable.inc_by(messages as u64);
    }

    /// `messages` messages are sent again, because nobody knows whether the server has them.
    pub fn retried(&self, messages: usize) {
        self.retried.inc_by(messages as u64);
    }

    /// The server will never take a message.
    pub fn refused_by_broker(&self, reason: &'static str) {
        self.refused.with_label_values(&[self.broker, reason]).inc();
    }

    /// A message came.
    pub fn received(&self) {
        self.received.inc();
    }

    /// A message that came was left out.
    pub fn skipped(&self, reason: &'static str) {
        self.skipped.with_label_values(&[self.broker, reason]).inc();
    }

    /// It is known what became of a message that came.
    pub fn settled(&self, outcome: Outcome) {
        match outcome {
            Outcome::Done => &self.done,
            Outcome::Refused => &self.settled_refused,
            Outcome::Returned => &self.returned,
        }
        .inc();
    }

    fn set(&self, state: &IntGauge, value: bool) {
        if state.get() != i64::from(value) {
            state.set(value.into());
            self.set_changed();
        }
    }

    fn set_changed(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.changed.set(now.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;

    #[test]
    fn the_time_of_a_change_is_that_of_a_change() {
        let broker = Metrics::new().unwrap().broker("amqp");
        assert!(broker.changed.get() > 0.0, "it is not connected since the start");
        let changes = |happen: &dyn Fn()| {
            broker.changed.set(0.0);
            happen();
            broker.changed.get() > 0.0
        };
        assert!(!changes(&|| broker.connected(false)));
        assert!(changes(&|| broker.connected(true)));
        assert!(!changes(&|| broker.connected(true)));
        assert!(changes(&|| broker.blocked(true)));
        assert!(!changes(&|| broker.blocked(true)));
        assert!(changes(&|| broker.connected(false)));
    }
}
