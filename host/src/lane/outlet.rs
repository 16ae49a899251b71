//! The end of a lane: its adapter instance, and the capabilities that take what it hands over.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::progress::Receipt;
use crate::capability::{self, Claim, Declared, Gone, Outcome, Room};
use crate::component::adapter::{Adapter, AdapterInstance};
use crate::component::call::Call;
use crate::component::{CallError, Command, Message};
use crate::connection::Backoff;
use crate::delivery::{DeadLetter, DeadLetters};
use crate::telemetry::ComponentMetrics;

/// Where a lane's parcels go.
pub type Outputs = capability::Outputs<Ticket>;
type Confirmation = capability::Confirmation<Ticket>;

/// What a parcel is for.
#[derive(Debug, Default)]
pub struct Ticket {
    /// Of the events, one for each part.
    pub(super) receipts: Vec<Receipt>,
    /// Of the commands that go back to the broker.
    pub(super) claims: Vec<Claim>,
}

/// Where the events of a lane go out.
pub(super) struct Outlet {
    adapter: Adapter,
    dead_letters: DeadLetterBox,
    metrics: ComponentMetrics,
    /// `None` before the first use and after a failure.
    instance: Option<AdapterInstance>,
    outputs: Outputs,
    reply: mpsc::Sender<Confirmation>,
    confirmations: mpsc::Receiver<Confirmation>,
    in_flight: usize,
    room: Room,
    /// Emptied, with their room.
    spare_receipts: Vec<Vec<Receipt>>,
    /// Events in a row that were given up with no other one published in between.
    given_up: u32,
}

/// Where events go that the adapter crashes on.
#[derive(Debug, Clone)]
pub struct DeadLetterBox {
    /// The kind of the broker that they were for.
    pub broker: &'static str,
    /// The file.
    pub letters: DeadLetters,
}

impl Outlet {
    pub(super) fn new(
        adapter: Adapter,
        metrics: ComponentMetrics,
        outputs: Outputs,
        dead_letters: DeadLetterBox,
    ) -> Self {
        // One call may hand over a parcel for each capability.
        let (reply, confirmations) = mpsc::channel(2 * outputs.in_flight());
        Self {
            adapter,
            dead_letters,
            metrics,
            instance: None,
            outputs,
            reply,
            confirmations,
            in_flight: 0,
            room: Room::default(),
            spare_receipts: Vec::new(),
            given_up: 0,
        }
    }

    /// Makes the instance, so that a component that cannot start is found before the first event. Answers with what it
    /// declared.
    pub(super) async fn start(&mut self) -> Result<Declared, CallError> {
        Ok(self.instance().await?.capabilities().declared.clone())
    }

    /// Publishes the asked events of `call` in order, and hands on what the adapter produced. What fails is tried again for as
    /// long as it takes; but an event on which the adapter crashes, alone and again and again, becomes a dead letter.
    ///
    /// `receipt` gives the receipt of the event at a position of the batch; each part that awaits a confirmation is reported to
    /// `handed_over` first. `claim` is finished with the last part, or now if there is none.
    pub(super) async fn publish(
        &mut self,
        call: &mut Call,
        receipt: impl Fn(u32) -> Option<Receipt>,
        mut handed_over: impl FnMut(Receipt),
        claim: Option<Claim>,
    ) -> Result<(), Gone> {
        let mut rest = Parts::default();
        loop {
            match self.publish_part(call, rest.tries(call)).await {
                Ok(()) => {
                    self.given_up = 0;
                    self.hand_on(&receipt, &mut handed_over, claim.as_ref()).await?;
                }
                Err(crash) if !rest.split(call) => self.give_up(call, &crash).await,
                Err(_) => continue,
            }
            if !rest.next(call) {
                break;
            }
        }
        if let Some(claim) = claim {
            claim.finish(Outcome::Done);
        }
        Ok(())
    }

    /// # Errors
    /// If the adapter crashed `tries` times on it.
    async fn publish_part(&mut self, call: &mut Call, tries: u32) -> Result<(), CallError> {
        let mut backoff = Backoff::default();
        let mut crashes = 0;
        loop {
            let error = match self.make_instance().await {
                Ok(()) => match self.try_publish(call).await {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        crashes += u32::from(!error.leaves_instance());
                        if crashes >= tries && self.given_up < GIVE_UPS {
                            return Err(error);
                        }
                        error
                    }
                },
                // An adapter that cannot start is not the fault of an event.
                Err(error) => error,
            };
            let delay = backoff.next_delay();
            tracing::warn!(
                component = &**self.adapter.name(),
                "publishing {} events failed: {error}. Next try in {} ms",
                call.batch.asked.len(),
                delay.as_millis()
            );
            tokio::time::sleep(delay).await;
        }
    }

    /// Sends what the adapter has handed over.
    async fn hand_on(
        &mut self,
        receipt: impl Fn(u32) -> Option<Receipt>,
        mut handed_over: impl FnMut(Receipt),
        claim: Option<&Claim>,
    ) -> Result<(), Gone> {
        let Some(instance) = &mut self.instance else { return Ok(()) };
        while let Some(parcel) = instance.capabilities().take_parcel(&mut self.room) {
            let mut receipts = self.spare_receipts.pop().unwrap_or_default();
            receipts.extend(parcel.positions().filter_map(&receipt));
            receipts.iter().copied().for_each(&mut handed_over);
            let ticket = Ticket { receipts, claims: claim.into_iter().cloned().collect() };
            self.outputs.send(parcel, ticket, self.reply.clone()).await?;
            self.in_flight += 1;
        }
        Ok(())
    }

    /// The event must not hold up those behind it.
    async fn give_up(&mut self, call: &Call, crash: &CallError) {
        self.given_up += 1;
        let name = self.adapter.name();
        for event in call.batch.asked_events() {
            tracing::error!(
                component = &**name,
                "{} of shard {} becomes a dead letter, because the adapter crashes on it: {crash}",
                event.name,
                event.shard
            );
            self.dead_letters
                .letters
                .keep(DeadLetter {
                    broker: self.dead_letters.broker,
                    target: format!("component {name}, {} of shard {}", event.name, event.shard),
                    reason: crash.to_string(),
                    body: event.payload.to_vec(),
                })
                .await;
        }
        if self.given_up == GIVE_UPS {
            tracing::error!(
                component = &**name,
                "the adapter crashed on {GIVE_UPS} events in a row, so it is not these that are to blame. From now on it is tried \
                 until it works: mend it, or set another one in broker.component"
            );
        }
    }

    /// Makes a new instance before the next call: the one that there is may be in any state.
    pub(super) fn drop_instance(&mut self) {
        self.instance = None;
    }

    /// Whether a confirmation must be taken before the next `publish`.
    pub(super) fn is_full(&self) -> bool {
        self.in_flight >= self.outputs.in_flight()
    }

    /// Whether everything that was published is confirmed.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight == 0
    }

    /// Waits for the next confirmation, and answers with what its parcel was for. Pends for ever while nothing is in flight.
    /// Cancel safe.
    ///
    /// # Errors
    /// If what is in flight will never be confirmed.
    pub(super) async fn confirmed(&mut self) -> Result<Ticket, Gone> {
        tokio::select! {
            biased;
            // The channel cannot close: this side holds a sender.
            Some(Confirmation { parcel, ticket }) = self.confirmations.recv() => {
                self.in_flight -= 1;
                self.room.take_back(parcel);
                Ok(ticket)
            }
            gone = self.outputs.gone(), if self.in_flight > 0 => Err(gone),
            else => std::future::pending().await,
        }
    }

    /// Takes settled receipts back, for their room.
    pub(super) fn recycle(&mut self, mut receipts: Vec<Receipt>) {
        receipts.clear();
        self.spare_receipts.push(receipts);
    }

    /// Hands an incoming message to the adapter.
    pub(super) async fn receive(&mut self, message: Message<'_>) -> Result<Vec<Command>, CallError> {
        let started = Instant::now();
        let outcome = match self.instance().await {
            Ok(instance) => instance.receive(message).await,
            Err(error) => Err(error),
        };
        self.metrics.called(0, started.elapsed());
        self.noted(outcome)
    }

    /// Ends the instance.
    pub(super) async fn close(mut self) {
        if let Some(instance) = self.instance.take()
            && let Err(error) = instance.close().await
        {
            tracing::warn!(component = &**self.adapter.name(), "close failed: {error}");
        }
    }

    async fn make_instance(&mut self) -> Result<(), CallError> {
        if self.instance.is_some() {
            return Ok(());
        }
        let outcome = self.instance().await.map(drop);
        self.noted(outcome)
    }

    async fn try_publish(&mut self, call: &mut Call) -> Result<(), CallError> {
        let started = Instant::now();
        let outcome = match self.instance().await {
            Ok(instance) => instance.publish(call).await,
            Err(error) => Err(error),
        };
        self.metrics.called(call.batch.asked.len(), started.elapsed());
        if outcome.is_err()
            && let Some(instance) = &mut self.instance
        {
            // All of it will be handed over again.
            instance.capabilities().clear();
        }
        self.noted(outcome)
    }

    async fn instance(&mut self) -> Result<&mut AdapterInstance, CallError> {
        if self.instance.is_none() {
            self.instance = Some(self.adapter.instantiate(self.outputs.capabilities()).await?);
        }
        self.instance.as_mut().ok_or_else(|| CallError::Contract("no instance".into()))
    }

    fn noted<T>(&mut self, outcome: Result<T, CallError>) -> Result<T, CallError> {
        if let Err(error) = &outcome {
            self.metrics.failed(error.reason());
            if !error.leaves_instance() {
                self.instance = None;
            }
        }
        self.metrics.memory(self.instance.as_ref().map_or(0, AdapterInstance::memory_used));
        outcome
    }
}

/// What is still to be published of a batch on which the adapter has crashed. Nothing as long as it has not.
#[derive(Default)]
struct Parts {
    is_split: bool,
    /// The next one last.
    waiting: Vec<Vec<u32>>,
}

impl Parts {
    /// How often the adapter may crash on what `call` asks about. Splitting a batch must not take longer than it has to.
    fn tries(&self, call: &Call) -> u32 {
        if self.is_split && call.batch.asked.len() > 1 { 1 } else { TRIES }
    }

    /// Makes `call` ask about its first half. False if it has only one event.
    fn split(&mut self, call: &mut Call) -> bool {
        let asked = &mut Arc::make_mut(&mut call.batch).asked;
        if asked.len() < 2 {
            return false;
        }
        self.waiting.push(asked.split_off(asked.len() / 2));
        self.is_split = true;
        true
    }

    /// Makes `call` ask about what comes next. False if nothing does.
    fn next(&mut self, call: &mut Call) -> bool {
        let Some(part) = self.waiting.pop() else { return false };
        Arc::make_mut(&mut call.batch).asked = part;
        true
    }
}

/// Crashes of the adapter on one event, or on a batch before it is split.
const TRIES: u32 = 3;
/// Events in a row that may become dead letters. An adapter that crashes on more of them is broken itself.
const GIVE_UPS: u32 = 3;
