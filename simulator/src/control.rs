//! The handle of tests and tools on a running simulator.

use std::{fmt, sync::Arc};

use crate::{
    fault::{Fault, FaultKind, Raw},
    journal::{Entry, NotHappened},
    options::Rate,
    outbox::Action,
    resume::RECONNECT_REASON,
    session::{Sent, control_payload},
    state::{Shared, State},
};

/// Watches and steers a [`Simulator`](crate::Simulator). Clones steer the same one.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Puts a dispatch on every session of a shard, whatever its intents, connected or waiting to be resumed. `data` is
    /// the JSON text of `d` and goes out byte for byte. The last sequence that it got, 0 if the shard has no session.
    pub fn send_event(&self, shard: u32, name: &str, data: impl Into<String>) -> u64 {
        let data: Arc<str> = data.into().into();
        let mut state = self.shared.state();
        let sessions = sessions_of(&state, Some(shard));
        let sequences = sessions.iter().map(|id| self.shared.dispatch(&mut state, id, name.into(), data.clone()));
        sequences.flatten().max().unwrap_or(0)
    }

    /// Sends something that no faithful server would, behind what the connections already have to send. `None` reaches
    /// every connection, also those without a shard yet. How many connections took it.
    pub fn send_raw(&self, shard: Option<u32>, raw: Raw) -> usize {
        let mut state = self.shared.state();
        let connections = connections_of(&state, shard);
        connections.into_iter().filter(|id| state.act(*id, Action::Raw(raw.clone()))).count()
    }

    /// Makes something go wrong: at once for faults of open connections, at its next occasion for the others.
    pub fn fault(&self, fault: impl Into<Fault>) {
        let fault = fault.into();
        if fault.kind.is_immediate() {
            self.strike(&fault);
        } else {
            self.shared.state().faults.arm(fault);
        }
    }

    /// Disarms every fault that still waits or lasts.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// The first entry of the journal, past or future, that matches.
    ///
    /// # Errors
    /// [`Options::patience`](crate::Options::patience) is over.
    pub async fn wait_for(&self, matches: impl FnMut(&Entry) -> bool) -> Result<Entry, NotHappened> {
        self.wait_for_after(0, matches).await
    }

    /// The first entry with at least this index that matches. Together with [`position`](Self::position) it waits for
    /// something that happens from now on.
    ///
    /// # Errors
    /// [`Options::patience`](crate::Options::patience) is over.
    pub async fn wait_for_after(&self, index: u64, matches: impl FnMut(&Entry) -> bool) -> Result<Entry, NotHappened> {
        self.shared.journal.find(index, self.shared.options.patience, matches).await
    }

    /// The index that the next entry of the journal gets.
    pub fn position(&self) -> u64 {
        self.shared.journal.position()
    }

    /// Everything that happened, as far as it is still kept.
    pub fn journal(&self) -> Vec<Entry> {
        self.shared.journal.entries()
    }

    /// Every dispatch that was put on a session of this shard, READY and RESUMED included, as far as it is still kept.
    pub fn sent(&self, shard: u32) -> Vec<Sent> {
        self.shared.state().sent.get(&shard).map(|sent| sent.iter().cloned().collect()).unwrap_or_default()
    }

    /// Stops generated traffic.
    pub fn pause(&self) {
        self.shared.state().paused = true;
    }

    /// Lets generated traffic go on.
    pub fn resume(&self) {
        self.shared.state().paused = false;
    }

    /// Changes the rate of generated traffic.
    pub fn set_rate(&self, rate: Rate) {
        self.shared.state().rate = rate;
    }

    /// The guilds whose events come to this shard.
    pub fn guilds(&self, shard: u32, count: u32) -> Vec<u64> {
        self.shared.world.guilds_of(shard, count)
    }

    fn strike(&self, fault: &Fault) {
        let mut state = self.shared.state();
        match &fault.kind {
            FaultKind::SequenceGap { skipped } => {
                for id in sessions_of(&state, fault.shard) {
                    if let Some(session) = state.sessions.get_mut(&id) {
                        session.sequence += skipped;
                    }
                }
            }
            FaultKind::FlapGuilds => {
                for id in sessions_of(&state, fault.shard) {
                    self.flap(&mut state, &id);
                }
            }
            kind => {
                for id in connections_of(&state, fault.shard) {
                    self.strike_connection(&mut state, id, kind);
                }
            }
        }
    }

    fn strike_connection(&self, state: &mut State, id: u64, kind: &FaultKind) {
        match kind {
            FaultKind::Reconnect => {
                state.act(id, Action::Payload(control_payload(7, "null")));
                let at = tokio::time::Instant::now() + self.shared.options.knobs.reconnect_grace;
                if let Some(outbox) = state.connections.get_mut(&id) {
                    outbox.push_later(at, Action::close(1001, RECONNECT_REASON));
                }
            }
            FaultKind::InvalidSession { resumable } => self.shared.invalidate(state, id, *resumable),
            FaultKind::Close { code, reason } => _ = state.act(id, Action::close(*code, reason.clone())),
            FaultKind::DispatchAfterClose { code } => {
                state.act(id, Action::CloseThenDispatch { code: *code });
                if let Some(session) = state.connections.get(&id).and_then(|outbox| outbox.session.clone()) {
                    self.shared.dispatch(state, &session, "LATE".into(), "{}".into());
                }
            }
            FaultKind::CloseWithoutCode => {
                state.act(id, Action::Close { code: None, reason: String::new(), keeps_session: true });
            }
            FaultKind::Reset => _ = state.act(id, Action::Reset),
            FaultKind::Drop => _ = state.act(id, Action::Drop),
            FaultKind::HalfOpen => _ = state.act(id, Action::HalfOpen),
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
        let guilds = self.shared.world.guilds_of(identity.shard, identity.count);
        for guild in &guilds {
            let outage = serde_json::json!({"id": guild.to_string(), "unavailable": true});
            self.shared.deliver(state, id, "GUILD_DELETE", Some(*guild), outage);
        }
        for guild in guilds {
            self.shared.put_guild(state, id, guild);
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").finish_non_exhaustive()
    }
}

fn sessions_of(state: &State, shard: Option<u32>) -> Vec<String> {
    let wanted = state.sessions.iter().filter(|(_, session)| shard.is_none_or(|shard| session.identity.shard == shard));
    wanted.map(|(id, _)| id.clone()).collect()
}

fn connections_of(state: &State, shard: Option<u32>) -> Vec<u64> {
    let wanted = state.connections.iter().filter(|(_, outbox)| shard.is_none() || outbox.shard == shard);
    wanted.map(|(id, _)| *id).collect()
}
