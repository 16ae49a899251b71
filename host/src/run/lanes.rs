//! The lanes of the process: threads, queues and workers.

use std::sync::Arc;

use anyhow::Context as _;
use gateway_protocol::ShardId;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::broker::Broker;
use super::gateway::Telemetry;
use crate::capability::{Declared, Incoming};
use crate::command::Claimed;
use crate::component::adapter::Adapter;
use crate::component::filter::Filter;
use crate::config::OnError;
use crate::delivery::{Budget, event_queue};
use crate::event::Happening;
use crate::lane::{Checkpoint, Lane, LaneParts, LaneThread};

/// Commands that may wait for the router.
const COMMANDS: usize = 64;

/// What the lanes share.
pub(super) struct LaneSetup<'a> {
    /// How many.
    pub(super) count: usize,
    /// All shards, each with the budget that its events take from.
    pub(super) shards: &'a [(ShardId, Arc<Budget>)],
    /// The filters that run in each.
    pub(super) filters: &'a [(Filter, OnError)],
    /// The adapter behind them.
    pub(super) adapter: Adapter,
    /// Where what the adapter publishes goes.
    pub(super) broker: &'a Broker,
    /// What comes in from the broker; the first lane takes it.
    pub(super) incoming: mpsc::Receiver<Incoming>,
    /// Is told how far each shard is.
    pub(super) checkpoint: Arc<dyn Fn(Checkpoint) + Send + Sync>,
    /// Figures and health.
    pub(super) telemetry: &'a Telemetry,
}

/// The running lanes. They end when all their queues are closed and everything in them is delivered.
pub(super) struct Lanes {
    threads: Vec<LaneThread>,
    queues: Vec<mpsc::Sender<Happening>>,
    workers: JoinSet<anyhow::Result<()>>,
}

impl Lanes {
    /// Starts the threads, and the workers on them. The second part is where their commands come out, the third what the
    /// adapter declared.
    ///
    /// # Errors
    /// If a component cannot start, or the system refuses a thread.
    pub(super) async fn start(setup: LaneSetup<'_>) -> anyhow::Result<(Self, mpsc::Receiver<Claimed>, Declared)> {
        let (commands, commands_out) = mpsc::channel(COMMANDS);
        let mut lanes = Self { threads: Vec::new(), queues: Vec::new(), workers: JoinSet::new() };
        let mut incoming = Some(setup.incoming);
        let mut declared = Declared::default();
        for index in 0..setup.count {
            let thread = LaneThread::start(index).context("the system refuses a thread for a lane")?;
            setup.telemetry.health.watch(format!("lane {index}"), thread.handle().clone());
            let (queue, inbox) = event_queue();
            let mine = |shard: &ShardId| lane_of(*shard, setup.count) == index;
            let parts = LaneParts {
                inbox,
                shards: setup.shards.iter().filter(|(shard, _)| mine(shard)).cloned().collect(),
                filters: setup
                    .filters
                    .iter()
                    .map(|(filter, on_error)| {
                        (filter.clone(), *on_error, setup.telemetry.metrics.component(filter.name()))
                    })
                    .collect(),
                adapter: (setup.adapter.clone(), setup.telemetry.metrics.component(setup.adapter.name())),
                outputs: {
                    let _runtime = thread.handle().enter();
                    setup.broker.outputs()?
                },
                incoming: incoming.take(),
                commands: commands.clone(),
                checkpoint: Arc::clone(&setup.checkpoint),
                metrics: setup.telemetry.metrics.lane(index),
            };
            // Instances are made where they run.
            let started = thread.handle().spawn(Lane::start(parts)).await;
            let (lane, same) = started.context("a lane crashed at its start")??;
            declared = same;
            lanes.workers.spawn_on(lane.run(), thread.handle());
            lanes.threads.push(thread);
            lanes.queues.push(queue);
        }
        Ok((lanes, commands_out, declared))
    }

    /// The lane of a shard: where its driver runs, and where its events go.
    #[must_use]
    pub(super) fn of(&self, shard: ShardId) -> Option<(&Handle, &mpsc::Sender<Happening>)> {
        let index = lane_of(shard, self.threads.len());
        Some((self.threads.get(index)?.handle(), self.queues.get(index)?))
    }

    /// Lets the lanes end when their shards have.
    pub(super) fn close(&mut self) {
        self.queues.clear();
    }

    /// Waits for the next worker that ends; `None` when all have. Cancel safe.
    ///
    /// # Errors
    /// Why it could not go on.
    pub(super) async fn next_ended(&mut self) -> Option<anyhow::Result<()>> {
        let ended = self.workers.join_next().await?;
        Some(ended.unwrap_or_else(|error| Err(anyhow::anyhow!("a lane crashed: {error}"))))
    }

    /// Ends the threads. What still runs on them is dropped.
    pub(super) fn stop(self) {
        self.threads.into_iter().for_each(LaneThread::stop);
    }
}

fn lane_of(shard: ShardId, lanes: usize) -> usize {
    usize::try_from(shard.0).unwrap_or_default().checked_rem(lanes).unwrap_or_default()
}
