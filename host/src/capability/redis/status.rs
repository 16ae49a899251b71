//! How things stand with the server, over all connections to it: for log, health and metrics.

use std::collections::{BTreeMap, BTreeSet};
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
    /// How each connection is, and why.
    states: BTreeMap<usize, (State, String)>,
    told: Option<State>,
    /// What was told since all was fine.
    reasons: BTreeSet<String>,
}

/// How one connection is; of several, the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
        table.states.insert(self.number, (state, reason.to_owned()));
        inner.tell(&mut table);
    }
}

/// A connection that is closed no longer counts.
impl Drop for Report {
    fn drop(&mut self) {
        let mut table = self.inner.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.states.remove(&self.number);
        if !table.states.is_empty() {
            self.inner.tell(&mut table);
        }
    }
}

impl Inner {
    /// Each reason once until all is fine again: who was away may now refuse the password.
    fn tell(&self, table: &mut Table) {
        let Some(worst) = table.states.values().map(|(state, _)| *state).max() else { return };
        let before = table.told.replace(worst);
        let server = &self.server;
        if worst == State::Fine {
            table.reasons.clear();
            match before {
                None => tracing::info!("connected to Redis at {server}"),
                Some(State::Fine) => {}
                Some(_) => tracing::info!("Redis at {server} is there and takes everything again"),
            }
        }
        for (state, reason) in table.states.values().filter(|(state, _)| *state != State::Fine) {
            if table.reasons.len() >= REASONS || !table.reasons.insert(reason.clone()) {
                continue;
            }
            match state {
                State::Away => {
                    tracing::warn!("Redis at {server} is away, everything waits and is tried again: {reason}");
                }
                _ => tracing::error!("Redis at {server} takes nothing for now, everything waits: {reason}"),
            }
        }
        if before == Some(worst) {
            return;
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

/// Reasons that are told at most.
const REASONS: usize = 16;
