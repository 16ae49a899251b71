//! The loop of a lane: it takes what has arrived, runs it through the chain, and publishes what is left.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::anyhow;
use gateway_protocol::ShardId;
use tokio::sync::mpsc;

use super::chain::{Chain, Course};
use super::names::Names;
use super::outlet::{Outlet, Outputs, Ticket};
use super::progress::{Checkpoint, Progress, Receipt};
use crate::capability::{Claim, Declared, Gone, Incoming, Outcome};
use crate::command::Claimed;
use crate::component::Message;
use crate::component::adapter::Adapter;
use crate::component::filter::Filter;
use crate::config::OnError;
use crate::delivery::{Budget, EventReceiver, queue};
use crate::event::{Event, Happening};
use crate::telemetry::{ComponentMetrics, LaneMetrics};

/// Events in one batch at most. The crossing into a component costs no less beyond 64, but the turns between the threads do.
pub(crate) const BATCH: usize = 256;

/// What a lane is made of.
pub struct LaneParts {
    /// Where its shards' happenings come in.
    pub inbox: EventReceiver,
    /// Its shards, with the budgets that their events take from.
    pub shards: Vec<(ShardId, Arc<Budget>)>,
    /// The chain, in order.
    pub filters: Vec<(Filter, OnError, ComponentMetrics)>,
    /// The broker adapter.
    pub adapter: (Adapter, ComponentMetrics),
    /// Where what the adapter publishes goes.
    pub outputs: Outputs,
    /// What came in from the broker. One lane takes it.
    pub incoming: Option<mpsc::Receiver<Incoming>>,
    /// Where the commands in it go.
    pub commands: mpsc::Sender<Claimed>,
    /// Is told how far each shard is.
    pub checkpoint: Arc<dyn Fn(Checkpoint) + Send + Sync>,
    /// Its figures.
    pub metrics: LaneMetrics,
}

/// A worker. It runs until all senders of its inbox are gone and everything is settled.
pub struct Lane {
    inbox: EventReceiver,
    chain: Chain,
    outlet: Outlet,
    progress: Progress,
    names: Names,
    incoming: Option<mpsc::Receiver<Incoming>>,
    commands: mpsc::Sender<Claimed>,
    /// Commands that wait for room in `commands`.
    pending: VecDeque<Claimed>,
    checkpoint: Arc<dyn Fn(Checkpoint) + Send + Sync>,
    metrics: LaneMetrics,
    course: Course,
    /// For each event of the batch.
    receipts: Vec<Option<Receipt>>,
}

impl Lane {
    /// Builds the lane and makes its instances. The second part is what the adapter declared.
    ///
    /// # Errors
    /// If a component cannot start.
    pub async fn start(parts: LaneParts) -> anyhow::Result<(Self, Declared)> {
        let mut chain = Chain::new(parts.filters);
        chain.start().await?;
        let (adapter, metrics) = parts.adapter;
        let name = Arc::clone(adapter.name());
        let mut outlet = Outlet::new(adapter, metrics, parts.outputs);
        let declared = outlet.start().await;
        let declared = declared.map_err(|error| anyhow!("component `{name}` failed at its start: {error}"))?;
        let lane = Self {
            inbox: parts.inbox,
            chain,
            outlet,
            progress: Progress::new(parts.shards),
            names: Names::default(),
            incoming: parts.incoming,
            commands: parts.commands,
            pending: VecDeque::new(),
            checkpoint: parts.checkpoint,
            metrics: parts.metrics,
            course: Course::default(),
            receipts: Vec::new(),
        };
        Ok((lane, declared))
    }

    /// Works until the shards have ended and what they sent is delivered.
    ///
    /// # Errors
    /// If the broker is gone for good, or a filter failed whose `on_error` is `stop`.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut happenings = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                taken = take_confirmation(&mut self.outlet, &mut self.progress, &*self.checkpoint, &self.metrics) => taken?,
                count = self.inbox.recv_many(&mut happenings, BATCH), if !self.outlet.is_full() => {
                    if count == 0 {
                        break;
                    }
                    self.work(&mut happenings).await?;
                    self.give_commands_a_turn().await;
                }
                permit = self.commands.clone().reserve_owned(), if !self.pending.is_empty() => match (permit, self.pending.pop_front()) {
                    (Ok(permit), Some(command)) => drop(permit.send(command)),
                    // The router has ended: the shards are ending too.
                    _ => self.pending.clear(),
                },
                Some(incoming) = next(&mut self.incoming), if self.pending.is_empty() => self.receive(incoming).await,
            }
        }
        while !self.outlet.is_idle() {
            take_confirmation(&mut self.outlet, &mut self.progress, &*self.checkpoint, &self.metrics).await?;
        }
        self.outlet.close().await;
        Ok(())
    }

    /// An inbox that never runs dry must not keep commands waiting.
    async fn give_commands_a_turn(&mut self) {
        while !self.pending.is_empty()
            && let Ok(permit) = self.commands.try_reserve()
            && let Some(command) = self.pending.pop_front()
        {
            permit.send(command);
        }
        if self.pending.is_empty()
            && let Some(incoming) = self.incoming.as_mut().and_then(|incoming| incoming.try_recv().ok())
        {
            self.receive(incoming).await;
        }
    }

    /// Takes happenings in order. Only events are worked on together; what lies between them ends a batch.
    async fn work(&mut self, happenings: &mut Vec<Happening>) -> anyhow::Result<()> {
        for happening in happenings.drain(..) {
            let checkpoint = match happening {
                Happening::Event(event) => {
                    self.take(event);
                    continue;
                }
                Happening::SessionStarted(shard, session) => self.progress.start_session(shard, session),
                Happening::SessionEnded(shard) => self.progress.end_session(shard),
                Happening::Republish(event, claim) => {
                    self.finish_batch().await?;
                    self.republish(event, claim).await?;
                    continue;
                }
            };
            checkpoint.into_iter().for_each(&*self.checkpoint);
        }
        self.finish_batch().await
    }

    /// Adds an event to the batch.
    fn take(&mut self, event: Event) {
        let bytes = queue::event_cost(&event);
        self.receipts.push(self.progress.receive(event.shard, event.sequence, bytes));
        self.course.names.push(self.names.id(&event.name));
        self.course.passes.push(true);
        self.course.batch().events.push(event);
    }

    async fn finish_batch(&mut self) -> anyhow::Result<()> {
        if self.receipts.is_empty() {
            return Ok(());
        }
        self.metrics.batch(self.receipts.len());
        self.course.call.lookups.start_batch();
        self.chain.run(&mut self.course).await?;
        self.publish(None).await?;
        let (progress, metrics) = (&mut self.progress, &self.metrics);
        settle_all(self.receipts.drain(..).flatten(), progress, &*self.checkpoint, metrics);
        self.metrics.open(self.progress.open_events());
        self.clear_batch();
        Ok(())
    }

    async fn publish(&mut self, claim: Option<Claim>) -> anyhow::Result<()> {
        self.course.ask_passing();
        if self.course.call.batch.asked.is_empty() {
            return Ok(());
        }
        while self.outlet.is_full() {
            take_confirmation(&mut self.outlet, &mut self.progress, &*self.checkpoint, &self.metrics).await?;
        }
        let Self { outlet, course, receipts, progress, .. } = self;
        let receipt = |position: u32| receipts.get(usize::try_from(position).ok()?).copied().flatten();
        outlet.publish(&mut course.call, receipt, |receipt| progress.hand_over(receipt), claim).await?;
        Ok(())
    }

    /// Publishes what is not from Discord. Filters have no say in it, and no session waits for it.
    async fn republish(&mut self, event: Event, claim: Claim) -> anyhow::Result<()> {
        self.receipts.push(None);
        self.course.passes.push(true);
        self.course.batch().events.push(event);
        self.course.call.lookups.start_batch();
        self.publish(Some(claim)).await?;
        self.receipts.clear();
        self.clear_batch();
        Ok(())
    }

    fn clear_batch(&mut self) {
        self.course.names.clear();
        self.course.passes.clear();
        let batch = self.course.batch();
        batch.events.clear();
        batch.asked.clear();
    }

    async fn receive(&mut self, incoming: Incoming) {
        let (source, body, claim) = match incoming {
            Incoming::Message { source, body, claim } => (source, body, claim),
            Incoming::Unreadable { source, reason } => {
                self.metrics.message_refused();
                tracing::warn!("{source}: {reason}");
                return;
            }
        };
        match self.outlet.receive(Message { source: &source, body: &body }).await {
            Ok(commands) => {
                self.pending.extend(commands.into_iter().map(|command| Claimed { command, claim: claim.clone() }));
                claim.finish(Outcome::Done);
            }
            Err(error) => {
                self.metrics.message_refused();
                tracing::warn!("{source}: a message of {} bytes was dropped: {error}", body.len());
                claim.finish(Outcome::Refused);
            }
        }
    }
}

async fn next(incoming: &mut Option<mpsc::Receiver<Incoming>>) -> Option<Incoming> {
    match incoming {
        Some(channel) => channel.recv().await,
        None => std::future::pending().await,
    }
}

async fn take_confirmation(
    outlet: &mut Outlet,
    progress: &mut Progress,
    checkpoint: &(dyn Fn(Checkpoint) + Send + Sync),
    metrics: &LaneMetrics,
) -> Result<(), Gone> {
    let Ticket { mut receipts, claims } = outlet.confirmed().await?;
    settle_all(receipts.drain(..), progress, checkpoint, metrics);
    claims.into_iter().for_each(|claim| claim.finish(Outcome::Done));
    outlet.recycle(receipts);
    Ok(())
}

/// Settles, and checkpoints once for each run of one shard's events.
fn settle_all(
    receipts: impl Iterator<Item = Receipt>,
    progress: &mut Progress,
    checkpoint: &(dyn Fn(Checkpoint) + Send + Sync),
    metrics: &LaneMetrics,
) {
    let mut last: Option<Receipt> = None;
    for receipt in receipts {
        metrics.settled(progress.settle(receipt));
        if let Some(before) = last.replace(receipt).filter(|before| !before.is_same_shard(receipt)) {
            progress.checkpoint(before).into_iter().for_each(checkpoint);
        }
    }
    if let Some(last) = last {
        progress.checkpoint(last).into_iter().for_each(checkpoint);
    }
}
