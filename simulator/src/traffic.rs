//! The life of the world: guilds that arrive after READY, generated events, sessions that expire.

use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{select, time::Instant};

use crate::{
    generator::Source,
    intents,
    state::{Shared, State},
};

impl Shared {
    /// Puts the next guild that READY announced on the session of a connection.
    pub(crate) fn next_guild(&self, connection: u64) {
        let mut state = self.state();
        let now = Instant::now();
        let Some((id, session)) = state.session_of(connection) else { return };
        if session.next_guild > now {
            return;
        }
        let Some(guild) = session.pending_guilds.pop_front() else { return };
        session.next_guild = now + self.options.knobs.guild_pace;
        let id = id.to_owned();
        self.put_guild(&mut state, &id, guild);
    }

    /// GUILD_CREATE, or for a guild in an outage GUILD_DELETE with `unavailable`.
    pub(crate) fn put_guild(&self, state: &mut State, id: &str, guild: u64) {
        let Some(session) = state.sessions.get_mut(id) else { return };
        let (name, data) = if self.world.is_unavailable(guild) {
            session.unavailable.insert(guild);
            ("GUILD_DELETE", json!({"id": guild.to_string(), "unavailable": true}))
        } else {
            let presences = session.identity.intents & intents::GUILD_PRESENCES != 0;
            ("GUILD_CREATE", self.world.guild_create(guild, presences, session.identity.large_threshold))
        };
        self.deliver(state, id, name, Some(guild), data);
    }
}

/// Generates traffic until the simulator ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut traffic = Traffic { last: Instant::now(), shards: HashMap::new() };
    loop {
        select! {
            () = tokio::time::sleep(TICK) => traffic.tick(&shared),
            () = shared.ended.cancelled() => return,
        }
    }
}

struct Traffic {
    last: Instant,
    /// The source of each shard's events and the part of an event that is still owed.
    shards: HashMap<(u32, u32), (Source, f64)>,
}

impl Traffic {
    fn tick(&mut self, shared: &Shared) {
        let now = Instant::now();
        let passed = (now - self.last).as_secs_f64();
        self.last = now;
        let mut state = shared.state();
        shared.expire_sessions(&mut state);
        let rate = if state.paused { 0.0 } else { state.rate.events_per_second() };
        if rate <= 0.0 {
            return;
        }
        for (shard, sessions) in ready_sessions(shared, &state) {
            let (source, owed) = self.shards.entry(shard).or_insert_with(|| (shared.world.source(shard.0), 0.0));
            *owed = (*owed + rate * passed).min(rate.max(1.0));
            let guilds = shared.world.guilds_of(shard.0, shard.1);
            while *owed >= 1.0 {
                *owed -= 1.0;
                let event = shared.world.next_event(source, &guilds, shard.0);
                let mut taken = false;
                for session in &sessions {
                    taken |= shared.deliver(&mut state, session, event.name, event.guild, event.data.clone());
                }
                if taken {
                    shared.count_event(&mut state, shard.0);
                }
            }
        }
    }
}

/// The sessions of each shard that have received their guilds and aren't too far behind.
fn ready_sessions(shared: &Shared, state: &State) -> BTreeMap<(u32, u32), Vec<String>> {
    let mut shards: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (id, session) in &state.sessions {
        let outbox = session.connection.and_then(|connection| state.connections.get(&connection));
        let backlog = outbox.map_or(0, |outbox| session.backlog(outbox.written));
        if session.pending_guilds.is_empty() && backlog < shared.options.limits.backlog_events / 2 {
            shards.entry((session.identity.shard, session.identity.count)).or_default().push(id.clone());
        }
    }
    shards
}

const TICK: Duration = Duration::from_millis(5);
