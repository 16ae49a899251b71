//! The handle of the server that the rest of the gateway has.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use gateway_protocol::ShardId;
use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::connection::{Links, Manager};
use super::consumer::{Activity, Consumer};
use super::publisher::Publisher;
use super::topology::Topology;
use super::undeliverable::Undeliverable;
use crate::capability::{Incoming, ServerParts};
use crate::config::CommandPolicy;
use crate::connection::server_tls;

/// The operator's AMQP server. Clones are handles of the same.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    links: Links,
    policy: Arc<Undeliverable>,
    commands: CommandPolicy,
    incoming: mpsc::Sender<Incoming>,
    ready: watch::Receiver<BTreeSet<ShardId>>,
    stopping: watch::Sender<bool>,
    ending: CancellationToken,
    tasks: Mutex<Tasks>,
}

/// Everything that runs for the server, beside the lanes' publishers.
enum Tasks {
    /// Not opened.
    New(Box<Manager>),
    Running {
        manager: JoinHandle<()>,
        consumers: JoinSet<()>,
    },
    /// Closed, or it could not be opened.
    Gone,
}

/// Checks what [`Server::new`] would find wrong.
///
/// # Errors
/// If `amqp.url` is no address, or `amqp.ca_file` cannot be read.
pub fn check(config: &crate::config::Amqp) -> anyhow::Result<()> {
    endpoint(config).map(drop)
}

impl Server {
    /// A server that is not connected yet.
    ///
    /// # Errors
    /// If `amqp.url` is no address, or `amqp.ca_file` cannot be read.
    pub fn new(parts: ServerParts<crate::config::Amqp>) -> anyhow::Result<Self> {
        let ServerParts { config, commands, incoming, ready, dead_letters, metrics, health } = parts;
        let (address, tls) = endpoint(&config)?;
        let ending = CancellationToken::new();
        let (manager, links) = Manager::new(address, tls, metrics.clone(), health, ending.clone());
        let policy = Arc::new(Undeliverable { unroutable: config.unroutable, dead_letters, metrics });
        let stopping = watch::Sender::new(false);
        let tasks = Mutex::new(Tasks::New(Box::new(manager)));
        Ok(Self { inner: Arc::new(Inner { links, policy, commands, incoming, ready, stopping, ending, tasks }) })
    }

    /// A publisher for one lane, with a channel of its own. Its task runs on the current runtime, and ends with the
    /// last handle. Until [`Self::open`] has connected, what it takes waits.
    #[must_use]
    pub fn publisher<T: Send + 'static>(&self) -> Publisher<T> {
        Publisher::start(self.inner.links.clone(), Arc::clone(&self.inner.policy))
    }

    /// Connects, declares the topology, and starts the consumers, each of which consumes while its shard is ready.
    /// While the server is away it tries again, and says so in the log. The connection lives on the current runtime.
    ///
    /// # Errors
    /// What the operator must mend: user and password, the virtual host, a certificate, permissions, or something that exists
    /// with other properties. The text says what to do. Then there will be no connection any more.
    pub async fn open(&self, topology: Topology) -> anyhow::Result<()> {
        let inner = &*self.inner;
        let Tasks::New(manager) = std::mem::replace(&mut *inner.tasks(), Tasks::Gone) else {
            bail!("the AMQP server is opened a second time");
        };
        let consumers = topology.consumers.clone();
        let (opened, outcome) = oneshot::channel();
        let manager = tokio::spawn(manager.run(topology, opened));
        *inner.tasks() = Tasks::Running { manager, consumers: JoinSet::new() };
        outcome.await.map_err(|_| anyhow!("the gateway ended before the AMQP server was there"))??;
        if let Tasks::Running { consumers: running, .. } = &mut *inner.tasks() {
            for consumer in consumers {
                let activity = Activity {
                    shard: consumer.shard,
                    ready: inner.ready.clone(),
                    stopping: inner.stopping.subscribe(),
                };
                let (links, incoming) = (inner.links.clone(), inner.incoming.clone());
                let metrics = inner.policy.metrics.clone();
                running.spawn(Consumer::new(consumer, activity, links, incoming, inner.commands, metrics).run());
            }
        }
        Ok(())
    }

    /// Takes no further messages, and gives back those that nobody has begun. Acknowledgements go on.
    pub fn stop_consuming(&self) {
        self.inner.stopping.send_replace(true);
    }

    /// Ends the connection after what is written on it, acknowledgements too. To be called when the lanes have ended.
    /// Takes a few seconds at most.
    pub async fn close(&self) {
        self.stop_consuming();
        let Tasks::Running { manager, mut consumers } = std::mem::replace(&mut *self.inner.tasks(), Tasks::Gone) else {
            return;
        };
        let stopped = timeout(PATIENCE, async { while consumers.join_next().await.is_some() {} }).await;
        if stopped.is_err() {
            consumers.abort_all();
        }
        self.inner.ending.cancel();
        // The connection's own close is bounded too; a task that panicked has told.
        let _ = timeout(PATIENCE, manager).await;
    }
}

impl Inner {
    fn tasks(&self) -> std::sync::MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("stopping", &*self.inner.stopping.borrow()).finish_non_exhaustive()
    }
}

fn endpoint(config: &crate::config::Amqp) -> anyhow::Result<(Address, Option<Arc<ClientConfig>>)> {
    let address = Address::parse(config.url.expose()).map_err(|error| anyhow!("amqp.url cannot be used: {error}"))?;
    let tls = || server_tls(config.ca_file.as_deref()).context("the AMQP server cannot be reached by TLS");
    let tls = address.is_secure().then(tls).transpose()?;
    Ok((address, tls))
}

const PATIENCE: Duration = Duration::from_secs(5);
