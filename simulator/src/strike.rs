//! Faults that begin: those of open connections at once, the others when their occasion comes.

use crate::{
    fault::{Fault, FaultKind},
    outbox::Action,
    resume::RECONNECT_REASON,
    session::control_payload,
    state::{Shared, State},
};

impl Shared {
    /// Makes something go wrong.
    pub(crate) fn inflict(&self, state: &mut State, fault: Fault) {
        if fault.every.is_some() {
            state.recurring.add(fault);
        } else if fault.kind.is_immediate() {
            self.strike(state, &fault);
        } else {
            state.faults.arm(fault);
        }
    }

    /// Counts one more generated event of a shard, and inflicts what comes back after it.
    pub(crate) fn count_event(&self, state: &mut State, shard: u32) {
        for fault in state.recurring.count(shard) {
            // One that still waits for its occasion is enough.
            if !state.faults.holds(&fault) {
                self.inflict(state, fault);
            }
        }
    }

    fn strike(&self, state: &mut State, fault: &Fault) {
        match &fault.kind {
            FaultKind::SequenceGap { skipped } => {
                for id in sessions_of(state, fault.shard) {
                    if let Some(session) = state.sessions.get_mut(&id) {
                        session.sequence += skipped;
                    }
                }
            }
            FaultKind::FlapGuilds => {
                for id in sessions_of(state, fault.shard) {
                    self.flap(state, &id);
                }
            }
            kind => {
                for id in connections_of(state, fault.shard) {
                    self.strike_connection(state, id, kind);
                }
            }
        }
    }

    fn strike_connection(&self, state: &mut State, id: u64, kind: &FaultKind) {
        match kind {
            FaultKind::Reconnect => {
                state.act(id, Action::Payload(control_payload(7, "null")));
                let at = tokio::time::Instant::now() + self.options.knobs.reconnect_grace;
                if let Some(outbox) = state.connections.get_mut(&id) {
                    outbox.push_later(at, Action::close(1001, RECONNECT_REASON));
                }
            }
            FaultKind::InvalidSession { resumable } => self.invalidate(state, id, *resumable),
            FaultKind::Close { code, reason } => _ = state.act(id, Action::close(*code, reason.clone())),
            FaultKind::DispatchAfterClose { code } => {
                state.act(id, Action::CloseThenDispatch { code: *code });
                if let Some(session) = state.connections.get(&id).and_then(|outbox| outbox.session.clone()) {
                    self.dispatch(state, &session, "LATE".into(), "{}".into());
                }
            }
            FaultKind::CloseWithoutCode => {
                state.act(id, Action::Close { code: None, reason: String::new(), keeps_session: true });
            }
            FaultKind::Reset => _ = state.act(id, Action::Reset),
            FaultKind::Drop => _ = state.act(id, Action::Drop),
            FaultKind::HalfOpen => _ = state.act(id, Action::HalfOpen),
            FaultKind::Deaf => {
                if let Some(outbox) = state.connections.get_mut(&id) {
                    outbox.withhold_dispatches();
                }
            }
            FaultKind::RequestHeartbeat { count } => {
                for _ in 0..*count {
                    state.act(id, Action::Payload(control_payload(1, "null")));
                }
            }
            _ => {}
        }
    }

    fn flap(&self, state: &mut State, id: &str) {
        let Some(identity) = state.sessions.get(id).map(|session| session.identity.clone()) else { return };
        let guilds = self.world.guilds_of(identity.shard, identity.count);
        for guild in &guilds {
            let outage = serde_json::json!({"id": guild.to_string(), "unavailable": true});
            self.deliver(state, id, "GUILD_DELETE", Some(*guild), outage);
        }
        for guild in guilds {
            self.put_guild(state, id, guild);
        }
    }
}

/// The sessions of a shard, or all.
pub(crate) fn sessions_of(state: &State, shard: Option<u32>) -> Vec<String> {
    let wanted = state.sessions.iter().filter(|(_, session)| shard.is_none_or(|shard| session.identity.shard == shard));
    wanted.map(|(id, _)| id.clone()).collect()
}

/// The connections of a shard, or all, also those without a shard yet.
pub(crate) fn connections_of(state: &State, shard: Option<u32>) -> Vec<u64> {
    let wanted = state.connections.iter().filter(|(_, outbox)| shard.is_none() || outbox.shard == shard);
    wanted.map(|(id, _)| *id).collect()
}
