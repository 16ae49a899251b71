//! The broker of a gateway, of whichever kind: where lanes' parcels go, and commands come from.

use anyhow::{Context as _, anyhow};
use tokio::sync::mpsc;

use super::gateway::{Io, Telemetry};
use crate::capability::stdio::{self, Writer, WriterEnd};
use crate::capability::{Declared, Gone, Incoming, ServerParts, amqp, redis};
use crate::command::ReadyShards;
use crate::config::{BrokerType, Choice as _, Config};
use crate::delivery::{self, DeadLetters};
use crate::lane::{Outputs, Ticket};

/// The native side of the capability that the adapter is granted.
pub(super) enum Broker {
    /// The standard streams. The writer is there until the broker is closed.
    Stdio(Option<Writer<Ticket>>, WriterEnd),
    /// An AMQP server.
    Amqp(amqp::Server),
    /// A Redis server or cluster.
    Redis(redis::Server),
}

impl Broker {
    /// Gets ready to connect. What comes in goes to `incoming`, while the shards that it is for are `ready`.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub(super) fn new(
        config: &Config,
        io: Io,
        incoming: mpsc::Sender<Incoming>,
        ready: &ReadyShards,
        dead_letters: &DeadLetters,
        telemetry: &Telemetry,
    ) -> anyhow::Result<Self> {
        match config.broker.kind {
            BrokerType::Stdio => {
                let (writer, end) = Writer::start(io.output).context("STDOUT cannot be written")?;
                if io.reads_input {
                    stdio::read_stdin(incoming).context("STDIN cannot be read")?;
                }
                Ok(Self::Stdio(Some(writer), end))
            }
            BrokerType::Amqp => Ok(Self::Amqp(amqp::Server::new(parts(
                &config.amqp,
                config,
                incoming,
                ready,
                dead_letters,
                telemetry,
            ))?)),
            BrokerType::Redis => Ok(Self::Redis(redis::Server::new(parts(
                &config.redis,
                config,
                incoming,
                ready,
                dead_letters,
                telemetry,
            ))?)),
        }
    }

    /// For one lane. Must be called on its runtime, where what sends its parcels runs.
    ///
    /// # Errors
    /// If the broker is closed.
    pub(super) fn outputs(&self) -> anyhow::Result<Outputs> {
        Ok(match self {
            Self::Stdio(writer, _) => Outputs::Stdio(writer.clone().context("STDOUT is closed")?),
            Self::Amqp(server) => Outputs::Amqp(server.publisher()),
            Self::Redis(server) => Outputs::Redis(server.publisher(), server.query_client()),
        })
    }

    /// Connects, and makes what the adapter declared. While the broker is away, it waits and says so.
    ///
    /// # Errors
    /// What the operator must mend.
    pub(super) async fn open(&self, declared: Declared) -> anyhow::Result<()> {
        match self {
            Self::Stdio(..) => Ok(()),
            Self::Amqp(server) => server.open(declared.amqp).await,
            Self::Redis(server) => server.open(declared.redis).await,
        }
    }

    /// Takes nothing more from it: the gateway ends.
    pub(super) fn stop_consuming(&self) {
        match self {
            // STDIN cannot be called off; nobody takes what comes.
            Self::Stdio(..) => {}
            Self::Amqp(server) => server.stop_consuming(),
            Self::Redis(server) => server.stop_consuming(),
        }
    }

    /// Why it will take nothing any more. Pends while it may. Cancel safe.
    pub(super) async fn failure(&mut self) -> anyhow::Error {
        match self {
            Self::Stdio(_, end) => match end.ended().await {
                Ok(()) => anyhow!("the writer of STDOUT ended early"),
                Err(error) => anyhow::Error::new(error).context("STDOUT cannot be written any more"),
            },
            Self::Amqp(_) | Self::Redis(_) => std::future::pending().await,
        }
    }

    /// Why a lane has ended: it hears that STDOUT is gone before [`Self::failure`] does, which knows more.
    pub(super) async fn explained(&mut self, error: anyhow::Error) -> anyhow::Error {
        match self {
            Self::Stdio(..) if error.chain().any(|cause| cause.is::<Gone>()) => self.failure().await,
            _ => error,
        }
    }

    /// Ends it, when all lanes have ended.
    ///
    /// # Errors
    /// If something was not delivered.
    pub(super) async fn close(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Stdio(writer, end) => {
                *writer = None;
                end.ended().await.context("STDOUT cannot be written any more")
            }
            Self::Amqp(server) => {
                server.close().await;
                Ok(())
            }
            Self::Redis(server) => {
                server.close().await;
                Ok(())
            }
        }
    }
}

fn parts<C: Clone>(
    server: &C,
    config: &Config,
    incoming: mpsc::Sender<Incoming>,
    ready: &ReadyShards,
    dead_letters: &DeadLetters,
    telemetry: &Telemetry,
) -> ServerParts<C> {
    let name = config.broker.kind.name();
    ServerParts {
        config: server.clone(),
        commands: config.broker.commands,
        incoming,
        ready: ready.watch(),
        dead_letters: dead_letters.clone(),
        metrics: telemetry.metrics.broker(name),
        health: telemetry.health.broker(name),
    }
}

/// The file of dead letters, with the thread that writes it.
///
/// # Errors
/// If the system refuses a thread.
pub(super) fn dead_letters(config: &Config, telemetry: &Telemetry) -> anyhow::Result<DeadLetters> {
    let path = config.dead_letters.path.clone().unwrap_or_else(delivery::dead_letters::default_path);
    DeadLetters::start(path, telemetry.metrics.dead_letters()).context("the system refuses a thread for dead letters")
}
