//! What lanes and capabilities hand to one another: parcels there, confirmations back.

use thiserror::Error;
use tokio::sync::mpsc;

use super::amqp::{self, Messages};
use super::redis::{self, Commands};
use super::{Capabilities, Contents, stdio};

/// What one call handed over to one capability. It is sent in order, and confirmed as a whole.
#[derive(Debug)]
pub enum Parcel {
    /// Frames for STDOUT.
    Stdio(Contents),
    /// Messages for the AMQP server.
    Amqp(Messages),
    /// Commands for the Redis server.
    Redis(Commands),
}

/// A parcel that is settled: every part of it is delivered, or has met the operator's policy for what cannot be.
#[derive(Debug)]
pub struct Confirmation<T> {
    /// For the lane to empty: what it allocated is freed at the least cost on its own thread.
    pub parcel: Parcel,
    /// What the sender put beside the parcel.
    pub ticket: T,
}

/// A parcel on its way.
#[derive(Debug)]
pub struct Job<P, T> {
    /// What is to be sent.
    pub parcel: P,
    ticket: T,
    reply: mpsc::Sender<Confirmation<T>>,
}

/// The broker will take nothing any more.
#[derive(Debug, Error)]
#[error("{0} is closed")]
pub struct Gone(pub &'static str);

/// STDOUT takes what it gets at once: more would only leave the processor's cache.
const NEARBY: usize = 4;
/// A server confirms after a while. Lanes with little to do send small parcels.
const FAR: usize = 32;

/// Where a lane's parcels go.
#[derive(Debug)]
pub enum Outputs<T> {
    /// To STDOUT.
    Stdio(stdio::Writer<T>),
    /// To the AMQP server.
    Amqp(amqp::Publisher<T>),
    /// To the Redis server, which also answers queries.
    Redis(redis::Publisher<T>, redis::QueryClient),
}

/// The room of parcels that are settled, for later ones.
#[derive(Debug, Default)]
pub struct Room {
    contents: Vec<Contents>,
    messages: Vec<Messages>,
    commands: Vec<Commands>,
}

impl Room {
    /// Takes a settled parcel, for its room.
    pub fn take_back(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Stdio(mut frames) => {
                frames.clear();
                self.contents.push(frames);
            }
            Parcel::Amqp(mut messages) => {
                messages.clear();
                self.messages.push(messages);
            }
            Parcel::Redis(mut commands) => {
                commands.clear();
                self.commands.push(commands);
            }
        }
    }

    pub(super) fn contents(&mut self) -> Contents {
        self.contents.pop().unwrap_or_default()
    }

    pub(super) fn messages(&mut self) -> Messages {
        self.messages.pop().unwrap_or_default()
    }

    pub(super) fn commands(&mut self) -> Commands {
        self.commands.pop().unwrap_or_default()
    }
}

impl Parcel {
    /// The positions in the batch of the events that it holds parts of, one for each part.
    pub fn positions(&self) -> impl Iterator<Item = u32> {
        let (frames, messages, commands) = match self {
            Self::Stdio(frames) => (Some(frames.positions()), None, None),
            Self::Amqp(messages) => (None, Some(messages.positions()), None),
            Self::Redis(commands) => (None, None, Some(commands.positions())),
        };
        let frames = frames.into_iter().flatten();
        frames.chain(messages.into_iter().flatten()).chain(commands.into_iter().flatten())
    }
}

impl<P: Into<Parcel>, T> Job<P, T> {
    /// A parcel with what the sender wants back when it is settled.
    pub fn new(parcel: P, ticket: T, reply: mpsc::Sender<Confirmation<T>>) -> Self {
        Self { parcel, ticket, reply }
    }

    /// Says that the parcel is settled. A lane that has ended no longer asks.
    pub async fn confirm(self) {
        let _ = self.reply.send(Confirmation { parcel: self.parcel.into(), ticket: self.ticket }).await;
    }

    /// As [`Self::confirm`], from a thread that may wait.
    pub fn blocking_confirm(self) {
        let _ = self.reply.blocking_send(Confirmation { parcel: self.parcel.into(), ticket: self.ticket });
    }
}

impl<T: Send + 'static> Outputs<T> {
    /// Sends a parcel. When it is settled, `reply` gets it back with the ticket.
    ///
    /// # Errors
    /// If the broker takes nothing any more.
    pub async fn send(&self, parcel: Parcel, ticket: T, reply: mpsc::Sender<Confirmation<T>>) -> Result<(), Gone> {
        match (parcel, self) {
            (Parcel::Stdio(frames), Self::Stdio(writer)) => writer.write(Job::new(frames, ticket, reply)).await,
            (Parcel::Amqp(messages), Self::Amqp(publisher)) => {
                publisher.publish(Job::new(messages, ticket, reply)).await
            }
            (Parcel::Redis(commands), Self::Redis(publisher, _)) => {
                publisher.publish(Job::new(commands, ticket, reply)).await
            }
            // What is not granted is not linked.
            _ => Err(Gone("the broker of another adapter")),
        }
    }

    /// What an adapter's instance begins with.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        let redis_queries = match self {
            Self::Redis(_, queries) => Some(queries.clone()),
            Self::Stdio(_) | Self::Amqp(_) => None,
        };
        Capabilities { redis_queries, ..Capabilities::default() }
    }

    /// Parcels of one lane that may be on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match self {
            Self::Stdio(_) => NEARBY,
            Self::Amqp(_) | Self::Redis(..) => FAR,
        }
    }

    /// Waits until the broker takes nothing any more. Cancel safe.
    pub async fn gone(&self) -> Gone {
        match self {
            Self::Stdio(writer) => writer.gone().await,
            // Servers come back.
            Self::Amqp(_) | Self::Redis(..) => std::future::pending().await,
        }
    }
}

impl From<Contents> for Parcel {
    fn from(frames: Contents) -> Self {
        Self::Stdio(frames)
    }
}

impl From<Messages> for Parcel {
    fn from(messages: Messages) -> Self {
        Self::Amqp(messages)
    }
}

impl From<Commands> for Parcel {
    fn from(commands: Commands) -> Self {
        Self::Redis(commands)
    }
}
