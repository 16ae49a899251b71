//! What a shard does that hears nothing although it should.

use std::time::Instant;

use super::Shard;
use super::connection::{Fate, Socket};
use crate::action::{Action, LossReason, ReconnectCause};
use crate::silence::Remedy;
use crate::state::State;

impl Shard {
    /// At a heartbeat.
    pub(super) fn look_for_silence(&mut self, now: Instant) {
        if let State::Active { .. } = self.state {
            self.actions.extend(self.silence.look(now).map(Action::Heard));
        }
    }

    pub(super) fn compare_with_siblings(&mut self, now: Instant, siblings: Option<u64>) {
        if !matches!(self.state, State::Active { .. }) {
            return;
        }
        let fate = match self.silence.judge(now, siblings) {
            Some(Remedy::Resume) => Fate::Keep,
            Some(Remedy::Identify) => Fate::Drop(LossReason::Deaf),
            None => return,
        };
        self.lose(now, ReconnectCause::Deaf, fate, Socket::Open);
    }
}
