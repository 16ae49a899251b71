//! Publishing for one lane: parcels go out in order without waiting for one another, and come home in order.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::Either;
use futures_util::stream::FuturesOrdered;
use lapin::options::ConfirmSelectOptions;
use tokio::sync::mpsc;

use super::connection::Links;
use super::failure::{CONTENT_TOO_LARGE, NOT_FOUND, PRECONDITION_FAILED, answer, greatest_message, reason};
use super::flight::{Broken, Flight, Landing, Line};
use super::messages::Messages;
use super::undeliverable::Undeliverable;
use crate::capability::{Gone, Job};
use crate::connection::Backoff;

/// Where a lane hands its parcels over. `T` is what it wants back when they are settled.
#[derive(Debug)]
pub struct Publisher<T> {
    jobs: mpsc::Sender<Job<Messages, T>>,
}

impl<T> Clone for Publisher<T> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone() }
    }
}

impl<T: Send + 'static> Publisher<T> {
    /// Starts a task on the current runtime, which ends with the last handle and when everything is settled.
    pub(super) fn start(links: Links, policy: Arc<Undeliverable>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let task = Task {
            jobs: queue,
            links,
            policy,
            waiting: VecDeque::new(),
            backoff: Backoff::default(),
            greatest_body: None,
            is_careful: false,
            joined: Vec::new(),
        };
        tokio::spawn(task.run());
        Self { jobs }
    }

    /// Queues a parcel. It is confirmed when the server has confirmed each message of it, has returned it as one that
    /// no queue takes, or will never take it and it is kept as a dead letter.
    ///
    /// # Errors
    /// If there will be no connection any more.
    pub async fn publish(&self, job: Job<Messages, T>) -> Result<(), Gone> {
        self.jobs.send(job).await.map_err(|_| Gone("the AMQP server"))
    }
}

struct Task<T> {
    jobs: mpsc::Receiver<Job<Messages, T>>,
    links: Links,
    policy: Arc<Undeliverable>,
    /// To be sent, in order.
    waiting: VecDeque<Flight<T>>,
    backoff: Backoff,
    /// What the server has told of the size of messages, on this connection.
    greatest_body: Option<usize>,
    /// One of those that wait makes the server close the channel: they go one at a time.
    is_careful: bool,
    /// Room for bodies that are in pieces.
    joined: Vec<u8>,
}

impl<T: Send + 'static> Task<T> {
    async fn run(mut self) {
        loop {
            if self.waiting.is_empty() {
                let Some(job) = self.jobs.recv().await else { return };
                self.waiting.push_back(Flight::new(job));
            }
            let Some(line) = self.line().await else { return };
            let Err(broken) = self.publish(&line).await else { return };
            self.policy.metrics.retried(self.waiting.iter().map(Flight::open).sum());
            match broken {
                // The next one is waited for.
                Broken::Connection => self.greatest_body = None,
                Broken::Channel(error) if !line.link.is_alive() && !error.is_amqp_soft_error() => {
                    self.greatest_body = None
                }
                Broken::Channel(error) => self.mend(&error).await,
            }
        }
    }

    /// A new channel, as soon as there can be one. `None` if there will be none any more.
    async fn line(&mut self) -> Option<Arc<Line>> {
        loop {
            let link = self.links.live().await?;
            let opening = async {
                let channel = link.channel().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                lapin::Result::Ok(channel)
            };
            match link.lost.run_until_cancelled(opening).await {
                Some(Ok(channel)) => {
                    let greatest_body = self.greatest_body;
                    return Some(Arc::new(Line { channel, greatest_body, link: Arc::clone(&link) }));
                }
                Some(Err(error)) => {
                    tracing::warn!("no channel for publishing at the AMQP server: {}", reason(&error));
                    self.backoff.wait().await;
                }
                None => {}
            }
        }
    }

    /// Publishes what waits and what comes. Ok when everything is settled and nothing will come any more.
    async fn publish(&mut self, line: &Arc<Line>) -> Result<(), Broken> {
        if self.is_careful {
            self.publish_carefully(line).await?;
            self.is_careful = false;
        }
        let (mut flights, mut on_the_way) = (FuturesOrdered::new(), 0);
        loop {
            let mut flight = tokio::select! {
                biased;
                Some(landed) = flights.next(), if !flights.is_empty() => match landed {
                    Ok(flight) => {
                        on_the_way -= Flight::len(&flight);
                        self.backoff.reset();
                        Flight::confirm(flight).await;
                        continue;
                    }
                    Err((flight, broken)) => return Err(self.take_back(flight, flights, broken).await),
                },
                Some(flight) = self.next(), if on_the_way < ON_THE_WAY => flight,
                else => return Ok(()),
            };
            on_the_way += flight.len();
            if let Err(broken) = flight.send(line, &self.policy, &mut self.joined, usize::MAX).await {
                flights.push_back(Either::Right(std::future::ready(Err((flight, broken)))));
                continue;
            }
            self.joined.shrink_to(ROOM);
            flights.push_back(Either::Left(flight.land(Arc::clone(line), Arc::clone(&self.policy))));
        }
    }

    /// What is to be sent next. Cancel safe.
    async fn next(&mut self) -> Option<Flight<T>> {
        match self.waiting.pop_front() {
            Some(flight) => Some(flight),
            None => self.jobs.recv().await.map(Flight::new),
        }
    }

    /// Puts what is on its way in front of what waits, in order. On a broken line all of it ends. Answers with the
    /// fault that says most.
    async fn take_back(
        &mut self,
        first: Flight<T>,
        mut flights: FuturesOrdered<impl Future<Output = Landing<T>>>,
        mut broken: Broken,
    ) -> Broken {
        let mut back = vec![first];
        while let Some(landed) = flights.next().await {
            back.push(match landed {
                Ok(flight) => flight,
                Err((flight, other)) => {
                    broken = broken.or(other);
                    flight
                }
            });
        }
        while let Some(flight) = back.pop() {
            self.waiting.push_front(flight);
        }
        broken
    }

    /// Publishes what waits, one message at a time. If the channel breaks, it is the first open message that did it.
    async fn publish_carefully(&mut self, line: &Line) -> Result<(), Broken> {
        while let Some(flight) = self.waiting.front_mut() {
            while flight.open() > 0 {
                let before = flight.open();
                flight.send(line, &self.policy, &mut self.joined, 1).await?;
                flight.confirmed(&line.link.lost, &self.policy).await?;
                if flight.open() == before {
                    self.backoff.wait().await;
                }
            }
            if let Some(flight) = self.waiting.pop_front() {
                flight.confirm().await;
            }
        }
        Ok(())
    }

    /// Finds out what made the server close the channel, so that it does not do so for ever.
    async fn mend(&mut self, error: &lapin::Error) {
        match answer(error) {
            Some((PRECONDITION_FAILED | CONTENT_TOO_LARGE, text)) => {
                let greatest = greatest_message(text);
                if greatest.is_some() && greatest != self.greatest_body {
                    self.greatest_body = greatest;
                } else if !self.is_careful {
                    tracing::warn!("the AMQP server does not take one of the messages ({text}): it is looked for");
                    self.is_careful = true;
                } else if let Some(flight) = self.waiting.front_mut() {
                    flight.give_up_first(&self.policy, text.to_owned()).await;
                }
                return;
            }
            Some((NOT_FOUND, text)) => {
                tracing::error!(
                    "the AMQP server lacks an exchange that events go to ({text}). Events wait, what the adapter declares is \
                     declared again; if it is not the adapter's, declare it"
                );
                self.links.declare_again();
            }
            Some((code, text)) => {
                tracing::error!("the AMQP server does not take events ({code} {text}). They wait until it does");
            }
            None => tracing::warn!("the channel for publishing at the AMQP server broke: {}", reason(error)),
        }
        self.backoff.wait().await;
    }
}

/// Parcels that may wait for the task.
const QUEUE: usize = 32;
/// Messages that may wait for the server on one channel before it is given more: at each confirmation the library looks at all
/// of them. It is enough to keep a server busy that is 50 ms away.
const ON_THE_WAY: usize = 2048;
/// Bytes of room that are kept for later parcels.
const ROOM: usize = 2 << 20;
