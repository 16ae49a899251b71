//! Whether the gateway is alive, and whether it is ready.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_protocol::ShardId;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Since;

/// How long an event loop may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the gateway's health. Clones are handles of the same.
#[derive(Debug, Clone, Default)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    shards: Mutex<BTreeMap<ShardId, ShardState>>,
    brokers: Mutex<BTreeMap<&'static str, BrokerState>>,
    loops: Mutex<Vec<Arc<EventLoop>>>,
    /// Lanes that have crashed and do not work again yet.
    crashed_lanes: AtomicUsize,
    oldest: Mutex<Vec<Since>>,
    /// How old that may be.
    greatest_age: Mutex<Option<Duration>>,
    ending: AtomicBool,
}

/// How far a shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardState {
    /// Not begun.
    Starting,
    /// Makes its connection.
    Connecting,
    /// Waits until it may identify.
    Queued,
    /// Has sent IDENTIFY and waits for READY.
    Identifying,
    /// Has sent RESUME and takes what it missed.
    Resuming,
    /// Receives events.
    Ready,
    /// Waits before it connects again.
    Waiting,
    /// Has no connection until there is room for its events.
    Parked,
    /// Should hear events, and does not.
    Deaf,
    /// Has crashed, and starts anew.
    Crashed,
    /// Ended.
    Stopped,
}

/// Where a shard says how far it is.
#[derive(Debug)]
pub struct ShardHealth {
    shard: ShardId,
    inner: Arc<Inner>,
}

impl ShardHealth {
    /// The shard is now in that state.
    pub fn set(&self, state: ShardState) {
        lock(&self.inner.shards).insert(self.shard, state);
    }
}

impl Drop for ShardHealth {
    /// A shard whose driver ended.
    fn drop(&mut self) {
        self.set(ShardState::Stopped);
    }
}

/// How the connection to a broker's server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerState {
    /// There is none; it is being made.
    Connecting,
    /// Messages flow.
    Connected,
    /// There is one, but the server takes nothing for now.
    Blocked,
}

/// Where a broker's connection says how it is. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct BrokerHealth {
    broker: &'static str,
    inner: Arc<Inner>,
}

impl BrokerHealth {
    /// The connection is now in that state.
    pub fn set(&self, state: BrokerState) {
        lock(&self.inner.brokers).insert(self.broker, state);
    }
}

/// Where a lane says that it has crashed.
#[derive(Debug)]
pub struct LaneHealth {
    has_crashed: bool,
    inner: Arc<Inner>,
}

impl LaneHealth {
    /// It has crashed, and tries again.
    pub fn crashed(&mut self) {
        if !std::mem::replace(&mut self.has_crashed, true) {
            self.inner.crashed_lanes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It works, again or still.
    pub fn works(&mut self) {
        if std::mem::replace(&mut self.has_crashed, false) {
            self.inner.crashed_lanes.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for LaneHealth {
    /// A lane that has ended.
    fn drop(&mut self) {
        self.works();
    }
}

/// Whether events flow, and why not.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    /// Empty when ready.
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    /// Empty if no broker has a server.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    brokers: BTreeMap<&'static str, BrokerState>,
    shards: Vec<ShardReadiness>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ShardReadiness {
    shard: u32,
    state: ShardState,
}

impl Health {
    /// Adds a shard that this gateway runs.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> ShardHealth {
        let health = ShardHealth { shard, inner: Arc::clone(&self.inner) };
        health.set(ShardState::Starting);
        health
    }

    /// Adds a broker's server, which is not connected yet.
    #[must_use]
    pub fn broker(&self, name: &'static str) -> BrokerHealth {
        let health = BrokerHealth { broker: name, inner: Arc::clone(&self.inner) };
        health.set(BrokerState::Connecting);
        health
    }

    /// Adds a lane.
    #[must_use]
    pub fn lane(&self) -> LaneHealth {
        LaneHealth { has_crashed: false, inner: Arc::clone(&self.inner) }
    }

    /// Adds the oldest event of a lane, which must not be older than [`Self::greatest_age`].
    pub fn watch_oldest(&self, oldest: Since) {
        lock(&self.inner.oldest).push(oldest);
    }

    /// How old an event may be that is not delivered.
    pub fn greatest_age(&self, age: Duration) {
        *lock(&self.inner.greatest_age) = Some(age);
    }

    /// Adds an event loop, which must answer for the gateway to be alive.
    pub fn watch(&self, name: impl Into<String>, handle: Handle) {
        let event_loop = EventLoop { name: name.into(), handle, question: tokio::sync::Mutex::new(None) };
        lock(&self.inner.loops).push(Arc::new(event_loop));
    }

    /// The gateway ends: it is not ready any more, and event loops may be gone.
    pub fn ending(&self) {
        self.inner.ending.store(true, Ordering::Relaxed);
    }

    pub(super) fn readiness(&self) -> Readiness {
        let shards: Vec<_> = lock(&self.inner.shards)
            .iter()
            .map(|(shard, state)| ShardReadiness { shard: shard.0, state: *state })
            .collect();
        let brokers = lock(&self.inner.brokers).clone();
        let any_broker = |wanted| brokers.values().any(|state| *state == wanted);
        let reason = if self.inner.ending.load(Ordering::Relaxed) {
            "the gateway is ending"
        // Before the shards, which start after the broker is there.
        } else if any_broker(BrokerState::Connecting) {
            "the broker is away"
        } else if any_broker(BrokerState::Blocked) {
            "the broker takes nothing for now"
        } else if self.inner.crashed_lanes.load(Ordering::Relaxed) > 0 {
            "a lane has crashed and does not work again yet"
        } else if self.is_stuck() {
            "an event waits to be delivered for longer than buffer.greatest_age"
        } else if shards.is_empty() {
            "no shard is known yet"
        } else {
            shards_reason(&shards)
        };
        Readiness { ready: reason.is_empty(), reason, brokers, shards }
    }

    fn is_stuck(&self) -> bool {
        let Some(greatest) = *lock(&self.inner.greatest_age) else { return false };
        lock(&self.inner.oldest).iter().any(|oldest| oldest.age().is_some_and(|age| age > greatest))
    }

    /// # Errors
    /// The name of an event loop that does not answer.
    pub(super) async fn liveness(&self, patience: Duration) -> Result<(), String> {
        if self.inner.ending.load(Ordering::Relaxed) {
            return Ok(());
        }
        let loops = lock(&self.inner.loops).clone();
        for event_loop in loops {
            if !event_loop.answers(patience).await {
                return Err(event_loop.name.clone());
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct EventLoop {
    name: String,
    handle: Handle,
    /// The one that is not answered yet. There is never a second: a loop that hangs must not collect them.
    question: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl EventLoop {
    async fn answers(&self, patience: Duration) -> bool {
        let answer = async {
            let mut question = self.question.lock().await;
            let outcome = question.get_or_insert_with(|| self.handle.spawn(async {})).await;
            *question = None;
            outcome.is_ok()
        };
        tokio::time::timeout(patience, answer).await.unwrap_or(false)
    }
}

/// What keeps shards from being ready; empty if they are.
fn shards_reason(shards: &[ShardReadiness]) -> &'static str {
    let any = |wanted| shards.iter().any(|shard| shard.state == wanted);
    if any(ShardState::Crashed) {
        "a shard has crashed and starts anew"
    } else if any(ShardState::Deaf) {
        "a shard hears no events although it should"
    } else if any(ShardState::Parked) {
        "a shard has no connection until the broker takes its events"
    } else if shards.iter().any(|shard| shard.state != ShardState::Ready) {
        "not all shards are ready"
    } else {
        ""
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_every_shard_is() {
        let health = Health::default();
        assert_eq!(health.readiness().reason, "no shard is known yet");
        let (one, two) = (health.shard(ShardId(1)), health.shard(ShardId(2)));
        one.set(ShardState::Ready);
        assert_eq!(health.readiness().reason, "not all shards are ready");
        two.set(ShardState::Ready);
        assert!(health.readiness().ready);
        two.set(ShardState::Parked);
        assert!(health.readiness().reason.contains("until the broker takes"), "{:?}", health.readiness());
        two.set(ShardState::Deaf);
        assert_eq!(health.readiness().reason, "a shard hears no events although it should");
        two.set(ShardState::Crashed);
        assert_eq!(health.readiness().reason, "a shard has crashed and starts anew");
        drop(two);
        assert!(!health.readiness().ready, "a shard that ended is not ready");
    }

    #[test]
    fn ready_means_that_the_broker_takes_messages() {
        let health = Health::default();
        let broker = health.broker("amqp");
        assert_eq!(health.readiness().reason, "the broker is away", "and no shard is known yet");
        let shard = health.shard(ShardId(0));
        shard.set(ShardState::Ready);
        broker.set(BrokerState::Blocked);
        assert_eq!(health.readiness().reason, "the broker takes nothing for now");
        broker.set(BrokerState::Connected);
        assert!(health.readiness().ready);
        let json = serde_json::to_string(&health.readiness()).unwrap();
        assert_eq!(json, r#"{"ready":true,"brokers":{"amqp":"connected"},"shards":[{"shard":0,"state":"ready"}]}"#);
        let other = health.broker("redis");
        broker.set(BrokerState::Blocked);
        assert_eq!(health.readiness().reason, "the broker is away", "the worst of them counts");
        other.set(BrokerState::Connected);
        assert_eq!(health.readiness().reason, "the broker takes nothing for now");
    }

    #[test]
    fn ready_means_that_no_lane_crashes_and_no_event_waits_for_long() {
        let health = Health::default();
        let ready = |health: &Health| health.readiness().reason;
        let shard = health.shard(ShardId(0));
        shard.set(ShardState::Ready);
        let mut lane = health.lane();
        lane.crashed();
        lane.crashed();
        assert_eq!(ready(&health), "a lane has crashed and does not work again yet");
        lane.works();
        assert_eq!(ready(&health), "");
        lane.crashed();
        drop(lane);
        assert_eq!(ready(&health), "");

        let oldest = Since::default();
        health.watch_oldest(oldest.clone());
        oldest.set(Some(std::time::Instant::now()));
        assert_eq!(ready(&health), "", "without a limit");
        health.greatest_age(Duration::from_secs(3600));
        assert_eq!(ready(&health), "");
        health.greatest_age(Duration::ZERO);
        while oldest.age() == Some(Duration::ZERO) {
            std::thread::yield_now();
        }
        assert!(ready(&health).starts_with("an event waits"));
        oldest.set(None);
        assert_eq!(ready(&health), "");
    }

    #[test]
    fn an_ending_gateway_is_not_ready() {
        let health = Health::default();
        health.shard(ShardId(0)).set(ShardState::Ready);
        health.ending();
        assert_eq!(health.readiness().reason, "the gateway is ending");
    }

    #[tokio::test]
    async fn an_event_loop_that_hangs_is_named_and_asked_only_once() {
        let health = Health::default();
        health.watch("main", Handle::current());
        assert_eq!(health.liveness(PATIENCE).await, Ok(()));
        // Nobody drives this runtime.
        let hanging = tokio::runtime::Builder::new_current_thread().build().unwrap();
        health.watch("lane-0", hanging.handle().clone());
        for _ in 0..3 {
            assert_eq!(health.liveness(Duration::from_millis(1)).await, Err("lane-0".into()));
        }
        assert_eq!(hanging.metrics().num_alive_tasks(), 1);
        health.ending();
        assert_eq!(health.liveness(PATIENCE).await, Ok(()));
        hanging.shutdown_background();
    }
}
