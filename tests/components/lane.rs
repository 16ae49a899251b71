//! A lane in a test: events go in, lines come out, and its figures tell the rest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gateway_protocol::{Sequence, Session, ShardId};
use gateway_tests::{PATIENCE, guest};
use serde_json::{Value, json};
use spectacles_gateway::capability::stdio::Writer;
use spectacles_gateway::capability::{Claim, Incoming};
use spectacles_gateway::command::Claimed;
use spectacles_gateway::component::adapter::AdapterCode;
use spectacles_gateway::component::engine::Engine;
use spectacles_gateway::component::filter::Filter;
use spectacles_gateway::component::limits::Limits;
use spectacles_gateway::component::loader::Source;
use spectacles_gateway::component::sandbox::Environment;
use spectacles_gateway::config::{BrokerType, OnError};
use spectacles_gateway::delivery::queue::event_cost;
use spectacles_gateway::delivery::{Budget, Checkpoint, DeadLetters, Gap, event_queue};
use spectacles_gateway::event::{Event, Happening};
use spectacles_gateway::lane::{DeadLetterBox, Lane, LaneParts, LaneShard, Outputs};
use spectacles_gateway::telemetry::{Health, Metrics};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::output::Output;

/// The ids of a shard's sessions.
const FIRST_SESSION: &str = "test";
const NEXT_SESSION: &str = "next";

/// For components that do not hang: no test fails because the machine is busy.
const AMPLE: Duration = Duration::from_secs(60);

/// A filter of the chain.
#[derive(Clone)]
pub(crate) struct TestFilter {
    component: String,
    config: Value,
    events: Option<Vec<String>>,
    on_error: OnError,
    limits: Limits,
}

impl TestFilter {
    /// The hostile filter in that mode.
    pub(crate) fn hostile(mode: &str) -> Self {
        Self { config: json!({ "mode": mode }), ..Self::guest("hostile-filter") }
    }

    /// A guest of `tests/guests`.
    pub(crate) fn guest(name: &str) -> Self {
        Self::component(guest(name).to_str().unwrap(), json!({}))
    }

    /// Any component.
    pub(crate) fn component(component: &str, config: Value) -> Self {
        let limits = Limits { time: AMPLE, ..Limits::default() };
        Self { component: component.into(), config, events: None, on_error: OnError::Pass, limits }
    }

    /// What it is called in logs and metrics.
    pub(crate) fn name(&self) -> String {
        Path::new(&self.component).file_stem().unwrap().to_str().unwrap().into()
    }

    pub(crate) fn on_error(self, on_error: OnError) -> Self {
        Self { on_error, ..self }
    }

    pub(crate) fn events(self, events: &[&str]) -> Self {
        Self { events: Some(events.iter().map(|&event| event.into()).collect()), ..self }
    }

    pub(crate) fn time(mut self, time: Duration) -> Self {
        self.limits.time = time;
        self
    }

    fn prepare(self, metrics: &Metrics) -> (Filter, OnError) {
        let source = Source::read(&self.component).unwrap();
        let environment = environment(self.limits, metrics);
        (Filter::prepare(&source, &self.config, self.events, environment).unwrap(), self.on_error)
    }
}

/// A lane to be started.
pub(crate) struct LaneSetup {
    filters: Vec<TestFilter>,
    adapter_mode: String,
    adapter_time: Duration,
    shards: u32,
    found: Checkpoint,
    tells_gaps: bool,
    crashes_at: Option<u64>,
}

impl LaneSetup {
    /// One shard, these filters, and the hostile adapter, which as long as it is not told to misbehave writes
    /// `NAME shard sequence payload` for each event.
    pub(crate) fn new(filters: impl IntoIterator<Item = TestFilter>) -> Self {
        let filters = filters.into_iter().collect();
        Self {
            filters,
            adapter_mode: "well-behaved".into(),
            adapter_time: AMPLE,
            shards: 1,
            found: Checkpoint::default(),
            tells_gaps: false,
            crashes_at: None,
        }
    }

    /// What an earlier run left of each shard. Gaps are published.
    pub(crate) fn found(self, found: Checkpoint) -> Self {
        Self { found, tells_gaps: true, ..self }
    }

    /// The lane crashes once, when the shard's first checkpoint at that sequence or beyond is due.
    pub(crate) fn crashes_at(self, sequence: u64) -> Self {
        Self { crashes_at: Some(sequence), ..self }
    }

    pub(crate) fn adapter_mode(self, mode: &str) -> Self {
        Self { adapter_mode: mode.into(), ..self }
    }

    pub(crate) fn adapter_time(self, adapter_time: Duration) -> Self {
        Self { adapter_time, ..self }
    }

    pub(crate) fn shards(self, shards: u32) -> Self {
        Self { shards, ..self }
    }

    /// Starts the lane, with a new session of each shard.
    pub(crate) async fn start(self) -> TestLane {
        self.try_start().await.unwrap()
    }

    pub(crate) async fn try_start(self) -> anyhow::Result<TestLane> {
        let metrics = Metrics::new()?;
        let adapter = Source::read(guest("hostile-adapter").to_str().unwrap())?;
        let limits = Limits { time: self.adapter_time, ..Limits::default() };
        let config = json!({ "group": self.adapter_mode });
        let adapter = AdapterCode::prepare(&adapter, BrokerType::Stdio, environment(limits, &metrics))?;
        let adapter = adapter.with_config(&config);
        let adapter_metrics = metrics.component(adapter.name());
        let filters = self.filters.into_iter().map(|filter| filter.prepare(&metrics));
        let whole = Budget::new(1 << 30);
        let budgets: BTreeMap<_, _> = (0..self.shards).map(|shard| (ShardId(shard), whole.part(1 << 30))).collect();
        let output = Output::default();
        let (writer, _) = Writer::start(output.clone())?;
        let (queue, inbox) = event_queue();
        let (incoming, incoming_out) = mpsc::channel(16);
        let (commands, commands_out) = mpsc::channel(16);
        let checkpoints: Arc<Mutex<BTreeMap<ShardId, Checkpoint>>> = Arc::default();
        let noted = Arc::clone(&checkpoints);
        let crash = Mutex::new(self.crashes_at);
        let folder = tempfile::tempdir()?;
        let dead_letters = folder.path().join("dead-letters.ndjson");
        let letters = DeadLetters::start(dead_letters.clone(), metrics.dead_letters())?;
        let found = self.found;
        let shard = |(id, budget): (&ShardId, &Arc<Budget>)| LaneShard {
            id: *id,
            budget: Arc::clone(budget),
            found: found.clone(),
        };
        let (lane, _) = Lane::start(LaneParts {
            inbox,
            shards: budgets.iter().map(shard).collect(),
            filters: filters
                .map(|(filter, on_error)| {
                    let metrics = metrics.component(filter.name());
                    (filter, on_error, metrics)
                })
                .collect(),
            adapter: (adapter, adapter_metrics),
            outputs: Outputs::Stdio(writer),
            incoming: Some(incoming_out),
            commands,
            checkpoint: Arc::new(move |shard, checkpoint| {
                let sequence = checkpoint.session.as_ref().map_or(0, |session| session.sequence.0);
                if crash.lock().unwrap().take_if(|crash| *crash <= sequence).is_some() {
                    panic!("as the test wants it");
                }
                noted.lock().unwrap().insert(shard, checkpoint);
            }),
            dead_letters: DeadLetterBox { broker: "stdio", letters },
            tells_gaps: self.tells_gaps,
            metrics: metrics.lane(0),
            gaps: metrics.gaps(),
            health: Health::default().lane(),
        })
        .await?;
        for shard in budgets.keys() {
            let session = Session { id: FIRST_SESSION.into(), resume_url: None, sequence: Sequence(0) };
            queue.try_send(Happening::SessionStarted(*shard, session)).unwrap();
        }
        Ok(TestLane {
            queue: Some(queue),
            sequences: BTreeMap::new(),
            sessions: BTreeMap::new(),
            budgets,
            output,
            incoming,
            commands: commands_out,
            checkpoints,
            folder,
            metrics,
            lane: tokio::spawn(lane.run()),
        })
    }
}

/// A running lane. What a test sends between two waits comes to it at once.
pub(crate) struct TestLane {
    pub(crate) output: Output,
    pub(crate) incoming: mpsc::Sender<Incoming>,
    pub(crate) commands: mpsc::Receiver<Claimed>,
    queue: Option<mpsc::Sender<Happening>>,
    sequences: BTreeMap<u32, u64>,
    /// Of the shards that are not in their first one.
    sessions: BTreeMap<u32, &'static str>,
    budgets: BTreeMap<ShardId, Arc<Budget>>,
    checkpoints: Arc<Mutex<BTreeMap<ShardId, Checkpoint>>>,
    folder: TempDir,
    metrics: Metrics,
    lane: JoinHandle<anyhow::Result<()>>,
}

impl TestLane {
    /// Sends the next event of a shard.
    pub(crate) fn event(&mut self, shard: u32, name: &str, payload: &str) {
        let sequence = self.sequences.entry(shard).or_default();
        *sequence += 1;
        let session = self.sessions.get(&shard).copied().unwrap_or(FIRST_SESSION);
        let event = event(shard, *sequence, name, payload).of_session(Some(session.into()));
        assert!(self.budgets[&ShardId(shard)].try_reserve(event_cost(&event)));
        self.send(Happening::Event(event));
    }

    /// Ends the shard's session, and begins another one.
    pub(crate) fn next_session(&mut self, shard: u32, gap: Gap) {
        self.sequences.remove(&shard);
        self.sessions.insert(shard, NEXT_SESSION);
        self.send(Happening::SessionEnded(ShardId(shard), gap));
        let session = Session { id: NEXT_SESSION.into(), resume_url: None, sequence: Sequence(0) };
        self.send(Happening::SessionStarted(ShardId(shard), session));
    }

    /// Sends a command that belongs to another gateway.
    pub(crate) fn republish(&self, name: &str, payload: &str, claim: Claim) {
        self.send(Happening::Republish(event(0, 0, name, payload), claim));
    }

    fn send(&self, happening: Happening) {
        self.queue.as_ref().unwrap().try_send(happening).unwrap();
    }

    /// Ends the shards, and waits until the lane has done with what they sent.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<()> {
        self.queue = None;
        timeout(PATIENCE, &mut self.lane).await.unwrap().unwrap()
    }

    /// Waits until all events so far are settled.
    pub(crate) async fn settled(&self) {
        let sent = self.sequences.values().sum::<u64>() as f64;
        until(|| self.figure("gateway_lane_events_settled_total{lane=\"0\"}") == sent).await;
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.output.lines()
    }

    /// Up to which event the shard's session would be resumed from now. With nothing delivered, it is not resumed.
    pub(crate) fn checkpoint(&self, shard: u32) -> Option<u64> {
        let session = self.checkpoints.lock().unwrap().get(&ShardId(shard))?.session.clone();
        session.map(|session| session.sequence.0).filter(|sequence| *sequence > 0)
    }

    /// What a later run would have to tell of the shard.
    pub(crate) fn gaps(&self, shard: u32) -> Vec<Gap> {
        self.checkpoints
            .lock()
            .unwrap()
            .get(&ShardId(shard))
            .map(|checkpoint| checkpoint.gaps.clone())
            .unwrap_or_default()
    }

    /// The lines of the file of dead letters.
    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("dead-letters.ndjson")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Bytes of the shard's budget that are in use.
    pub(crate) fn queued(&self, shard: u32) -> usize {
        self.budgets[&ShardId(shard)].used()
    }

    /// The value of a time series, spelt as in the metrics; 0 if it is not there.
    pub(crate) fn figure(&self, series: &str) -> f64 {
        let text = self.figures();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// All figures.
    pub(crate) fn figures(&self) -> String {
        self.metrics.render().unwrap()
    }

    /// Failed calls of a component.
    pub(crate) fn failures(&self, component: &str, reason: &str) -> f64 {
        self.figure(&format!("gateway_component_failures_total{{component=\"{component}\",reason=\"{reason}\"}}"))
    }

    /// Events that the hostile filter says it was asked about.
    pub(crate) fn asked(&self) -> f64 {
        self.figure("gateway_component_counter{component=\"hostile_filter\",name=\"asked\"}")
    }
}

fn event(shard: u32, sequence: u64, name: &str, payload: &str) -> Event {
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    Event::new(ShardId(shard), Sequence(sequence), name.into(), payload)
}

/// Waits until it is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

fn environment(limits: Limits, metrics: &Metrics) -> Environment {
    // Compiling is the same for all tests.
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let here = std::env::current_exe().unwrap();
        let cache = here.parent().and_then(Path::parent).unwrap().join("test-cache").join("lanes");
        Engine::new(Some(&cache)).unwrap()
    });
    Environment { engine: ENGINE.clone(), limits, figures: metrics.guests() }
}
