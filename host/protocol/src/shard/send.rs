//! What a shard sends, and when.

use std::mem;
use std::time::Instant;

use super::Shard;
use super::connection::{Fate, Socket};
use crate::action::{Action, Payload, Purpose, ReconnectCause};
use crate::command::Command;
use crate::identify_history::IdentifyReason;
use crate::identity;
use crate::opcode;
use crate::send_limit::Sender;
use crate::state::State;
use crate::timer::Timer;

impl Shard {
    pub(super) fn identify(&mut self, now: Instant) {
        let connection = match mem::replace(&mut self.state, State::Waiting) {
            State::AwaitingPermit(connection) => connection,
            // The permit came too late.
            state => return self.state = state,
        };
        self.state = State::Identifying(connection);
        self.pace.note_identify(now, &mut self.rng);
        self.identify_reason = IdentifyReason::Retry;
        let text = self.options.identity.identify(self.options.id.0, self.options.count.get());
        self.transmit(now, opcode::IDENTIFY, text, Purpose::Identify);
    }

    /// The timed heartbeat.
    pub(super) fn beat(&mut self, now: Instant) {
        let Some(connection) = self.state.connection_mut() else { return };
        if connection.heartbeat.is_unanswered() && !self.is_reading_paused {
            return self.lose(now, ReconnectCause::Zombie, Fate::Keep, Socket::Open);
        }
        connection.heartbeat.note_timed_beat(now);
        self.timers.set(Timer::Heartbeat, Some(now + connection.heartbeat.interval()));
        self.send_heartbeat(now);
        self.look_for_silence(now);
    }

    /// Answers at once, unless Discord asks so often that the connection's limit would be spent on it.
    pub(super) fn beat_on_request(&mut self, now: Instant) {
        let Some(connection) = self.state.connection_mut() else { return };
        if connection.sends.free_at(now, Sender::RequestedHeartbeat) <= now {
            connection.heartbeat.note_requested_beat(now);
            self.send_heartbeat(now);
        }
    }

    pub(super) fn queue(&mut self, command: Command) {
        if self.wants_command() {
            self.commands.push_back(command);
        } else {
            self.actions.push_back(Action::CommandRefused(command.token()));
        }
    }

    /// It was in the queue before, so that there is room.
    pub(super) fn queue_first(&mut self, command: Command) {
        match self.state {
            State::Finished => self.actions.push_back(Action::CommandRefused(command.token())),
            _ => self.commands.push_front(command),
        }
    }

    /// Sends what waits, as far as the limit allows, and sets the timer for the rest.
    pub(super) fn send_commands(&mut self, now: Instant) {
        while let State::Active { connection, .. } = &mut self.state {
            let next_request = self.member_requests.next_due();
            if self.commands.is_empty() && next_request.is_none_or(|due| due > now) {
                return self.timers.set(Timer::Send, next_request);
            }
            let free_at = connection.sends.free_at(now, Sender::Command);
            if free_at > now {
                return self.timers.set(Timer::Send, Some(free_at));
            }
            self.send_next_command(now);
        }
    }

    pub(super) fn transmit(&mut self, now: Instant, opcode: u64, text: String, purpose: Purpose) {
        if let Some(connection) = self.state.connection_mut() {
            connection.sends.note(now);
            self.actions.push_back(Action::Send { opcode, text: Payload::new(text), purpose });
        }
    }

    fn send_next_command(&mut self, now: Instant) {
        if let Some(request) = self.member_requests.take_due(now) {
            self.transmit(now, opcode::REQUEST_GUILD_MEMBERS, request, Purpose::Repeat);
        } else if let Some(command) = self.commands.pop_front() {
            let (token, opcode) = (command.token(), command.opcode());
            if opcode == opcode::REQUEST_GUILD_MEMBERS {
                self.member_requests.note_sent(now, command.text());
            }
            self.transmit(now, opcode, command.into_text(), Purpose::Command(token));
        }
    }

    fn send_heartbeat(&mut self, now: Instant) {
        let sequence = self.session.as_ref().map(|session| session.sequence);
        self.transmit(now, opcode::HEARTBEAT, identity::heartbeat(sequence), Purpose::Heartbeat);
    }
}
