//! What a shard does while nothing is read: it beats on, and when it takes long, gives up the connection and keeps the session.
//!
//! Discord holds a session without a connection as long as one with a connection that takes nothing, and closes the latter.

use std::mem;
use std::time::{Duration, Instant};

use super::connection::{Fate, Socket};
use super::{HELLO_TIMEOUT, Shard};
use crate::action::ReconnectCause;
use crate::state::State;
use crate::timer::Timer;

impl Shard {
    pub(super) fn pause_reading(&mut self, now: Instant) {
        if !mem::replace(&mut self.is_reading_paused, true) && self.state.has_socket() {
            self.timers.set(Timer::Patience, self.options.patience.map(|patience| now + patience));
            self.silence.stop_listening();
        }
    }

    /// Reading has been paused for too long. A READY that waits unread is worth more than a connection less.
    pub(super) fn park(&mut self, now: Instant) {
        if let State::Identifying(_) = self.state {
            self.timers.set(Timer::Patience, self.options.patience.map(|patience| now + patience));
        } else {
            self.lose(now, ReconnectCause::Backpressure, Fate::Keep, Socket::Open);
        }
    }

    /// What was not read meanwhile is no fault of the other side's.
    pub(super) fn resume_reading(&mut self, now: Instant) {
        self.is_reading_paused = false;
        self.timers.set(Timer::Patience, None);
        if let State::Parked { since, not_before } = self.state {
            self.trials.forgive(now.saturating_duration_since(since));
            self.state = State::Waiting;
            // The others come back as well: they had the same broker.
            let at = now + COMING_BACK.mul_f64(self.rng.f64());
            self.timers.set(Timer::Reconnect, Some(at.max(not_before)));
        } else if let Some(connection) = self.state.connection_mut() {
            connection.heartbeat.forgive();
            self.silence.listen(now);
        } else if let State::AwaitingHello { .. } = self.state {
            self.timers.set(Timer::Hello, Some(now + HELLO_TIMEOUT));
        }
    }
}

/// Within this time, shards connect again that could not read.
const COMING_BACK: Duration = Duration::from_secs(2);
