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
use crate::delivery::event_queue;
use crate::event::Happening;
use crate::lane::{CheckpointSink, DeadLetterBox, Lane, LaneParts, LaneShard, LaneThread};
use crate::telemetry::Metrics;

/// Commands that may wait for the router.
const COMMANDS: usize = 64;

/// What the lanes share.
pub(super) struct LaneSetup<'a> {
    /// How many.
    pub(super) count: usize,
    /// All shards.
    pub(super) shards: Vec<LaneShard>,
    /// The filters that run in each.
    pub(super) filters: &'a [(Filter, OnError)],
    /// The adapter behind them.
    pub(super) adapter: Adapter,
    /// Where what the adapter publishes goes.
    pub(super) broker: &'a Broker,
    /// What comes in from the broker; the first lane takes it.
    pub(super) incoming: mpsc::Receiver<Incoming>,
    /// Is told how far each shard is.
    pub(super) checkpoint: CheckpointSink,
    /// Where events go that the adapter crashes on.
    pub(super) dead_letters: DeadLetterBox,
    /// Whether the broker is told of events that are lost.
    pub(super) tells_gaps: bool,
    /// Figures and health.
    pub(super) telemetry: &'a Telemetry,
}

/// The running lanes. They end when all their queues are closed and everything in them is delivered.
pub(super) struct Lanes {
    threads: Vec<LaneThread>,
    queues: Vec<mpsc::Sender<Happening>>,
    workers: JoinSet<anyhow::Result<()>>,
    metrics: Metrics,
}

/// Events that were on their way when a gateway began to end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    events: u64,
    /// All that had ever been settled.
    settled: u64,
}

impl Lanes {
    /// Starts the threads, and the workers on them. The second part is where their commands come out, the third what the
    /// adapter declared.
    ///
    /// # Errors
    /// If a component cannot start, or the system refuses a thread.
    pub(super) async fn start(setup: LaneSetup<'_>) -> anyhow::Result<(Self, mpsc::Receiver<Claimed>, Declared)> {
        let (commands, commands_out) = mpsc::channel(COMMANDS);
        let metrics = setup.telemetry.metrics.clone();
        let mut lanes = Self { threads: Vec::new(), queues: Vec::new(), workers: JoinSet::new(), metrics };
        let mut incoming = Some(setup.incoming);
        let mut declared = Declared::default();
        for index in 0..setup.count {
            let thread = LaneThread::start(index).context("the system refuses a thread for a lane")?;
            setup.telemetry.health.watch(format!("lane {index}"), thread.handle().clone());
            let (queue, inbox) = event_queue();
            let metrics = setup.telemetry.metrics.lane(index);
            setup.telemetry.health.watch_oldest(metrics.oldest());
            let mine = |shard: &ShardId| lane_of(*shard, setup.count) == index;
            let parts = LaneParts {
                inbox,
                shards: setup.shards.iter().filter(|shard| mine(&shard.id)).cloned().collect(),
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
                dead_letters: setup.dead_letters.clone(),
                tells_gaps: setup.tells_gaps,
                gaps: setup.telemetry.metrics.gaps(),
                health: setup.telemetry.health.lane(),
                metrics,
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

    /// What is on its way, now that no shard adds to it. To be asked before [`Self::close`].
    pub(super) fn flight(&self) -> Flight {
        let queued = self.queues.iter().map(|queue| queue.max_capacity() - queue.capacity()).sum::<usize>();
        let (open, settled) = self.metrics.lane_totals(self.threads.len());
        Flight { events: open.saturating_add(queued as u64), settled }
    }

    /// What has become of it, in words.
    pub(super) fn landed(&self, flight: Flight) -> String {
        let (_, settled) = self.metrics.lane_totals(self.threads.len());
        let delivered = settled.saturating_sub(flight.settled).min(flight.events);
        match flight.events {
            0 => "nothing was on its way".to_owned(),
            events if delivered == events => format!("{events} events were on their way, all are delivered"),
            events => {
                format!("{events} events were on their way, {delivered} are delivered, {} are not", events - delivered)
            }
        }
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
