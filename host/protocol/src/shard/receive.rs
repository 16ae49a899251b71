//! What each payload does: <https://docs.discord.com/developers/events/gateway-events#receive-events>.

use std::mem;
use std::time::Instant;

use serde::Deserialize;

use super::Shard;
use super::connection::{Fate, Socket};
use crate::action::{Action, DropReason, LossReason, Purpose, ReconnectCause};
use crate::envelope::Envelope;
use crate::heartbeat::Heartbeat;
use crate::opcode;
use crate::session::{Sequence, Session};
use crate::state::{Connection, State};
use crate::timer::Timer;

impl Shard {
    pub(super) fn receive(&mut self, now: Instant, envelope: &Envelope<'_>) {
        if let Some(connection) = self.state.connection_mut() {
            connection.heartbeat.note_message();
        } else if !matches!(self.state, State::AwaitingHello { .. }) {
            return;
        }
        match envelope.opcode {
            opcode::HELLO => self.hello(now, envelope),
            opcode::RECONNECT => self.lose(now, ReconnectCause::Requested, Fate::Keep, Socket::Open),
            opcode::INVALID_SESSION => self.invalid_session(now, envelope),
            _ if matches!(self.state, State::AwaitingHello { .. }) => self.refuse_payload(now),
            opcode::DISPATCH => self.dispatch(now, envelope),
            opcode::HEARTBEAT => self.beat_on_request(now),
            opcode::HEARTBEAT_ACK => self.acknowledge(now),
            // Discord may add opcodes.
            _ => {}
        }
    }

    fn hello(&mut self, now: Instant, envelope: &Envelope<'_>) {
        let mut sends = match mem::replace(&mut self.state, State::Waiting) {
            State::AwaitingHello { sends, .. } => sends,
            // A second one changes nothing.
            state => return self.state = state,
        };
        let heartbeat = Heartbeat::new(data::<Hello>(envelope).and_then(|hello| hello.heartbeat_interval));
        sends.reserve_heartbeats(heartbeat.interval());
        self.timers.set(Timer::Hello, None);
        self.timers.set(Timer::Heartbeat, Some(now + heartbeat.first_delay(&mut self.rng)));
        self.failed_connects = 0;
        let connection = Connection { heartbeat, sends };
        if let Some(session) = &self.session {
            let resume = self.options.identity.resume(session);
            self.state = State::Resuming(connection);
            self.transmit(now, opcode::RESUME, resume, Purpose::Resume);
        } else {
            self.state = State::AwaitingPermit(connection);
            self.actions.push_back(Action::RequestIdentify(self.identify_reason));
        }
    }

    fn invalid_session(&mut self, now: Instant, envelope: &Envelope<'_>) {
        let is_resumable = envelope.data.is_some_and(|data| data == "true");
        let fate = if is_resumable { Fate::Keep } else { Fate::Drop(LossReason::Invalidated) };
        self.lose(now, ReconnectCause::InvalidSession, fate, Socket::Open);
    }

    fn refuse_payload(&mut self, now: Instant) {
        self.lose(now, ReconnectCause::UnexpectedPayload, Fate::Keep, Socket::Open);
    }

    fn acknowledge(&mut self, now: Instant) {
        let latency = self.state.connection_mut().and_then(|connection| connection.heartbeat.acknowledge(now));
        self.actions.extend(latency.map(Action::HeartbeatAcknowledged));
    }

    fn dispatch(&mut self, now: Instant, envelope: &Envelope<'_>) {
        let name = envelope.name.as_deref();
        match (&self.state, name) {
            (State::Identifying(_) | State::Resuming(_), Some("READY")) => self.ready(now, envelope),
            (State::Resuming(_), Some("RESUMED")) => {
                self.actions.push_back(Action::SessionResumed);
                self.forward(envelope);
                self.activate(now);
            }
            _ => {
                if name == Some("RATE_LIMITED") {
                    self.member_requests.note_rate_limited(now, envelope.data.unwrap_or_default());
                }
                self.forward(envelope);
            }
        }
    }

    fn ready(&mut self, now: Instant, envelope: &Envelope<'_>) {
        let Some(ready) = data::<Ready>(envelope).filter(|ready| !ready.session_id.is_empty()) else {
            return self.refuse_payload(now);
        };
        let before = envelope.sequence.map_or(0, |sequence| sequence.0.saturating_sub(1));
        let resume_url = ready.resume_gateway_url.filter(|url| !url.is_empty());
        self.adopt_session(now, Session { id: ready.session_id, resume_url, sequence: Sequence(before) });
        self.forward(envelope);
        self.activate(now);
    }

    fn activate(&mut self, now: Instant) {
        self.state = match mem::replace(&mut self.state, State::Waiting) {
            State::Identifying(connection) | State::Resuming(connection) => State::Active { connection, since: now },
            state => state,
        };
        self.trials.reset();
        self.pace.note_working(now);
        self.forget_dead_resume_url();
        if !self.is_reading_paused {
            self.silence.listen(now);
        }
        self.actions.push_back(Action::Ready);
    }

    /// The base address has worked where the session's own had not.
    fn forget_dead_resume_url(&mut self) {
        if mem::take(&mut self.avoids_resume_url)
            && let Some(session) = &mut self.session
            && session.resume_url.take().is_some()
        {
            self.actions.push_back(Action::SessionMoved(session.clone()));
        }
    }

    /// Takes over the event's sequence and forwards the event if it is new.
    fn forward(&mut self, envelope: &Envelope<'_>) {
        let sequence = envelope.sequence;
        let action = match self.accept(sequence) {
            Err(reason) => Action::Dropped { sequence, reason },
            Ok(()) if envelope.name.is_none() => Action::Dropped { sequence, reason: DropReason::Nameless },
            Ok(()) => {
                self.silence.note_event();
                Action::Dispatch { sequence }
            }
        };
        self.actions.push_back(action);
    }

    fn accept(&mut self, sequence: Option<Sequence>) -> Result<(), DropReason> {
        let session = self.session.as_mut().ok_or(DropReason::NoSession)?;
        let Some(sequence) = sequence else { return Ok(()) };
        let last = session.sequence;
        if sequence <= last {
            return Err(DropReason::Duplicate);
        }
        if sequence.0 > last.0.saturating_add(1) {
            self.actions.push_back(Action::SequenceGap { from: last, to: sequence });
        }
        session.sequence = sequence;
        self.trials.note_progress();
        Ok(())
    }
}

#[derive(Deserialize)]
struct Hello {
    heartbeat_interval: Option<u64>,
}

#[derive(Deserialize)]
struct Ready {
    session_id: String,
    resume_gateway_url: Option<String>,
}

/// The members that `T` names; the others are skipped.
fn data<'a, T: Deserialize<'a>>(envelope: &Envelope<'a>) -> Option<T> {
    envelope.data.and_then(|data| serde_json::from_str(data).ok())
}
