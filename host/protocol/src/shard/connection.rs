//! How connections begin and end.

use std::mem;
use std::time::{Duration, Instant};

use super::{HELLO_TIMEOUT, Shard};
use crate::action::{Action, Address, Finish, LossReason, ReconnectCause};
use crate::close::{self, CloseOutcome, FatalClose};
use crate::identify_history::IdentifyReason;
use crate::send_limit::SendLimit;
use crate::session::Session;
use crate::state::{State, Target};
use crate::timer::Timer;

/// What the end of a connection means for the session.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Keep,
    /// It may be resumed once more.
    LastChance(LossReason),
    Drop(LossReason),
}

/// Whether the socket of an ended connection must still be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Socket {
    Open,
    Gone,
}

impl Shard {
    pub(super) fn connect(&mut self, now: Instant) {
        if self.is_reading_paused {
            self.state = State::Parked { since: now, not_before: now };
            return;
        }
        let resume_url = self.session.as_ref().and_then(|session| session.resume_url.as_ref());
        let (target, address) = match resume_url {
            Some(url) if !self.avoids_resume_url => (Target::ResumeUrl, Address::Resume(url.clone())),
            _ => (Target::Base, Address::Base),
        };
        self.state = State::Connecting(target);
        self.actions.push_back(Action::Connect(address));
    }

    pub(super) fn opened(&mut self, now: Instant) {
        if let State::Connecting(target) = self.state {
            self.state = State::AwaitingHello { target, sends: SendLimit::new(self.is_cautious) };
            self.timers.set(Timer::Hello, Some(now + HELLO_TIMEOUT));
        }
    }

    pub(super) fn closed(&mut self, now: Instant, code: Option<u16>) {
        if !self.state.has_socket() {
            return;
        }
        let reason = LossReason::Closed(code.unwrap_or_default());
        let fate = match close::outcome(code) {
            CloseOutcome::Resume => Fate::Keep,
            CloseOutcome::ResumeOnce => Fate::LastChance(reason),
            CloseOutcome::Identify => Fate::Drop(reason),
            CloseOutcome::Fatal(fatal) => return self.fail(now, fatal),
        };
        self.lose(now, ReconnectCause::Closed(code), fate, Socket::Gone);
    }

    /// Ends the connection and plans the next one.
    pub(super) fn lose(&mut self, now: Instant, cause: ReconnectCause, fate: Fate, socket: Socket) {
        let state = self.leave(State::Waiting, socket);
        match state {
            State::Connecting(_) | State::AwaitingHello { .. } if cause == ReconnectCause::Backpressure => {}
            State::Connecting(target) | State::AwaitingHello { target, .. } => {
                self.avoids_resume_url = target == Target::ResumeUrl;
                self.failed_connects = self.failed_connects.saturating_add(1);
            }
            State::Active { since, .. } if now.saturating_duration_since(since) >= SETTLED => self.reconnect.reset(),
            _ => {}
        }
        if let Some(reason) = self.judge_session(now, &state, fate) {
            self.drop_session(now, reason);
        }
        self.is_cautious = cause == ReconnectCause::Closed(Some(close::RATE_LIMITED));
        self.actions.push_back(Action::Reconnecting(cause));
        self.plan_reconnect(now, cause);
    }

    pub(super) fn stop(&mut self) {
        if let State::Finished = self.state {
            return;
        }
        self.leave(State::Finished, Socket::Open);
        self.finish(Finish::Stopped { session: self.session.clone() });
    }

    fn drop_session(&mut self, now: Instant, reason: LossReason) {
        if let Some(session) = self.session.take() {
            self.actions.push_back(Action::SessionLost { session, reason });
            self.identify_reason = IdentifyReason::Lost(reason);
        }
        self.pace.note_lost(now);
        self.trials.reset();
        self.avoids_resume_url = false;
    }

    fn fail(&mut self, now: Instant, fatal: FatalClose) {
        self.leave(State::Finished, Socket::Gone);
        self.drop_session(now, LossReason::Closed(fatal.code()));
        self.finish(Finish::Fatal(fatal));
    }

    fn finish(&mut self, finish: Finish) {
        let refused = self.commands.drain(..).map(|command| Action::CommandRefused(command.token()));
        self.actions.extend(refused);
        self.actions.push_back(Action::Finished(finish));
    }

    /// Takes back what the current state asked for, and goes to another one without a connection.
    fn leave(&mut self, next: State, socket: Socket) -> State {
        let state = mem::replace(&mut self.state, next);
        self.timers.clear_all();
        self.silence.stop_listening();
        match state {
            State::AwaitingPermit(_) => self.actions.push_back(Action::CancelIdentify),
            State::Active { .. } => self.actions.push_back(Action::Unready),
            _ => {}
        }
        if socket == Socket::Open && state.has_socket() {
            self.actions.push_back(Action::Disconnect(Some(close::KEEP_SESSION)));
        }
        state
    }

    /// Why the session must be given up, if it must.
    fn judge_session(&mut self, now: Instant, state: &State, fate: Fate) -> Option<LossReason> {
        match (state, fate) {
            (_, Fate::Drop(reason)) | (State::Resuming(_), Fate::LastChance(reason)) => Some(reason),
            // What was not read says nothing of the session.
            (State::Resuming(_), Fate::Keep) if self.is_reading_paused => None,
            (State::Resuming(_), Fate::Keep) => self.trials.fail(now).then_some(LossReason::ResumeFailed),
            (State::Active { .. }, Fate::LastChance(_)) => {
                self.trials.allow_one_more();
                None
            }
            _ => None,
        }
    }

    fn plan_reconnect(&mut self, now: Instant, cause: ReconnectCause) {
        let mut delay = match cause {
            // Nothing has failed.
            ReconnectCause::Backpressure => Duration::ZERO,
            _ => self.reconnect.next(&mut self.rng),
        };
        if cause == ReconnectCause::InvalidSession {
            delay = delay.max(INVALID_SESSION_WAIT.mul_f64(self.rng.f64()) + INVALID_SESSION_MIN_WAIT);
        }
        let mut at = now + delay;
        if let (None, Some(not_before)) = (&self.session, self.pace.not_before()) {
            at = at.max(not_before);
        }
        if self.is_reading_paused {
            self.state = State::Parked { since: now, not_before: at };
        } else {
            self.timers.set(Timer::Reconnect, Some(at));
        }
    }

    /// The session of a READY is the current one from now on.
    pub(super) fn adopt_session(&mut self, now: Instant, session: Session) {
        if self.session.is_some() {
            self.drop_session(now, LossReason::Replaced);
        }
        self.actions.push_back(Action::SessionStarted(session.clone()));
        self.session = Some(session);
    }
}

/// How long a connection must work before its end is not one more failure in a row.
const SETTLED: Duration = Duration::from_secs(30);
/// After an invalid session, Discord wants a random wait of one to five seconds.
const INVALID_SESSION_MIN_WAIT: Duration = Duration::from_secs(1);
const INVALID_SESSION_WAIT: Duration = Duration::from_secs(4);
