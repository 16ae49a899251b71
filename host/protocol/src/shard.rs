//! The life of a shard: <https://docs.discord.com/developers/events/gateway#connection-lifecycle>.

mod connection;
mod deaf;
mod pause;
mod receive;
mod send;

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use crate::action::{Action, ReconnectCause};
use crate::backoff::Backoff;
use crate::command::Command;
use crate::identify_history::IdentifyReason;
use crate::identity::ShardOptions;
use crate::input::Input;
use crate::member_requests::MemberRequests;
use crate::session::Session;
use crate::silence::Silence;
use crate::state::{Phase, State};
use crate::timer::{Timer, Timers};
use crate::trials::{IdentifyPace, ResumeTrials};
use connection::{Fate, Socket};

/// One shard of a bot.
///
/// Drive it: after every [`handle_input`](Self::handle_input), call [`poll_action`](Self::poll_action) until `None`, then sleep
/// until [`poll_timeout`](Self::poll_timeout). It opens nothing, knows no time but the one it is told, and draws its jitter from
/// the generator it is given, so a test can run hours of it in no time and again in the same way.
#[derive(Debug)]
pub struct Shard {
    options: ShardOptions,
    rng: fastrand::Rng,
    /// Kept across connections.
    session: Option<Session>,
    state: State,
    timers: Timers,
    actions: VecDeque<Action>,
    /// Not sent yet.
    commands: VecDeque<Command>,
    member_requests: MemberRequests,
    reconnect: Backoff,
    pace: IdentifyPace,
    trials: ResumeTrials,
    /// Of the next identify.
    identify_reason: IdentifyReason,
    silence: Silence,
    /// The session's own address did not work the last time, so it is the base address's turn.
    avoids_resume_url: bool,
    failed_connects: u32,
    is_reading_paused: bool,
    /// The last connection ended because it had sent too much.
    is_cautious: bool,
}

impl Shard {
    /// A shard that waits for [`Input::Start`]. A stored `session` is resumed from its sequence.
    #[must_use]
    pub fn new(options: ShardOptions, session: Option<Session>, rng: fastrand::Rng) -> Self {
        let silence = Silence::new(options.silence);
        Self {
            options,
            rng,
            session,
            state: State::Idle,
            timers: Timers::default(),
            actions: VecDeque::new(),
            commands: VecDeque::new(),
            member_requests: MemberRequests::default(),
            reconnect: Backoff::RECONNECT,
            pace: IdentifyPace::new(),
            trials: ResumeTrials::default(),
            identify_reason: IdentifyReason::Start,
            silence,
            avoids_resume_url: false,
            failed_connects: 0,
            is_reading_paused: false,
            is_cautious: false,
        }
    }

    /// Forgets its connection, as after a crash of its driver, and waits for [`Input::Start`] again, to go on with `session`. It
    /// remembers how fast it may identify, and what it should hear.
    pub fn start_over(&mut self, session: Option<Session>) {
        let pace = mem::replace(&mut self.pace, IdentifyPace::new());
        let silence = mem::replace(&mut self.silence, Silence::new(None));
        *self = Self { pace, silence, ..Self::new(self.options.clone(), session, self.rng.fork()) };
    }

    /// Takes one input at `now`. Time must not go back between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Start => self.start(now),
            Input::Connected => self.opened(now),
            Input::ConnectFailed => {
                if let State::Connecting(_) = self.state {
                    self.lose(now, ReconnectCause::ConnectFailed, Fate::Keep, Socket::Gone);
                }
            }
            Input::Received(envelope) => self.receive(now, envelope),
            Input::Undecodable => {
                if self.state.has_socket() {
                    self.lose(now, ReconnectCause::Undecodable, Fate::Keep, Socket::Open);
                }
            }
            Input::Closed(code) => self.closed(now, code),
            Input::IdentifyGranted => self.identify(now),
            Input::Command(command) => self.queue(command),
            Input::Unsent(command) => self.queue_first(command),
            Input::ReadingPaused => self.pause_reading(now),
            Input::ReadingResumed => self.resume_reading(now),
            Input::SiblingsHeard(events) => self.compare_with_siblings(now, events),
            Input::Timeout => self.run_timers(now),
            Input::Stop => self.stop(),
        }
        self.send_commands(now);
    }

    /// The next thing that the driver must do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`handle_input`](Self::handle_input) with [`Input::Timeout`] if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.earliest()
    }

    /// The session, with the last sequence that was received.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What the shard is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Whether events should come and do not.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.silence.is_suspected()
    }

    /// Whether the queue has room for another [`Input::Command`].
    #[must_use]
    pub fn wants_command(&self) -> bool {
        self.commands.len() < COMMAND_QUEUE && !matches!(self.state, State::Finished)
    }

    /// Connections in a row that never got to HELLO. When it grows, `GET /gateway/bot` may know a better address.
    #[must_use]
    pub fn failed_connects(&self) -> u32 {
        self.failed_connects
    }

    fn start(&mut self, now: Instant) {
        if let State::Idle = self.state {
            if let Some(session) = &self.session {
                self.actions.push_back(Action::SessionStarted(session.clone()));
            }
            match (&self.session, self.pace.not_before()) {
                (None, Some(at)) if at > now => {
                    self.state = State::Waiting;
                    self.timers.set(Timer::Reconnect, Some(at));
                }
                _ => self.connect(now),
            }
        }
    }

    fn run_timers(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Heartbeat => self.beat(now),
                Timer::Hello if self.is_reading_paused => self.timers.set(Timer::Hello, Some(now + HELLO_TIMEOUT)),
                Timer::Hello => self.lose(now, ReconnectCause::HelloTimeout, Fate::Keep, Socket::Open),
                Timer::Reconnect => self.connect(now),
                Timer::Patience => self.park(now),
                // Commands are sent after every input.
                Timer::Send => {}
            }
        }
    }
}

/// Commands that wait to be sent, of at most 4096 bytes each.
const COMMAND_QUEUE: usize = 32;
/// How long HELLO may take after the WebSocket is open.
const HELLO_TIMEOUT: Duration = Duration::from_secs(15);
