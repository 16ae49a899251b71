//! The handle of tests and tools on a running simulator.

use std::{fmt, sync::Arc};

use crate::{
    fault::{Fault, Raw},
    journal::{Entry, NotHappened},
    options::Rate,
    outbox::Action,
    session::Sent,
    state::Shared,
    strike::{connections_of, sessions_of},
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

    /// Makes something go wrong: at once for faults of open connections, at its next occasion for the others, or as
    /// [`Fault::every`] says.
    pub fn fault(&self, fault: impl Into<Fault>) {
        self.shared.inflict(&mut self.shared.state(), fault.into());
    }

    /// Disarms every fault that still waits or lasts.
    pub fn clear_faults(&self) {
        let mut state = self.shared.state();
        state.faults.clear();
        state.recurring.clear();
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
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").finish_non_exhaustive()
    }
}
