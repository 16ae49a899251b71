//! The driver of one shard: it does what the pure [`Shard`] machine says, and decides nothing about the protocol.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Instant;

use gateway_protocol::{Action, Finish, Input, Phase, Shard};
use tokio::time::{Sleep, sleep_until};

use super::claims::Claims;
use super::identify_queue::Permit;
use super::link::Link;
use super::note::{note, shown};
use super::outbox::{LaneGone, Outbox};
use super::parts::{ShardEnd, ShardParts};

/// A shard at work.
pub struct ShardTask {
    pub(super) parts: ShardParts,
    pub(super) machine: Shard,
    pub(super) outbox: Outbox,
    pub(super) link: Link,
    pub(super) permit: Option<Permit>,
    /// What the machine wants done with the link, in order.
    pub(super) actions: VecDeque<Action>,
    pub(super) claims: Claims,
    ready: bool,
    pub(super) paused: bool,
    pub(super) stopping: bool,
    pub(super) phase: Phase,
    is_deaf: bool,
    pub(super) end: Option<ShardEnd>,
}

impl ShardTask {
    /// A shard that begins to connect when it is run.
    #[must_use]
    pub fn new(mut parts: ShardParts) -> Self {
        let outbox = Outbox::new(parts.id(), parts.events.clone());
        let machine = Shard::new(parts.options.clone(), parts.session.take(), fastrand::Rng::new());
        Self {
            parts,
            machine,
            outbox,
            link: Link::Down,
            permit: None,
            actions: VecDeque::new(),
            claims: Claims::default(),
            ready: false,
            paused: false,
            stopping: false,
            phase: Phase::Idle,
            is_deaf: false,
            end: None,
        }
    }

    /// Works until the machine has finished, which leaves nothing in the outbox.
    pub(super) async fn work(&mut self) -> Result<(), LaneGone> {
        let mut timer = std::pin::pin!(sleep_until(tokio::time::Instant::now()));
        self.input(Instant::now(), Input::Start)?;
        loop {
            self.perform().await?;
            if self.end.is_some() {
                return self.hand_over_rest().await;
            }
            if self.pause_or_resume()? {
                continue;
            }
            self.show_phase();
            let deadline = self.machine.poll_timeout();
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
        self.ready && self.machine.wants_command()
    }

    /// Waits for whatever comes first, and tells the machine.
    async fn next_input(&mut self, timer: Pin<&mut Sleep>, armed: bool) -> Result<(), LaneGone> {
        let takes_commands = self.takes_commands();
        tokio::select! {
            biased;
            happened = self.link.next(self.paused) => self.link_happened(happened),
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

    pub(super) fn input(&mut self, now: Instant, input: Input<'_>) -> Result<(), LaneGone> {
        self.machine.handle_input(now, input);
        while let Some(action) = self.machine.poll_action() {
            if let Action::Heard(events) = action {
                let siblings = self.parts.siblings.heard(events);
                self.machine.handle_input(now, Input::SiblingsHeard(siblings));
            } else {
                note(&self.parts, &mut self.outbox, &mut self.actions, action)?;
            }
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
                    self.permit = Some(self.parts.identifies.request(self.parts.id(), reason));
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

    pub(super) fn show_ready(&mut self, ready: bool) {
        self.ready = ready;
        self.parts.ready.set(self.parts.id(), ready);
    }

    /// Reading stops while the lane has no room. The machine knows, so that unread acknowledgements are not missed ones. True if this has
    /// changed.
    fn pause_or_resume(&mut self) -> Result<bool, LaneGone> {
        let blocked = self.outbox.is_blocked();
        if blocked == self.paused {
            return Ok(false);
        }
        self.paused = blocked;
        self.parts.metrics.paused(blocked);
        self.input(Instant::now(), if blocked { Input::ReadingPaused } else { Input::ReadingResumed })?;
        Ok(true)
    }

    fn show_phase(&mut self) {
        let phase = self.machine.phase();
        let is_deaf = self.machine.is_deaf();
        if std::mem::replace(&mut self.is_deaf, is_deaf) != is_deaf {
            self.parts.metrics.deaf(is_deaf);
            if !is_deaf {
                tracing::info!("shard {}: it hears events again", self.parts.id());
            }
        } else if self.phase == phase {
            return;
        }
        self.phase = phase;
        self.parts.health.set(shown(phase, is_deaf));
    }

    pub(super) async fn hand_over_rest(&mut self) -> Result<(), LaneGone> {
        while self.outbox.is_blocked() {
            self.outbox.unblock().await?;
        }
        Ok(())
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

/// The reason of commands that a shard did not send because it ended.
pub(super) const NOT_SENT: &str = "not_sent";
