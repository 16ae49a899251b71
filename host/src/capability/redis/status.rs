//! How things stand with the server, over all connections to it: for log, health and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::telemetry::{BrokerHealth, BrokerMetrics, BrokerState};

/// What all connections report to.
#[derive(Debug, Clone)]
pub(super) struct Status {
    inner: Arc<Inner>,
}

/// What one connection reports to.
#[derive(Debug)]
pub(super) struct Report {
    inner: Arc<Inner>,
    number: usize,
}

#[derive(Debug)]
struct Inner {
    server: String,
    metrics: BrokerMetrics,
    health: BrokerHealth,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: usize,
    states: BTreeMap<usize, State>,
    told: Option<State>,
}

/// How one connection is; of several, the worst counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Fine,
    /// The server answers, but takes nothing.
    Blocked,
    Away,
}

impl Status {
    pub(super) fn new(server: String, metrics: BrokerMetrics, health: BrokerHealth) -> Self {
        Self { inner: Arc::new(Inner { server, metrics, health, table: Mutex::default() }) }
    }

    /// For one connection, which is away at first.
    pub(super) fn report(&self) -> Report {
        let inner = Arc::clone(&self.inner);
        let mut table = inner.table.lock().unwrap_or_else(PoisonError::into_inner);
        let number = table.next;
        table.next += 1;
        drop(table);
        Report { inner, number }
    }
}

impl Report {
    /// The connection stands, and the server takes what it gets.
    pub(super) fn fine(&self) {
        self.set(State::Fine, "");
    }

    /// The server answers, but takes nothing, for this reason.
    pub(super) fn blocked(&self, reason: &str) {
        self.set(State::Blocked, reason);
    }

    /// There is no connection, for this reason.
    pub(super) fn away(&self, reason: &str) {
        self.inner.metrics.connect_failed();
        self.set(State::Away, reason);
    }

    fn set(&self, state: State, reason: &str) {
        let inner = &*self.inner;
        let mut table = inner.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.states.insert(self.number, state);
        inner.tell(&mut table, reason);
    }
}

/// A connection that is closed no longer counts.
impl Drop for Report {
    fn drop(&mut self) {
        let mut table = self.inner.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.states.remove(&self.number);
        if !table.states.is_empty() {
            self.inner.tell(&mut table, "");
        }
    }
}

impl Inner {
    /// Once for each change.
    fn tell(&self, table: &mut Table, reason: &str) {
        let Some(worst) = table.states.values().max().cloned() else { return };
        let before = table.told.replace(worst.clone());
        if before.as_ref() == Some(&worst) {
            return;
        }
        let server = &self.server;
        match &worst {
            State::Fine if before.is_none() => tracing::info!("connected to Redis at {server}"),
            State::Fine => tracing::info!("Redis at {server} is there and takes everything again"),
            State::Blocked => tracing::error!("Redis at {server} takes nothing for now, everything waits: {reason}"),
            State::Away => tracing::warn!("Redis at {server} is away, everything waits and is tried again: {reason}"),
        }
        self.metrics.connected(worst != State::Away);
        self.metrics.blocked(worst == State::Blocked);
        self.health.set(match worst {
            State::Fine => BrokerState::Connected,
            State::Blocked => BrokerState::Blocked,
            State::Away => BrokerState::Connecting,
        });
    }
}
