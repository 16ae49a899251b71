//! The loop of a lane: it takes what has arrived, runs it through the chain, and publishes what is left.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use bytes::Bytes;
use futures_util::FutureExt as _;
use gateway_protocol::{Sequence, ShardId};
use tokio::sync::mpsc;

use super::chain::{Chain, Course};
use super::names::Names;
use super::outlet::{Outlet, Ticket};
use super::parts::{CheckpointSink, LaneParts};
use super::progress::{LaneShard, Progress, Receipt};
use crate::capability::{Claim, Declared, Incoming, Outcome};
use crate::command::Claimed;
use crate::component::Message;
use crate::connection::Backoff;
use crate::delivery::{Checkpoint, EventReceiver, GAP_EVENT, Gap, queue};
use crate::event::{Event, Happening};
use crate::panic::panic_text;
use crate::telemetry::{GapMetrics, LaneHealth, LaneMetrics};

/// Events in one batch at most. The crossing into a component costs no less beyond 64, but the turns between the threads do.
pub(crate) const BATCH: usize = 256;

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
    checkpoint: CheckpointSink,
    tells_gaps: bool,
    metrics: LaneMetrics,
    gaps: GapMetrics,
    health: LaneHealth,
    /// What has arrived and is not in the batch yet. Like all that follows, it outlives a crash.
    arrived: VecDeque<Happening>,
    course: Course,
    /// For each event of the batch.
    receipts: Vec<Option<Receipt>>,
    /// Of what is done with.
    settling: Vec<Receipt>,
    /// Whether checkpoints may be missing because of a crash.
    owes_checkpoints: bool,
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
        let mut outlet = Outlet::new(adapter, metrics, parts.outputs, parts.dead_letters);
        let declared = outlet.start().await;
        let declared = declared.map_err(|error| anyhow!("component `{name}` failed at its start: {error}"))?;
        let lane = Self {
            inbox: parts.inbox,
            chain,
            outlet,
            arrived: found_gaps(&parts.shards),
            progress: Progress::new(parts.shards),
            names: Names::default(),
            incoming: parts.incoming,
            commands: parts.commands,
            pending: VecDeque::new(),
            checkpoint: parts.checkpoint,
            tells_gaps: parts.tells_gaps,
            metrics: parts.metrics,
            gaps: parts.gaps,
            health: parts.health,
            course: Course::default(),
            receipts: Vec::new(),
            settling: Vec::new(),
            owes_checkpoints: false,
        };
        Ok((lane, declared))
    }

    /// Works until the shards have ended and what they sent is delivered. A crash loses nothing: what the lane has is worked on
    /// again, by new instances.
    ///
    /// # Errors
    /// If the broker is gone for good, or a filter failed whose `on_error` is `stop`.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut happenings = Vec::with_capacity(BATCH);
        let mut backoff = Backoff::default();
        loop {
            match AssertUnwindSafe(self.turn(&mut happenings)).catch_unwind().await {
                Ok(Ok(Turn::Done)) => break,
                Ok(turn) => {
                    turn?;
                }
                Err(panic) => {
                    self.recover(&panic_text(&*panic));
                    backoff.wait().await;
                    continue;
                }
            }
            if backoff.failures() > 0 {
                backoff.reset();
                self.health.works();
            }
        }
        self.outlet.close().await;
        Ok(())
    }

    /// Does one thing.
    async fn turn(&mut self, happenings: &mut Vec<Happening>) -> anyhow::Result<Turn> {
        // What a crash has left, and what an earlier run has.
        self.arrived.extend(happenings.drain(..));
        self.settle();
        if std::mem::take(&mut self.owes_checkpoints) {
            self.progress.checkpoints().for_each(|(shard, checkpoint)| (self.checkpoint)(shard, checkpoint));
        }
        self.work().await?;
        tokio::select! {
            biased;
            ticket = self.outlet.confirmed() => self.take_confirmation(ticket?),
            count = self.inbox.recv_many(happenings, BATCH), if !self.outlet.is_full() => {
                if count == 0 {
                    return self.finish().await;
                }
                self.arrived.extend(happenings.drain(..));
                self.work().await?;
                self.give_commands_a_turn().await;
            }
            permit = self.commands.clone().reserve_owned(), if !self.pending.is_empty() => match (permit, self.pending.pop_front()) {
                (Ok(permit), Some(command)) => drop(permit.send(command)),
                // The router has ended: the shards are ending too.
                _ => self.pending.clear(),
            },
            Some(incoming) = next(&mut self.incoming), if self.pending.is_empty() => self.receive(incoming).await,
        }
        Ok(Turn::More)
    }

    /// Waits for the rest to be confirmed.
    async fn finish(&mut self) -> anyhow::Result<Turn> {
        while !self.outlet.is_idle() {
            let ticket = self.outlet.confirmed().await?;
            self.take_confirmation(ticket);
        }
        Ok(Turn::Done)
    }

    /// Gets ready to work again on what was worked on when it crashed.
    fn recover(&mut self, crash: &str) {
        self.metrics.crashed();
        self.health.crashed();
        tracing::error!(
            "a lane crashed, which is a fault of the gateway: {crash}. It goes on with the {} events that it had",
            self.receipts.len()
        );
        self.chain.drop_instances();
        self.outlet.drop_instance();
        self.course.passes.fill(true);
        self.owes_checkpoints = true;
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

    /// Takes what has arrived, in order. Only events are worked on together; what lies between them ends a batch.
    async fn work(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        while let Some(happening) = self.arrived.pop_front() {
            match happening {
                Happening::Event(event) => self.take(event, now),
                Happening::SessionStarted(shard, session) => {
                    self.tell(shard, |progress| progress.start_session(shard, session));
                }
                Happening::SessionEnded(shard, gap) => {
                    self.take_gap(shard, gap, now);
                    self.tell(shard, |progress| progress.end_session(shard));
                }
                Happening::Gap(shard, gap) => self.take_gap(shard, gap, now),
                Happening::Republish(event, claim) => {
                    self.finish_batch().await?;
                    self.republish(event, claim).await?;
                }
            }
        }
        self.finish_batch().await
    }

    fn tell(&mut self, shard: ShardId, change: impl FnOnce(&mut Progress) -> Option<Checkpoint>) {
        if let Some(checkpoint) = change(&mut self.progress) {
            (self.checkpoint)(shard, checkpoint);
        }
    }

    /// Adds an event to the batch.
    fn take(&mut self, event: Event, now: Instant) {
        let bytes = queue::event_cost(&event);
        let receipt = self.progress.receive(event.shard, event.sequence, bytes, now);
        self.add(event, receipt);
    }

    /// Counts the gap, and adds the event that tells of it to the batch.
    fn take_gap(&mut self, shard: ShardId, gap: Gap, now: Instant) {
        self.gaps.gap(shard, gap.reason);
        if !self.tells_gaps {
            return;
        }
        let payload = Bytes::from(gap.payload(shard));
        let receipt = self.progress.gap(shard, gap, now);
        if let Some(receipt) = receipt {
            self.save(receipt);
        }
        self.add(Event::new(shard, Sequence(0), GAP_EVENT.into(), payload), receipt);
    }

    fn add(&mut self, event: Event, receipt: Option<Receipt>) {
        self.receipts.push(receipt);
        self.course.names.push(self.names.id(&event.name));
        self.course.passes.push(true);
        self.course.batch().events.push(event);
    }

    async fn finish_batch(&mut self) -> anyhow::Result<()> {
        if self.receipts.is_empty() {
            return Ok(());
        }
        self.metrics.batch(self.receipts.len());
        self.show_open();
        self.course.call.lookups.start_batch();
        self.chain.run(&mut self.course).await?;
        self.publish(None).await?;
        self.settling.extend(self.receipts.drain(..).flatten());
        self.clear_batch();
        self.settle();
        Ok(())
    }

    async fn publish(&mut self, claim: Option<Claim>) -> anyhow::Result<()> {
        self.course.ask_passing();
        if self.course.call.batch.asked.is_empty() {
            return Ok(());
        }
        while self.outlet.is_full() {
            let ticket = self.outlet.confirmed().await?;
            self.take_confirmation(ticket);
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

    fn take_confirmation(&mut self, ticket: Ticket) {
        let Ticket { mut receipts, claims } = ticket;
        self.settling.append(&mut receipts);
        self.outlet.recycle(receipts);
        self.settle();
        claims.into_iter().for_each(|claim| claim.finish(Outcome::Done));
    }

    /// Settles what is done with, and checkpoints once for each run of one shard's events.
    fn settle(&mut self) {
        if self.settling.is_empty() {
            return;
        }
        let mut last: Option<Receipt> = None;
        while let Some(receipt) = self.settling.pop() {
            self.metrics.settled(self.progress.settle(receipt));
            if let Some(before) = last.replace(receipt).filter(|before| !before.is_same_shard(receipt)) {
                self.save(before);
            }
        }
        if let Some(last) = last {
            self.save(last);
        }
        self.show_open();
    }

    fn show_open(&self) {
        self.metrics.open(self.progress.open_events(), self.progress.oldest());
    }

    fn save(&self, receipt: Receipt) {
        if let Some((shard, checkpoint)) = self.progress.checkpoint(receipt) {
            (self.checkpoint)(shard, checkpoint);
        }
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

/// What is left to do.
enum Turn {
    More,
    Done,
}

/// The gaps that an earlier run left, as if they arose now.
fn found_gaps(shards: &[LaneShard]) -> VecDeque<Happening> {
    let of_shard = |shard: &LaneShard| {
        let id = shard.id;
        shard.found.gaps.clone().into_iter().map(move |gap| (id, gap))
    };
    let gaps = shards.iter().flat_map(of_shard);
    gaps.map(|(shard, gap)| {
        tracing::warn!("shard {shard}: lost in an earlier run: {gap}");
        Happening::Gap(shard, gap)
    })
    .collect()
}
