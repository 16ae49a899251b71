//! Everything that connections, REST and the control handle share.

use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    address::Addresses,
    fault::{Armed, FaultKind, Mangling},
    generator::World,
    intents,
    journal::{Happening, Journal},
    limits::{Ledger, Window},
    lock,
    options::{Options, Rate, SendLimiter},
    outbox::{Action, Outbox},
    recurring::Recurring,
    session::{Dispatch, Identity, Sent, Session, control_payload},
};

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) world: World,
    pub(crate) addresses: Addresses,
    pub(crate) journal: Journal,
    pub(crate) ended: CancellationToken,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(options: Options, addresses: Addresses) -> Self {
        let now = Instant::now();
        let state = State {
            connections: HashMap::new(),
            sessions: HashMap::new(),
            faults: Armed::default(),
            recurring: Recurring::default(),
            ledger: Ledger::new(options.session_starts, now),
            requests: Window::new(options.limits.requests_per_second, Duration::from_secs(1), SendLimiter::Fixed),
            identified: HashMap::new(),
            member_lists: HashMap::new(),
            sent: HashMap::new(),
            random: fastrand::Rng::new(),
            rate: options.event_rate,
            paused: false,
            next_connection: 1,
        };
        Self {
            world: World::new(&options),
            journal: Journal::new(options.journal_entries),
            addresses,
            ended: CancellationToken::new(),
            state: Mutex::new(state),
            options,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Whether `token` is the bot's. The `Bot ` prefix is for HTTP only, but the socket tolerates it in Identify.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        let token = token.strip_prefix("Bot ").unwrap_or(token);
        let known = self.options.token.as_deref().map_or(!token.is_empty(), |expected| expected == token);
        known && !self.state().faults.due(None, &FaultKind::TokenRevoked)
    }

    /// Puts an event on a session if its intents allow it. Whether a connection takes it now.
    pub(crate) fn deliver(
        &self,
        state: &mut State,
        session: &str,
        name: &str,
        guild: Option<u64>,
        mut data: Value,
    ) -> bool {
        let Some(Session { identity, connection, .. }) = state.sessions.get(session) else { return false };
        let connected = connection.is_some();
        let bot = self.world.bot();
        let allowed = intents::receives(identity.intents, name, guild.is_some());
        if !allowed && !intents::concerns(name, &data, bot) {
            return false;
        }
        if identity.intents & intents::MESSAGE_CONTENT == 0 {
            intents::strip_content(name, &mut data, bot);
        }
        self.dispatch(state, session, name.into(), data.to_string().into());
        connected
    }

    /// Puts a dispatch on a session as it is.
    pub(crate) fn dispatch(&self, state: &mut State, id: &str, name: Arc<str>, data: Arc<str>) -> Option<u64> {
        let session = state.sessions.get_mut(id)?;
        let sequence = session.push(name.clone(), data.clone());
        let shard = session.identity.shard;
        self.record(state, shard, Sent { session: id.to_owned(), sequence, name, payload: data });
        self.settle(state, id);
        Some(sequence)
    }

    /// Ends a replay with RESUMED.
    pub(crate) fn mark_resumed(&self, state: &mut State, id: &str) {
        let Some(session) = state.sessions.get_mut(id) else { return };
        let (name, data): (Arc<str>, Arc<str>) = ("RESUMED".into(), self.world.resumed().into());
        let (shard, connection, last) = (session.identity.shard, session.connection, session.sequence);
        if self.options.knobs.resumed_sequence {
            let sequence = session.push_marker(name.clone(), data.clone());
            self.record(state, shard, Sent { session: id.to_owned(), sequence, name, payload: data });
            self.settle(state, id);
        } else if let Some(outbox) = connection.and_then(|connection| state.connections.get_mut(&connection)) {
            let payload = format!(r#"{{"t":"RESUMED","s":null,"op":0,"d":{data}}}"#);
            outbox.push(last, Action::Payload(payload.into_bytes()));
        }
    }

    fn record(&self, state: &mut State, shard: u32, sent: Sent) {
        let sents = state.sent.entry(shard).or_default();
        if sents.len() >= self.options.sent_entries {
            sents.pop_front();
        }
        sents.push_back(sent);
    }

    /// Wakes the connection of a session and keeps its log within bounds.
    fn settle(&self, state: &mut State, id: &str) {
        let Some(session) = state.sessions.get_mut(id) else { return };
        let outbox = session.connection.and_then(|connection| state.connections.get_mut(&connection));
        let Some(outbox) = outbox else {
            return session.trim(self.options.replay_events, session.sequence);
        };
        session.trim(self.options.replay_events, outbox.written);
        if session.backlog(outbox.written) > self.options.limits.backlog_events {
            outbox.push_now(Action::close(4000, "The client reads too slowly."));
        }
        outbox.work.notify_one();
    }

    /// Makes a session from an accepted Identify and puts READY on it.
    pub(crate) fn start_session(
        &self,
        state: &mut State,
        connection: u64,
        identity: Identity,
        resume_url: Option<&str>,
    ) {
        let now = Instant::now();
        let id = hex(&mut state.random);
        let shard = identity.shard;
        let guilds = self.world.guilds_of(shard, identity.count);
        let ready = self.world.ready(&id, &identity, &guilds, resume_url);
        let mut session = Session::new(identity, now);
        session.connection = Some(connection);
        let arrive = !state.faults.due(Some(shard), &FaultKind::GuildsNeverArrive);
        if session.identity.intents & intents::GUILDS != 0 && arrive {
            session.pending_guilds = guilds.into();
        }
        session.next_guild = now + self.options.knobs.guild_pace;
        state.sessions.insert(id.clone(), session);
        if let Some(outbox) = state.connections.get_mut(&connection) {
            outbox.session = Some(id.clone());
            outbox.shard = Some(shard);
            outbox.written = 0;
            outbox.repeat_until = 0;
        }
        self.dispatch(state, &id, "READY".into(), ready.to_string().into());
        self.journal.write(Some(connection), Some(shard), Happening::Ready { session: id });
    }

    /// Ends a session; its connection, if any, has to identify again.
    pub(crate) fn end_session(&self, state: &mut State, id: &str) {
        let Some(session) = state.sessions.remove(id) else { return };
        if let Some(outbox) = session.connection.and_then(|connection| state.connections.get_mut(&connection)) {
            outbox.detach();
        }
        let happening = Happening::SessionEnded { session: id.to_owned() };
        self.journal.write(session.connection, Some(session.identity.shard), happening);
    }

    /// Sends op 9 on a connection. Its session ends or can be resumed, on this connection or another.
    pub(crate) fn invalidate(&self, state: &mut State, connection: u64, resumable: bool) {
        let Some(outbox) = state.connections.get(&connection) else { return };
        let (session, shard) = (outbox.session.clone(), outbox.shard);
        let last = session.as_ref().and_then(|id| state.sessions.get(id)).map_or(0, |session| session.sequence);
        if let Some(outbox) = state.connections.get_mut(&connection) {
            outbox.push(last, Action::Payload(control_payload(9, resumable)));
        }
        self.journal.write(Some(connection), shard, Happening::InvalidSession { resumable });
        let Some(session) = session else { return };
        self.drain(state, connection, &session);
        if resumable {
            self.release(state, connection, true);
        } else {
            self.end_session(state, &session);
        }
    }

    /// Takes the session from a connection that is closing. It can be resumed, or it ends.
    pub(crate) fn release(&self, state: &mut State, connection: u64, keeps_session: bool) {
        let Some(outbox) = state.connections.get_mut(&connection) else { return };
        let Some(id) = outbox.session.take() else { return };
        let Some(session) = state.sessions.get_mut(&id) else { return };
        if session.connection != Some(connection) {
            return;
        }
        session.connection = None;
        session.detached = Some(Instant::now());
        session.trim(self.options.replay_events, session.sequence);
        if !keeps_session {
            self.end_session(state, &id);
        }
    }

    /// Hands everything that a session still owes to its connection, before the session goes.
    fn drain(&self, state: &mut State, connection: u64, id: &str) {
        let (Some(session), Some(outbox)) = (state.sessions.get(id), state.connections.get_mut(&connection)) else {
            return;
        };
        outbox.settle_with(session);
    }

    /// Forgets sessions whose window is over.
    pub(crate) fn expire_sessions(&self, state: &mut State) {
        let now = Instant::now();
        let window = self.options.replay_window;
        let is_over = |session: &Session| session.detached.is_some_and(|at| at + window <= now);
        let over: Vec<_> =
            state.sessions.iter().filter(|(_, session)| is_over(session)).map(|(id, _)| id.clone()).collect();
        over.iter().for_each(|id| self.end_session(state, id));
    }
}

pub(crate) struct State {
    pub(crate) connections: HashMap<u64, Outbox>,
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) faults: Armed,
    pub(crate) recurring: Recurring,
    pub(crate) ledger: Ledger,
    pub(crate) requests: Window,
    /// The last accepted Identify of each key.
    pub(crate) identified: HashMap<u32, Instant>,
    /// The last request for the whole member list of each guild.
    pub(crate) member_lists: HashMap<u64, Instant>,
    pub(crate) sent: HashMap<u32, VecDeque<Sent>>,
    /// What must differ from run to run: session ids, delays.
    pub(crate) random: fastrand::Rng,
    pub(crate) rate: Rate,
    pub(crate) paused: bool,
    next_connection: u64,
}

/// What the writer of a connection does next.
pub(crate) enum Next {
    Dispatch(Dispatch, Option<Mangling>),
    Act(Action),
    /// Nothing before something changes, or before this instant.
    Wait(Option<Instant>),
    /// The connection is no longer wanted.
    Gone,
}

impl State {
    pub(crate) fn open(&mut self, outbox: Outbox) -> u64 {
        let id = self.next_connection;
        self.next_connection += 1;
        self.connections.insert(id, outbox);
        id
    }

    /// The session of a connection.
    pub(crate) fn session_of(&mut self, connection: u64) -> Option<(&str, &mut Session)> {
        let id = self.connections.get(&connection)?.session.as_deref()?;
        self.sessions.get_mut(id).map(|session| (id, session))
    }

    /// Queues an action behind what the connection already has to send.
    pub(crate) fn act(&mut self, connection: u64, action: Action) -> bool {
        let last = self.session_of(connection).map_or(0, |(_, session)| session.sequence);
        self.connections.get_mut(&connection).is_some_and(|outbox| outbox.push(last, action))
    }

    /// Closes a connection before anything else is sent on it.
    pub(crate) fn close_now(&mut self, connection: u64, code: u16, reason: &str) {
        self.push_now(connection, Action::close(code, reason));
    }

    /// Puts an action before everything else on a connection.
    pub(crate) fn push_now(&mut self, connection: u64, action: Action) {
        if let Some(outbox) = self.connections.get_mut(&connection) {
            outbox.push_now(action);
        }
    }

    /// The next dispatch or action of a connection.
    pub(crate) fn next(&mut self, connection: u64) -> Next {
        let Some(outbox) = self.connections.get_mut(&connection) else { return Next::Gone };
        if let Some(action) = outbox.pop() {
            return Next::Act(action);
        }
        if outbox.is_deaf {
            return Next::Wait(None);
        }
        let Some(session) = outbox.session.as_ref().and_then(|id| self.sessions.get(id)) else {
            return Next::Wait(None);
        };
        let Some(dispatch) = session.after(outbox.written).cloned() else {
            outbox.written = session.sequence;
            if let Some(action) = outbox.pop() {
                return Next::Act(action);
            }
            return Next::Wait(session.pending_guilds.front().map(|_| session.next_guild));
        };
        outbox.repeated = !outbox.repeated && dispatch.sequence <= outbox.repeat_until;
        if !outbox.repeated {
            outbox.written = dispatch.sequence;
        }
        let mangling = self.faults.take(outbox.shard, |kind| match kind {
            FaultKind::Mangle(mangling) => Some(mangling.clone()),
            _ => None,
        });
        Next::Dispatch(dispatch, mangling)
    }
}

/// A random id as Discord writes session ids.
fn hex(random: &mut fastrand::Rng) -> String {
    format!("{:032x}", random.u128(..))
}
