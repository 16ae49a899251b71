//! The end of a lane: its adapter instance, and the capabilities that take what it hands over.

use std::time::Instant;

use tokio::sync::mpsc;

use super::progress::Receipt;
use crate::capability::{self, Claim, Declared, Gone, Outcome, Room};
use crate::component::adapter::{Adapter, AdapterInstance};
use crate::component::call::Call;
use crate::component::{CallError, Command, Message};
use crate::connection::Backoff;
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
}

impl Outlet {
    pub(super) fn new(adapter: Adapter, metrics: ComponentMetrics, outputs: Outputs) -> Self {
        // One call may hand over a parcel for each capability.
        let (reply, confirmations) = mpsc::channel(2 * outputs.in_flight());
        Self {
            adapter,
            metrics,
            instance: None,
            outputs,
            reply,
            confirmations,
            in_flight: 0,
            room: Room::default(),
            spare_receipts: Vec::new(),
        }
    }

    /// Makes the instance, so that a component that cannot start is found before the first event. Answers with what it
    /// declared.
    pub(super) async fn start(&mut self) -> Result<Declared, CallError> {
        Ok(self.instance().await?.capabilities().declared.clone())
    }

    /// Publishes the asked events of `call`, again and again until the adapter succeeds, and hands on what it produced. `receipt`
    /// gives the receipt of the event at a position of the batch; each part that awaits a confirmation is reported to
    /// `handed_over` first. `claims` are finished with the last part, or now if there is none.
    pub(super) async fn publish(
        &mut self,
        call: &mut Call,
        receipt: impl Fn(u32) -> Option<Receipt>,
        mut handed_over: impl FnMut(Receipt),
        claim: Option<Claim>,
    ) -> Result<(), Gone> {
        let mut backoff = Backoff::default();
        while let Err(error) = self.try_publish(call).await {
            let delay = backoff.next_delay();
            tracing::warn!(
                component = &**self.adapter.name(),
                "publishing {} events failed: {error}. Next try in {} ms",
                call.batch.asked.len(),
                delay.as_millis()
            );
            tokio::time::sleep(delay).await;
        }
        let Some(instance) = &mut self.instance else { return Ok(()) };
        while let Some(parcel) = instance.capabilities().take_parcel(&mut self.room) {
            let mut receipts = self.spare_receipts.pop().unwrap_or_default();
            receipts.extend(parcel.positions().filter_map(&receipt));
            receipts.iter().copied().for_each(&mut handed_over);
            let ticket = Ticket { receipts, claims: claim.iter().cloned().collect() };
            self.outputs.send(parcel, ticket, self.reply.clone()).await?;
            self.in_flight += 1;
        }
        if let Some(claim) = claim {
            claim.finish(Outcome::Done);
        }
        Ok(())
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
