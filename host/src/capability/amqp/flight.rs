//! One parcel on its way: what of it the server has not dealt with.

use std::future::Future as _;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio_util::sync::CancellationToken;

use super::connection::Link;
use super::declare::short;
use super::failure::answer;
use super::messages::{Message, Messages};
use super::undeliverable::{Refusal, Undeliverable};
use crate::capability::Job;
use crate::connection::Backoff;

/// A channel for publishing.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) link: Arc<Link>,
    pub(super) channel: Channel,
    /// The size of the largest body that the server takes, if it has told.
    pub(super) greatest_body: Option<usize>,
}

/// A parcel, and what of it is not settled. `C` is what a message waits for that was sent.
#[derive(Debug)]
pub(super) struct Flight<T, C = PublisherConfirm> {
    job: Job<Messages, T>,
    /// The messages that are not settled, in order.
    open: Vec<Open<C>>,
}

/// How a flight ends: settled, or back for another line.
pub(super) type Landing<T> = Result<Flight<T>, (Flight<T>, Broken)>;

/// Why a line can be used no longer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection is lost.
    Connection,
    /// The channel alone, as far as is known.
    Channel(lapin::Error),
}

impl Broken {
    /// Of two faults of one line, the one that says more.
    pub(super) fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Connection, _) => self,
            (Self::Channel(error), Self::Channel(_)) if answer(error).is_some() => self,
            _ => other,
        }
    }
}

#[derive(Debug)]
struct Open<C> {
    /// Which of the parcel's messages.
    index: usize,
    state: State<C>,
}

#[derive(Debug)]
enum State<C> {
    Unsent,
    Sent(C),
    Settled,
}

/// A message that goes out next.
struct Outgoing<'a> {
    open: &'a mut Open<PublisherConfirm>,
    message: Message<'a>,
    /// Where its body is among the joined ones, if it had to be joined.
    joined: Range<usize>,
}

impl Line {
    /// Why the server would not take a message; sending it would end the channel or even the connection.
    fn refusal(&self, message: &Message<'_>) -> Option<Refusal> {
        let (size, greatest) = (message.content.size(), self.greatest_body.unwrap_or(usize::MAX));
        if size > greatest {
            let reason = format!(
                "it has {size} bytes, and the server takes {greatest} at most (`max_message_size` in rabbitmq.conf)"
            );
            return Some(Refusal { label: "too_large", reason });
        }
        let (size, greatest) = (message.properties_size() + FRAME, self.link.frame_max());
        (size > greatest).then(|| Refusal {
            label: "properties_too_large",
            reason: format!(
                "its properties and headers have {size} bytes, and the server takes {greatest} at most (`frame_max`)"
            ),
        })
    }
}

impl<T, C: Future<Output = lapin::Result<Confirmation>> + Unpin> Flight<T, C> {
    pub(super) fn new(job: Job<Messages, T>) -> Self {
        let open = (0..job.parcel.len()).map(|index| Open { index, state: State::Unsent }).collect();
        Self { job, open }
    }

    /// How many messages it has.
    pub(super) fn len(&self) -> usize {
        self.job.parcel.len()
    }

    /// How many of its messages are not settled.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Waits until the server has dealt with what was sent. What it did not take is unsent again.
    ///
    /// # Errors
    /// If the line is broken, which `lost` tells too. Then, too, nothing is left between sent and settled.
    pub(super) async fn confirmed(&mut self, lost: &CancellationToken, policy: &Undeliverable) -> Result<(), Broken> {
        let outcome = lost.run_until_cancelled(self.confirm_sent(policy)).await;
        for open in &mut self.open {
            if matches!(open.state, State::Sent(_)) {
                open.state = State::Unsent;
            }
        }
        self.open.retain(|open| !matches!(open.state, State::Settled));
        outcome.ok_or(Broken::Connection)?.map_err(Broken::Channel)
    }

    /// Tells the lane that all is settled.
    pub(super) async fn confirm(self) {
        self.job.confirm().await;
    }

    /// The last one first: a server confirms in order by and large, so that one waking serves the whole parcel.
    async fn confirm_sent(&mut self, policy: &Undeliverable) -> lapin::Result<()> {
        let (mut outcome, mut confirmed) = (Ok(()), 0);
        for open in self.open.iter_mut().rev() {
            let State::Sent(confirm) = &mut open.state else { continue };
            let confirmation = confirm.await;
            open.state = match &confirmation {
                Ok(Confirmation::Ack(_) | Confirmation::NotRequested) => State::Settled,
                Ok(Confirmation::Nack(_)) | Err(_) => State::Unsent,
            };
            match confirmation {
                Ok(Confirmation::Ack(returned)) => {
                    confirmed += 1;
                    if let Some(returned) = returned {
                        policy.returned(returned).await;
                    }
                }
                Ok(_) => {}
                Err(error) => outcome = Err(error),
            }
        }
        policy.metrics.published(confirmed);
        outcome
    }
}

impl<T> Flight<T> {
    /// Sends its next `count` messages that are not sent. Returns when the socket has taken them: that is what holds
    /// back more than the server can take. What is left in `joined` is of no use.
    ///
    /// # Errors
    /// As [`Self::confirmed`].
    pub(super) async fn send(
        &mut self,
        line: &Line,
        policy: &Undeliverable,
        joined: &mut Vec<u8>,
        count: usize,
    ) -> Result<(), Broken> {
        let Err(broken) = self.try_send(line, policy, joined, count).await else { return Ok(()) };
        // It may have been confirmed in part, and what was sent knows better why the channel broke.
        match self.confirmed(&line.link.lost, policy).await {
            Ok(()) => Err(broken),
            Err(other) => Err(other.or(broken)),
        }
    }

    async fn try_send(
        &mut self,
        line: &Line,
        policy: &Undeliverable,
        joined: &mut Vec<u8>,
        count: usize,
    ) -> Result<(), Broken> {
        let Self { job, open } = self;
        let mut open = open.iter_mut().filter(|open| matches!(open.state, State::Unsent)).take(count);
        let mut messages = job.parcel.iter().enumerate();
        loop {
            joined.clear();
            let (mut bytes, mut outgoing) = (0, Vec::new());
            while bytes < TOGETHER
                && let Some(open) = open.next()
                && let Some((_, message)) = messages.find(|(index, _)| *index == open.index)
            {
                if let Some(refusal) = line.refusal(&message) {
                    policy.refused(&message, refusal).await;
                    open.state = State::Settled;
                    continue;
                }
                bytes += message.content.size();
                let start = joined.len();
                if message.whole_body().is_none() {
                    message.write_body(joined);
                }
                outgoing.push(Outgoing { open, message, joined: start..joined.len() });
            }
            if outgoing.is_empty() {
                return Ok(());
            }
            let sending = publish(&line.channel, outgoing, joined);
            line.link.lost.run_until_cancelled(sending).await.ok_or(Broken::Connection)?.map_err(Broken::Channel)?;
        }
    }

    /// Waits until everything is settled. What the server does not take for now (a queue that is full) is sent again
    /// after a pause.
    pub(super) async fn land(mut self, line: Arc<Line>, policy: Arc<Undeliverable>) -> Landing<T> {
        let mut backoff = Backoff::default();
        loop {
            if let Err(broken) = self.confirmed(&line.link.lost, &policy).await {
                return Err((self, broken));
            }
            if self.open.is_empty() {
                return Ok(self);
            }
            policy.metrics.retried(self.open());
            if backoff.failures() == 0 {
                tracing::warn!("the AMQP server did not take {} messages (nack): they are sent again", self.open());
            }
            backoff.wait().await;
            if let Err(broken) = self.send(&line, &policy, &mut Vec::new(), usize::MAX).await {
                return Err((self, broken));
            }
        }
    }

    /// Keeps the first open message as a dead letter.
    pub(super) async fn give_up_first(&mut self, policy: &Undeliverable, reason: String) {
        let Some(first) = self.open.first().map(|open| open.index) else { return };
        if let Some(message) = self.job.parcel.iter().nth(first) {
            policy.refused(&message, Refusal { label: "refused", reason }).await;
        }
        self.open.remove(0);
    }
}

/// Hands all messages to the library before it waits for the first: it writes them to the socket in one go, and wakes
/// this task once. The bodies that are in pieces stand in `joined`.
async fn publish(channel: &Channel, outgoing: Vec<Outgoing<'_>>, joined: &[u8]) -> lapin::Result<()> {
    let mut sending = Vec::with_capacity(outgoing.len());
    let mut outcome = Ok(());
    for Outgoing { open, message, joined: range } in outgoing {
        let body = message.whole_body().unwrap_or_else(|| joined.get(range).unwrap_or_default());
        let (exchange, routing_key) = (short(message.exchange), short(message.routing_key));
        let mut send = Box::pin(channel.basic_publish(exchange, routing_key, MANDATORY, body, message.properties()));
        // The library queues the frames when it is first asked.
        match send.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(confirm)) => open.state = State::Sent(confirm),
            Poll::Ready(Err(error)) => {
                outcome = Err(error);
                break;
            }
            Poll::Pending => sending.push((open, send)),
        }
    }
    // They are written in order, so that the others are ready when the last one is. None is left out after an error:
    // what is queued would be written later, and count as sent on the channel that is opened next.
    while let Some((open, send)) = sending.pop() {
        match send.await {
            Ok(confirm) => open.state = State::Sent(confirm),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

/// What no queue takes comes back.
const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };
/// Bytes that are handed to the library at a time: it copies them.
const TOGETHER: usize = 1 << 20;
/// More than a frame has around the properties.
const FRAME: usize = 64;

#[cfg(test)]
mod tests;
