//! The one connection to the server: made, watched, and made again when it is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::types::{LongString, ShortString};
use lapin::uri::{AMQPAuthority, AMQPUri};
use lapin::{Channel, ConnectionProperties, Event};
use rustls::ClientConfig;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::declare::{REPLY_SUCCESS, declare};
use super::failure::{Failure, reason};
use super::topology::Topology;
use crate::connection::Backoff;
use crate::telemetry::{BrokerHealth, BrokerMetrics, BrokerState};

/// A connection on which everything is declared.
#[derive(Debug)]
pub(super) struct Link {
    connection: lapin::Connection,
    /// Cancelled when the connection is lost, even if the library leaves somebody waiting.
    pub(super) lost: CancellationToken,
}

/// Where connections are handed out.
#[derive(Debug, Clone)]
pub(super) struct Links {
    current: watch::Receiver<Option<Arc<Link>>>,
    declare_again: Arc<Notify>,
}

/// Owns the connection. Ends with [`Manager::ending`].
#[derive(Debug)]
pub(super) struct Manager {
    pub(super) address: Address,
    /// For an address that asks for it.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) metrics: BrokerMetrics,
    pub(super) health: BrokerHealth,
    current: watch::Sender<Option<Arc<Link>>>,
    declare_again: Arc<Notify>,
    /// Ends the connection, politely.
    ending: CancellationToken,
}

/// Why a connection is watched no longer.
enum Departure {
    Lost(String),
    Ending,
}

impl Link {
    pub(super) async fn channel(&self) -> lapin::Result<Channel> {
        self.connection.create_channel().await
    }

    /// Bytes of the largest frame that the server takes.
    pub(super) fn frame_max(&self) -> usize {
        usize::try_from(self.connection.configuration().frame_max()).unwrap_or(usize::MAX)
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.lost.is_cancelled() && self.connection.status().connected()
    }
}

impl Links {
    /// Waits for a connection that is not lost yet. `None` when there will be none any more. Cancel safe.
    pub(super) async fn live(&mut self) -> Option<Arc<Link>> {
        self.current.wait_for(|link| link.as_ref().is_some_and(|link| link.is_alive())).await.ok()?.clone()
    }

    /// Asks for everything to be declared once more: something has disappeared.
    pub(super) fn declare_again(&self) {
        self.declare_again.notify_one();
    }
}

impl Manager {
    pub(super) fn new(
        address: Address,
        tls: Option<Arc<ClientConfig>>,
        metrics: BrokerMetrics,
        health: BrokerHealth,
        ending: CancellationToken,
    ) -> (Self, Links) {
        let (current, receiver) = watch::channel(None);
        let declare_again = Arc::new(Notify::new());
        let links = Links { current: receiver, declare_again: Arc::clone(&declare_again) };
        (Self { address, tls, metrics, health, current, declare_again, ending }, links)
    }

    /// Keeps a connection. `opened` hears when there is the first, or what the operator must mend before there can be
    /// one; then this ends. Later on, such things are logged, and tried again as everything else.
    pub(super) async fn run(self, topology: Topology, opened: oneshot::Sender<Result<(), Failure>>) {
        let mut opened = Some(opened);
        let mut backoff = Backoff::default();
        let ending = self.ending.clone();
        while !ending.is_cancelled() {
            self.health.set(BrokerState::Connecting);
            match ending.run_until_cancelled(self.establish(&topology)).await {
                None => return,
                Some(Ok(link)) => {
                    tracing::info!("connected to the AMQP server at {}", self.address);
                    if let Some(opened) = opened.take() {
                        // Whoever opened may have gone away meanwhile.
                        let _ = opened.send(Ok(()));
                    }
                    let since = Instant::now();
                    let departure = self.keep(link, &topology).await;
                    let Departure::Lost(reason) = departure else { return };
                    tracing::warn!("the connection to the AMQP server at {} is lost: {reason}", self.address);
                    if since.elapsed() >= LASTING {
                        backoff.reset();
                    }
                }
                Some(Err(failure)) => {
                    self.metrics.connect_failed();
                    match (failure, opened.take()) {
                        (failure @ Failure::Mend(_), Some(opened)) => {
                            let _ = opened.send(Err(failure));
                            return;
                        }
                        (Failure::Mend(text), None) => tracing::error!("{text}"),
                        (Failure::Passing(text), waiting) => {
                            opened = waiting;
                            tracing::warn!("no connection to the AMQP server at {}: {text}", self.address);
                        }
                    }
                }
            }
            let pause = backoff.next_delay();
            tracing::info!("next try at the AMQP server at {} in {} ms", self.address, pause.as_millis());
            ending.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn establish(&self, topology: &Topology) -> Result<Arc<Link>, Failure> {
        let patience = self.address.patience;
        let connection = timeout(patience, self.connect())
            .await
            .map_err(|_| Failure::Passing(format!("no answer within {} ms", patience.as_millis())))?
            .map_err(|error| Failure::connecting(&error, &self.address))?;
        let declaring = declare(&connection, topology);
        let declared = timeout(DECLARING, declaring).await;
        declared.map_err(|_| Failure::Passing("the server did not answer to declarations".to_owned()))??;
        Ok(Arc::new(Link { connection, lost: CancellationToken::new() }))
    }

    /// The library would want certificates of the system even where those of a file are given.
    async fn connect(&self) -> lapin::Result<lapin::Connection> {
        let tls = self.tls.as_ref().map(|tls| RustlsConnector::from(Arc::clone(tls)));
        let open = async move |uri: AMQPUri, runtime| {
            let AMQPAuthority { host, port, .. } = uri.authority;
            let places: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), port)).await?.collect();
            let stream = AsyncTcpStream::connect(&runtime, places).await?;
            match &tls {
                Some(tls) => Ok(stream.into_rustls(tls, &host).await?),
                None => Ok(stream),
            }
        };
        let runtime = lapin::runtime::default_runtime()?;
        let properties = ConnectionProperties::default().with_connection_name(LongString::from(NAME));
        lapin::Connection::connector(self.address.expose(), runtime, open, properties).await
    }

    /// Hands out the connection until it is lost or to be ended.
    async fn keep(&self, link: Arc<Link>, topology: &Topology) -> Departure {
        self.metrics.connected(true);
        self.health.set(BrokerState::Connected);
        self.current.send_replace(Some(Arc::clone(&link)));
        let departure = self.watch(&link, topology).await;
        self.current.send_replace(None);
        if matches!(departure, Departure::Ending) {
            // A server that takes nothing does not answer either.
            let _ = timeout(CLOSING, link.connection.close(REPLY_SUCCESS, ShortString::from("OK"))).await;
        }
        link.lost.cancel();
        self.metrics.connected(false);
        self.health.set(BrokerState::Connecting);
        departure
    }

    async fn watch(&self, link: &Link, topology: &Topology) -> Departure {
        let mut events = std::pin::pin!(link.connection.events_listener());
        let mut look = tokio::time::interval(LOOK);
        let mut blocked = false;
        let mut last_error = None;
        loop {
            tokio::select! {
                biased;
                () = self.ending.cancelled() => return Departure::Ending,
                Some(event) = events.next() => match event {
                    Event::ConnectionBlocked(reason) => tracing::warn!(
                        "the AMQP server at {} takes no messages for now: {reason}. Events wait. See `rabbitmqctl status` for \
                         its alarms",
                        self.address
                    ),
                    Event::ConnectionUnblocked => tracing::info!("the AMQP server at {} takes messages again", self.address),
                    // Of a channel, too: its owner tells.
                    Event::Error(error) => last_error = Some(error),
                    _ => {}
                },
                () = self.declare_again.notified() => {
                    if let Err(failure) = declare(&link.connection, topology).await {
                        tracing::error!("{failure}");
                    }
                }
                _ = look.tick() => {}
            }
            let status = link.connection.status();
            if !status.connected() {
                // Why stands in what the library has told, or is about to.
                while let Some(Some(event)) = events.next().now_or_never() {
                    if let Event::Error(error) = event {
                        last_error = Some(error);
                    }
                }
                return Departure::Lost(last_error.as_ref().map_or_else(|| "the server closed it".to_owned(), reason));
            }
            if blocked != status.blocked() {
                blocked = status.blocked();
                self.metrics.blocked(blocked);
                self.health.set(if blocked { BrokerState::Blocked } else { BrokerState::Connected });
            }
        }
    }
}

/// What RabbitMQ shows for the connection.
const NAME: &str = "spectacles-gateway";
const DECLARING: Duration = Duration::from_secs(60);
const CLOSING: Duration = Duration::from_secs(3);
/// Not every way to lose a connection is told.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that lasted so long was a good one.
const LASTING: Duration = Duration::from_secs(10);
