//! A shard's connection: what comes from it goes to the machine and the lane, and what the machine wants sent goes to it.

use std::pin::Pin;
use std::time::Instant;

use gateway_protocol::{Action, Address, Envelope, Input, Purpose};

use super::inflate::Inflater;
use super::note::note;
use super::outbox::LaneGone;
use super::task::ShardTask;
use super::transport::{ConnectError, Incoming, Socket};
use crate::discord::{GatewayUrl, connection_url};

/// A shard's connection to Discord.
pub(super) enum Link {
    Down,
    Connecting(Pin<Box<dyn Future<Output = Result<Socket, ConnectError>> + Send>>),
    Up(Box<Socket>, Inflater),
}

/// What came from the link.
pub(super) enum OnLink {
    Connected(Result<Box<Socket>, ConnectError>),
    Incoming(Incoming),
}

impl Link {
    /// The next thing that comes from it. While `paused`, nothing is read. Cancel safe.
    pub(super) async fn next(&mut self, paused: bool) -> OnLink {
        match self {
            Self::Down => std::future::pending().await,
            Self::Connecting(connecting) => OnLink::Connected(connecting.await.map(Box::new)),
            Self::Up(socket, _) if paused => OnLink::Incoming(socket.write_only().await),
            Self::Up(socket, _) => OnLink::Incoming(socket.next().await),
        }
    }
}

impl ShardTask {
    pub(super) fn link_happened(&mut self, happened: OnLink) -> Result<(), LaneGone> {
        let now = Instant::now();
        match happened {
            OnLink::Connected(Ok(socket)) => match Inflater::new(self.parts.compression, self.parts.payload_limit) {
                Ok(inflater) => {
                    self.link = Link::Up(socket, inflater);
                    self.input(now, Input::Connected)
                }
                Err(error) => self.connect_failed(now, &error),
            },
            OnLink::Connected(Err(error)) => self.connect_failed(now, &error),
            OnLink::Incoming(Incoming::Text(text)) => self.received(now, &text, true),
            OnLink::Incoming(Incoming::Binary(bytes)) => self.received(now, &bytes, false),
            OnLink::Incoming(Incoming::Written) => {
                (0..self.claims.written()).for_each(|_| self.parts.command_metrics.sent());
                Ok(())
            }
            OnLink::Incoming(Incoming::Closed(code)) => self.closed(now, code),
            OnLink::Incoming(Incoming::Broken(reason)) => {
                self.parts.metrics.packet_malformed();
                self.undecodable(now, &reason)
            }
        }
    }

    fn connect_failed(&mut self, now: Instant, error: &dyn std::fmt::Display) -> Result<(), LaneGone> {
        tracing::warn!("shard {}: connecting failed: {error}", self.parts.id());
        self.link = Link::Down;
        // A full channel holds the same wish already.
        let _ = self.parts.stale.try_send(());
        self.input(now, Input::ConnectFailed)
    }

    fn closed(&mut self, now: Instant, code: Option<u16>) -> Result<(), LaneGone> {
        self.link_lost();
        match code {
            Some(code) => tracing::info!("shard {}: Discord closed the connection with code {code}", self.parts.id()),
            None => tracing::info!("shard {}: the connection was lost", self.parts.id()),
        }
        self.input(now, Input::Closed(code))
    }

    fn undecodable(&mut self, now: Instant, reason: &str) -> Result<(), LaneGone> {
        tracing::warn!("shard {}: a message cannot be read: {reason}", self.parts.id());
        self.input(now, Input::Undecodable)
    }

    /// One message: the payloads in it go to the machine, and what it dispatches to the lane.
    fn received(&mut self, now: Instant, message: &[u8], is_text: bool) -> Result<(), LaneGone> {
        let Link::Up(_, inflater) = &mut self.link else { return Ok(()) };
        // A text message is plain, whatever the connection's compression.
        let inflated = if is_text { Ok(Some(message)) } else { inflater.push(message) };
        let mut rest = match inflated {
            Ok(Some(text)) => text,
            // More of the payload is to come.
            Ok(None) => return Ok(()),
            Err(error) => {
                self.parts.metrics.inflate_failed();
                return self.undecodable(now, &error.to_string());
            }
        };
        // A message without any payload is a truncated one.
        loop {
            let (envelope, tail) = match Envelope::parse(rest) {
                Ok(parsed) => parsed,
                Err(error) => {
                    self.parts.metrics.packet_malformed();
                    return self.undecodable(now, &error.to_string());
                }
            };
            rest = tail;
            let name = envelope.name.as_deref().unwrap_or_default();
            self.parts.metrics.packet_received(name, envelope.opcode);
            if envelope.opcode == HELLO {
                self.parts.metrics.alive(true);
            }
            self.machine.handle_input(now, Input::Received(&envelope));
            while let Some(action) = self.machine.poll_action() {
                match action {
                    Action::Dispatch { sequence } => {
                        self.outbox.dispatch(sequence, name, envelope.data.unwrap_or("null"))?;
                    }
                    action => note(&self.parts, &mut self.outbox, &mut self.actions, action)?,
                }
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    pub(super) fn connect(&mut self, address: &Address) -> Result<(), LaneGone> {
        let url = match address {
            Address::Base => Ok(self.parts.base.borrow().clone()),
            Address::Resume(url) => url.parse::<GatewayUrl>(),
        };
        let url = match url {
            Ok(url) => connection_url(&url, self.parts.version, self.parts.compression),
            Err(error) => return self.connect_failed(Instant::now(), &error),
        };
        tracing::debug!("shard {}: connecting to {url}", self.parts.id());
        let dialer = self.parts.dialer.clone();
        self.link = Link::Connecting(Box::pin(async move { dialer.connect(&url).await }));
        Ok(())
    }

    pub(super) fn send(&mut self, opcode: u64, text: String, purpose: Purpose) -> Result<(), LaneGone> {
        if let Purpose::Command(token) = purpose {
            self.claims.queued(token, opcode, &text);
        }
        let Link::Up(socket, _) = &mut self.link else { return Ok(()) };
        self.parts.metrics.packet_sent(opcode);
        match socket.queue(text) {
            Ok(()) => Ok(()),
            Err(incoming) => self.link_happened(OnLink::Incoming(incoming)),
        }
    }

    pub(super) fn link_lost(&mut self) {
        self.link = Link::Down;
        self.parts.metrics.alive(false);
    }

    /// What a lost socket had in its buffer goes back to the machine, which knows of the loss by now.
    pub(super) fn take_back_unwritten(&mut self) -> Result<(), LaneGone> {
        if let Link::Down = self.link {
            for command in self.claims.unwritten() {
                self.input(Instant::now(), Input::Unsent(command))?;
            }
        }
        Ok(())
    }
}

/// The opcode of HELLO.
const HELLO: u64 = 10;
