//! The driver of one shard: it does what the pure [`Shard`] machine says, and decides nothing about the protocol.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Instant;

use gateway_protocol::{Action, Address, Envelope, FatalClose, Finish, Input, Phase, Purpose, Shard, ShardId};
use tokio::sync::{mpsc, watch};
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::claims::Claims;
use super::identify_queue::{IdentifyQueue, Permit};
use super::inflate::Inflater;
use super::note::{note, shown};
use super::outbox::{LaneGone, Outbox};
use super::transport::{ConnectError, Dialer, Incoming, Socket};
use crate::command::{ClaimedPacket, ReadyShards};
use crate::config::Compression;
use crate::delivery::EventSender;
use crate::discord::{GatewayUrl, connection_url};
use crate::telemetry::{CommandMetrics, ShardHealth, ShardMetrics};

/// What a shard's task is made of.
pub struct ShardParts {
    /// The protocol.
    pub machine: Shard,
    /// Which one it is.
    pub id: ShardId,
    /// The way to its lane.
    pub events: EventSender,
    /// Commands for Discord, in order.
    pub commands: mpsc::Receiver<ClaimedPacket>,
    /// Where permits come from.
    pub identifies: IdentifyQueue,
    /// Opens sockets.
    pub dialer: Dialer,
    /// Where to connect without a session.
    pub base: watch::Receiver<GatewayUrl>,
    /// Asks for a fresh base address.
    pub stale: mpsc::Sender<()>,
    /// The API's version, for the address.
    pub version: u8,
    /// How its connections are compressed.
    pub compression: Compression,
    /// The largest payload in bytes.
    pub payload_limit: usize,
    /// Told to end, and to keep the session.
    pub stop: CancellationToken,
    /// Its figures.
    pub metrics: ShardMetrics,
    /// Those of all commands.
    pub command_metrics: CommandMetrics,
    /// Where it says how far it is.
    pub health: ShardHealth,
    /// Where it says whether it takes commands.
    pub ready: ReadyShards,
}

/// How a shard ended.
#[derive(Debug)]
pub enum ShardEnd {
    /// It was told to. Its session can be resumed.
    Stopped,
    /// Discord will not have it.
    Fatal(FatalClose),
    /// Its lane is gone.
    LaneGone,
}

enum Link {
    Down,
    Connecting(Pin<Box<dyn Future<Output = Result<Socket, ConnectError>> + Send>>),
    Up(Box<Socket>, Inflater),
}

/// A shard at work.
pub struct ShardTask {
    parts: ShardParts,
    outbox: Outbox,
    link: Link,
    permit: Option<Permit>,
    /// What the machine wants done with the link, in order.
    actions: VecDeque<Action>,
    claims: Claims,
    ready: bool,
    paused: bool,
    stopping: bool,
    phase: Phase,
    end: Option<ShardEnd>,
}

impl ShardTask {
    /// A shard that begins to connect when it is run.
    #[must_use]
    pub fn new(parts: ShardParts) -> Self {
        let outbox = Outbox::new(parts.id, parts.events.clone());
        Self {
            parts,
            outbox,
            link: Link::Down,
            permit: None,
            actions: VecDeque::new(),
            claims: Claims::default(),
            ready: false,
            paused: false,
            stopping: false,
            phase: Phase::Idle,
            end: None,
        }
    }

    /// Runs until told to stop, or until Discord or the lane ends it.
    pub async fn run(mut self) -> ShardEnd {
        let ended = self.work().await;
        if let Link::Up(socket, _) = self.link {
            // The machine did not end this: its lane is gone.
            socket.close(Some(KEEPS_SESSION)).await;
        }
        self.parts.metrics.alive(false);
        self.parts.ready.set(self.parts.id, false);
        match (ended, self.end) {
            (Err(LaneGone), _) => ShardEnd::LaneGone,
            (Ok(()), end) => end.unwrap_or(ShardEnd::Stopped),
        }
    }

    async fn work(&mut self) -> Result<(), LaneGone> {
        let mut timer = std::pin::pin!(sleep_until(tokio::time::Instant::now()));
        self.input(Instant::now(), Input::Start)?;
        loop {
            self.perform().await?;
            if self.end.is_some() {
                return self.hand_over_rest().await;
            }
            self.pause_or_resume()?;
            self.show_phase();
            let deadline = self.parts.machine.poll_timeout();
            let now = Instant::now();
            // A flood must not keep the timer from its turn.
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.input(now, Input::Timeout)?;
                continue;
            }
            arm(timer.as_mut(), deadline);
            // The lane shares the thread. What it works on soon is still in the processor's cache.
            if self.outbox.is_lane_busy() {
                tokio::task::yield_now().await;
                if self.input_behind_flood()? {
                    continue;
                }
            }
            self.next_input(timer.as_mut(), deadline.is_some()).await?;
        }
    }

    /// A link that never runs dry must not keep the rest from its turn. True if there was something.
    fn input_behind_flood(&mut self) -> Result<bool, LaneGone> {
        if !self.stopping && self.parts.stop.is_cancelled() {
            self.stopping = true;
            self.input(Instant::now(), Input::Stop)?;
            return Ok(true);
        }
        if self.takes_commands()
            && let Ok(packet) = self.parts.commands.try_recv()
        {
            let command = self.claims.keep(packet);
            self.input(Instant::now(), Input::Command(command))?;
            return Ok(true);
        }
        Ok(false)
    }

    fn takes_commands(&self) -> bool {
        self.ready && self.parts.machine.wants_command()
    }

    /// Waits for whatever comes first, and tells the machine.
    async fn next_input(&mut self, timer: Pin<&mut Sleep>, armed: bool) -> Result<(), LaneGone> {
        let takes_commands = self.takes_commands();
        tokio::select! {
            biased;
            happened = next_on_link(&mut self.link, self.paused) => self.link_happened(happened),
            () = self.parts.stop.cancelled(), if !self.stopping => {
                self.stopping = true;
                self.input(Instant::now(), Input::Stop)
            }
            unblocked = self.outbox.unblock(), if self.paused => unblocked,
            () = granted(&mut self.permit) => {
                self.permit = None;
                self.input(Instant::now(), Input::IdentifyGranted)
            }
            () = timer, if armed => self.input(Instant::now(), Input::Timeout),
            Some(packet) = self.parts.commands.recv(), if takes_commands => {
                let command = self.claims.keep(packet);
                self.input(Instant::now(), Input::Command(command))
            }
        }
    }

    fn link_happened(&mut self, happened: OnLink) -> Result<(), LaneGone> {
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
        tracing::warn!("shard {}: connecting failed: {error}", self.parts.id);
        self.link = Link::Down;
        // A full channel holds the same wish already.
        let _ = self.parts.stale.try_send(());
        self.input(now, Input::ConnectFailed)
    }

    fn closed(&mut self, now: Instant, code: Option<u16>) -> Result<(), LaneGone> {
        self.link_lost();
        match code {
            Some(code) => tracing::info!("shard {}: Discord closed the connection with code {code}", self.parts.id),
            None => tracing::info!("shard {}: the connection was lost", self.parts.id),
        }
        self.input(now, Input::Closed(code))
    }

    fn undecodable(&mut self, now: Instant, reason: &str) -> Result<(), LaneGone> {
        tracing::warn!("shard {}: a message cannot be read: {reason}", self.parts.id);
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
            self.parts.machine.handle_input(now, Input::Received(&envelope));
            while let Some(action) = self.parts.machine.poll_action() {
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

    fn input(&mut self, now: Instant, input: Input<'_>) -> Result<(), LaneGone> {
        self.parts.machine.handle_input(now, input);
        while let Some(action) = self.parts.machine.poll_action() {
            note(&self.parts, &mut self.outbox, &mut self.actions, action)?;
        }
        Ok(())
    }

    /// Does what the machine wants done with the link.
    async fn perform(&mut self) -> Result<(), LaneGone> {
        self.perform_all().await?;
        self.take_back_unwritten()?;
        self.perform_all().await
    }

    async fn perform_all(&mut self) -> Result<(), LaneGone> {
        while let Some(action) = self.actions.pop_front() {
            match action {
                Action::Connect(address) => self.connect(&address)?,
                Action::Send { opcode, text, purpose } => self.send(opcode, text.into_string(), purpose)?,
                Action::RequestIdentify(reason) => {
                    self.permit = Some(self.parts.identifies.request(self.parts.id, reason));
                }
                Action::CancelIdentify => self.permit = None,
                Action::Disconnect(code) => {
                    if let Link::Up(socket, _) = std::mem::replace(&mut self.link, Link::Down) {
                        socket.close(code).await;
                    }
                    self.link_lost();
                }
                Action::Ready => self.show_ready(true),
                Action::Unready => self.show_ready(false),
                Action::CommandRefused(token) => {
                    self.parts.command_metrics.refused(NOT_SENT);
                    self.claims.give_back(token);
                }
                Action::Finished(Finish::Stopped { .. }) => self.end = Some(ShardEnd::Stopped),
                Action::Finished(Finish::Fatal(fatal)) => self.end = Some(ShardEnd::Fatal(fatal)),
                _ => {}
            }
        }
        Ok(())
    }

    fn connect(&mut self, address: &Address) -> Result<(), LaneGone> {
        let url = match address {
            Address::Base => Ok(self.parts.base.borrow().clone()),
            Address::Resume(url) => url.parse::<GatewayUrl>(),
        };
        let url = match url {
            Ok(url) => connection_url(&url, self.parts.version, self.parts.compression),
            Err(error) => return self.connect_failed(Instant::now(), &error),
        };
        tracing::debug!("shard {}: connecting to {url}", self.parts.id);
        let dialer = self.parts.dialer.clone();
        self.link = Link::Connecting(Box::pin(async move { dialer.connect(&url).await }));
        Ok(())
    }

    fn send(&mut self, opcode: u64, text: String, purpose: Purpose) -> Result<(), LaneGone> {
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

    fn link_lost(&mut self) {
        self.link = Link::Down;
        self.parts.metrics.alive(false);
    }

    /// What a lost socket had in its buffer goes back to the machine, which knows of the loss by now.
    fn take_back_unwritten(&mut self) -> Result<(), LaneGone> {
        if let Link::Down = self.link {
            for command in self.claims.unwritten() {
                self.input(Instant::now(), Input::Unsent(command))?;
            }
        }
        Ok(())
    }

    fn show_ready(&mut self, ready: bool) {
        self.ready = ready;
        self.parts.ready.set(self.parts.id, ready);
    }

    /// Reading stops while the lane has no room. The machine knows, so that unread acknowledgements are not missed ones.
    fn pause_or_resume(&mut self) -> Result<(), LaneGone> {
        let blocked = self.outbox.is_blocked();
        if blocked == self.paused {
            return Ok(());
        }
        self.paused = blocked;
        self.parts.metrics.paused(blocked);
        self.input(Instant::now(), if blocked { Input::ReadingPaused } else { Input::ReadingResumed })
    }

    fn show_phase(&mut self) {
        let phase = self.parts.machine.phase();
        if std::mem::replace(&mut self.phase, phase) != phase {
            self.parts.health.set(shown(phase));
        }
    }

    async fn hand_over_rest(&mut self) -> Result<(), LaneGone> {
        while self.outbox.is_blocked() {
            self.outbox.unblock().await?;
        }
        Ok(())
    }
}

/// What came from the link.
enum OnLink {
    Connected(Result<Box<Socket>, ConnectError>),
    Incoming(Incoming),
}

async fn next_on_link(link: &mut Link, paused: bool) -> OnLink {
    match link {
        Link::Down => std::future::pending().await,
        Link::Connecting(connecting) => OnLink::Connected(connecting.await.map(Box::new)),
        Link::Up(socket, _) if paused => OnLink::Incoming(socket.write_only().await),
        Link::Up(socket, _) => OnLink::Incoming(socket.next().await),
    }
}

async fn granted(permit: &mut Option<Permit>) {
    match permit {
        Some(permit) => permit.await,
        None => std::future::pending().await,
    }
}

fn arm(timer: Pin<&mut Sleep>, deadline: Option<Instant>) {
    if let Some(deadline) = deadline.map(tokio::time::Instant::from_std)
        && timer.deadline() != deadline
    {
        timer.reset(deadline);
    }
}

/// A close code that leaves the session to a later run.
const KEEPS_SESSION: u16 = 4000;
/// The reason of commands that a shard did not send because it ended.
const NOT_SENT: &str = "not_sent";
/// The opcode of HELLO.
const HELLO: u64 = 10;
