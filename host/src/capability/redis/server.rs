//! The Redis server or cluster, for all who use it.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::consumer::{Phase, Reader, ReaderParts, create_group, group_to_mend};
use super::publisher::{Pipe, PipeParts};
use super::status::Status;
use super::{Commands, Consumer, QueryClient, cluster};
use crate::capability::{Gone, Job, ServerParts};
use crate::config;
use crate::connection::{Backoff, RedisAddress, to_mend};

/// A Redis server or cluster. Clones are the same one.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    parts: ServerParts<config::Redis>,
    address: RedisAddress,
    status: Status,
    phase: watch::Sender<Phase>,
    queries: QueryClient,
    readers: tokio::sync::Mutex<JoinSet<()>>,
    pipes: Mutex<Pipes>,
}

/// The connections that parcels go out on.
#[derive(Default)]
struct Pipes {
    publishers: usize,
    /// The sender to each one, whatever the lane's ticket is.
    senders: Vec<Box<dyn Any + Send>>,
}

/// Sends parcels of one lane.
#[derive(Debug)]
pub struct Publisher<T> {
    jobs: mpsc::Sender<Job<Commands, T>>,
}

/// Parcels that may wait for a connection.
const JOBS: usize = 32;
/// How long the last acknowledgements may take.
const CLOSING: Duration = Duration::from_secs(5);

impl Server {
    /// Checks the address and the CA file. It connects to nothing.
    ///
    /// # Errors
    /// If these cannot be used. The text says what to do, and holds no secret.
    pub fn new(parts: ServerParts<config::Redis>) -> anyhow::Result<Self> {
        let address = RedisAddress::new(&parts.config)?;
        let status = Status::new(address.to_string(), parts.metrics.clone(), parts.health.clone());
        let queries = QueryClient::new(address.clone());
        let (phase, _) = watch::channel(Phase::Running);
        let (readers, pipes) = (tokio::sync::Mutex::default(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { parts, address, status, phase, queries, readers, pipes }) })
    }

    /// For one lane. Its connection is a task on the current runtime, with `redis.pool_size` of them lanes share connections: whoever
    /// ends a runtime has to end all lanes first.
    #[must_use]
    pub fn publisher<T: Send + 'static>(&self) -> Publisher<T> {
        let mut pipes = self.inner.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let number = pipes.publishers;
        pipes.publishers += 1;
        let pool = usize::try_from(self.inner.parts.config.pool_size).unwrap_or(usize::MAX).max(1);
        let shared = pipes.senders.get(number % pool).and_then(|sender| sender.downcast_ref::<mpsc::WeakSender<_>>());
        if let Some(jobs) = shared.and_then(mpsc::WeakSender::upgrade) {
            return Publisher { jobs };
        }
        let (jobs, receiver) = mpsc::channel(JOBS);
        let weak: Box<dyn Any + Send> = Box::new(jobs.downgrade());
        match pipes.senders.get_mut(number % pool) {
            Some(sender) => *sender = weak,
            None => pipes.senders.push(weak),
        }
        self.spawn(receiver);
        Publisher { jobs }
    }

    /// Makes the consumer groups, and begins to read each stream as soon as its shard is ready. While the server is away it
    /// tries again; log and health say so.
    ///
    /// # Errors
    /// What the operator has to mend: credentials, database, certificate, a key that is no stream. The text says what to do.
    pub async fn open(&self, consumers: Vec<Consumer>) -> anyhow::Result<()> {
        let report = self.inner.status.report();
        let mut backoff = Backoff::default();
        while let Err(error) = self.create_groups(&consumers).await? {
            report.away(&error.to_string());
            backoff.wait().await;
        }
        report.fine();
        let mut groups = BTreeMap::<String, Vec<Consumer>>::new();
        for consumer in consumers {
            groups.entry(consumer.group.clone()).or_default().push(consumer);
        }
        let mut readers = self.inner.readers.lock().await;
        for consumers in groups.into_values() {
            readers.spawn(self.reader(consumers).run());
        }
        Ok(())
    }

    /// From now on nothing is read any more; acknowledgements still go out.
    pub fn stop_consuming(&self) {
        self.set_phase(Phase::Draining);
    }

    /// After the lanes have ended: sends the last acknowledgements, and closes the connections that were read from.
    pub async fn close(&self) {
        self.set_phase(Phase::Closed);
        let mut readers = self.inner.readers.lock().await;
        let ended = async { while readers.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSING, ended).await.is_err() {
            tracing::warn!("Redis did not take the last acknowledgements in time: these commands will come again");
            readers.abort_all();
        }
    }

    /// For single commands with their answers.
    #[must_use]
    pub fn query_client(&self) -> QueryClient {
        self.inner.queries.clone()
    }

    fn spawn<T: Send + 'static>(&self, jobs: mpsc::Receiver<Job<Commands, T>>) {
        let parts = PipeParts {
            address: self.inner.address.clone(),
            jobs,
            report: self.inner.status.report(),
            metrics: self.inner.parts.metrics.clone(),
            dead_letters: self.inner.parts.dead_letters.clone(),
        };
        // It ends by itself when the last publisher is dropped.
        if self.inner.address.is_cluster() {
            tokio::spawn(cluster::run(parts));
        } else {
            tokio::spawn(Pipe::new(parts).run());
        }
    }

    fn reader(&self, consumers: Vec<Consumer>) -> Reader {
        let parts = &self.inner.parts;
        let reader = ReaderParts {
            address: self.inner.address.clone(),
            greatest_age: parts.commands.greatest_age,
            incoming: parts.incoming.clone(),
            ready: parts.ready.clone(),
            phase: self.inner.phase.subscribe(),
            metrics: parts.metrics.clone(),
        };
        Reader::new(reader, self.inner.status.report(), consumers)
    }

    /// The outer error is for the operator, the inner one passes.
    async fn create_groups(&self, consumers: &[Consumer]) -> anyhow::Result<Result<(), redis::RedisError>> {
        let mut connection = match self.inner.address.connect().await {
            Ok(connection) => connection,
            Err(error) => return to_mend(&error).map_or(Ok(Err(error)), |advice| Err(anyhow::Error::msg(advice))),
        };
        for consumer in consumers {
            if let Err(error) = create_group(&mut connection, consumer, &consumer.start).await {
                let advice = group_to_mend(&error, consumer);
                return advice.map_or(Ok(Err(error)), |advice| Err(anyhow::Error::msg(advice)));
            }
        }
        Ok(Ok(()))
    }

    fn set_phase(&self, phase: Phase) {
        self.inner.phase.send_if_modified(|current| {
            let is_later = phase > *current;
            *current = phase.max(*current);
            is_later
        });
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("address", &self.inner.address).finish_non_exhaustive()
    }
}

impl<T> Clone for Publisher<T> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone() }
    }
}

impl<T> Publisher<T> {
    /// Queues a parcel. It is confirmed when each of its commands has been carried out, or is kept as a dead letter.
    ///
    /// # Errors
    /// If the runtime of the connection has ended.
    pub async fn publish(&self, job: Job<Commands, T>) -> Result<(), Gone> {
        self.jobs.send(job).await.map_err(|_| REDIS_GONE)
    }

    /// Waits until it takes nothing any more. Cancel safe.
    pub async fn gone(&self) -> Gone {
        self.jobs.closed().await;
        REDIS_GONE
    }
}

const REDIS_GONE: Gone = Gone("Redis");
