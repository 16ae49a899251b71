//! A shard, a clock that only the test moves, and the words of the server that it talks to.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_protocol::{
    Action, Address, Command, Envelope, Identity, Input, Phase, Purpose, ReconnectCause, Sequence, Session, Shard,
    ShardCount, ShardId, ShardOptions,
};

/// One shard in simulated time.
pub(crate) struct Peer {
    pub(crate) shard: Shard,
    pub(crate) now: Instant,
    /// What the other shards have heard, if there are others.
    pub(crate) siblings: Option<u64>,
    /// Everything that the shard wanted done, and when.
    pub(crate) log: Vec<(Instant, Action)>,
}

impl Peer {
    /// A shard that has been started.
    pub(crate) fn start(session: Option<Session>) -> Self {
        Self::start_seeded(session, 1)
    }

    pub(crate) fn start_seeded(session: Option<Session>, seed: u64) -> Self {
        Self::start_patient(session, seed, Some(PATIENCE))
    }

    /// One that bears it so long that nothing is read.
    pub(crate) fn start_patient(session: Option<Session>, seed: u64, patience: Option<Duration>) -> Self {
        Self::start_with(session, seed, patience, None)
    }

    /// One that suspects to be deaf.
    pub(crate) fn start_listening(session: Option<Session>, seed: u64) -> Self {
        Self::start_with(session, seed, Some(PATIENCE), Some(SILENCE))
    }

    fn start_with(session: Option<Session>, seed: u64, patience: Option<Duration>, silence: Option<Duration>) -> Self {
        let identity = Identity { token: "T0KEN".to_owned(), intents: 513, presence: None, large_threshold: None };
        let count = ShardCount::new(1).unwrap();
        let options = ShardOptions { id: ShardId(0), count, identity: Arc::new(identity), patience, silence };
        let shard = Shard::new(options, session, fastrand::Rng::with_seed(seed));
        let mut peer = Self { shard, now: Instant::now(), siblings: None, log: Vec::new() };
        peer.input(Input::Start);
        peer
    }

    /// A shard whose session has just begun, with READY as event 1.
    pub(crate) fn active() -> Self {
        Self::active_seeded(1)
    }

    pub(crate) fn active_seeded(seed: u64) -> Self {
        Self::start_seeded(None, seed).made_active()
    }

    pub(crate) fn made_active(mut self) -> Self {
        self.open();
        self.input(Input::IdentifyGranted);
        self.ready(1);
        assert_eq!(self.shard.phase(), Phase::Active);
        self
    }

    /// A shard that has sent its resume.
    pub(crate) fn resuming() -> Self {
        let mut peer = Self::start(Some(stored_session()));
        peer.open();
        assert_eq!(peer.shard.phase(), Phase::Resuming);
        peer
    }

    /// Tells the shard something and does what a driver does. Answers with what the shard wants done.
    pub(crate) fn input(&mut self, input: Input<'_>) -> Vec<Action> {
        self.shard.handle_input(self.now, input);
        let mut actions = Vec::new();
        while let Some(action) = self.shard.poll_action() {
            if let Action::Heard(_) = action {
                self.shard.handle_input(self.now, Input::SiblingsHeard(self.siblings));
            } else {
                actions.push(action);
            }
        }
        self.log.extend(actions.iter().map(|action| (self.now, action.clone())));
        actions
    }

    /// The server sends a payload.
    pub(crate) fn receive(&mut self, text: &str) -> Vec<Action> {
        match Envelope::parse(text.as_bytes()) {
            Ok((envelope, _)) => self.input(Input::Received(&envelope)),
            Err(_) => self.input(Input::Undecodable),
        }
    }

    pub(crate) fn hello(&mut self) -> Vec<Action> {
        self.receive(r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250,"_trace":["[]"]}}"#)
    }

    pub(crate) fn ready(&mut self, sequence: u64) -> Vec<Action> {
        self.receive(&format!(
            r#"{{"t":"READY","s":{sequence},"op":0,"d":{{"v":10,"guilds":[{{"id":"1"}}],"session_id":"fresh","resume_gateway_url":"wss://resume.example"}}}}"#
        ))
    }

    pub(crate) fn event(&mut self, sequence: u64) -> Vec<Action> {
        self.receive(&format!(r#"{{"t":"TYPING_START","s":{sequence},"op":0,"d":{{}}}}"#))
    }

    pub(crate) fn resumed(&mut self, sequence: &str) -> Vec<Action> {
        self.receive(&format!(r#"{{"t":"RESUMED","s":{sequence},"op":0,"d":{{"_trace":[]}}}}"#))
    }

    pub(crate) fn acknowledge(&mut self) -> Vec<Action> {
        self.receive(r#"{"t":null,"s":null,"op":11,"d":null}"#)
    }

    pub(crate) fn invalid_session(&mut self, is_resumable: bool) -> Vec<Action> {
        self.receive(&format!(r#"{{"t":null,"s":null,"op":9,"d":{is_resumable}}}"#))
    }

    pub(crate) fn reconnect(&mut self) -> Vec<Action> {
        self.receive(r#"{"t":null,"s":null,"op":7,"d":null}"#)
    }

    pub(crate) fn close(&mut self, code: u16) -> Vec<Action> {
        self.input(Input::Closed(Some(code)))
    }

    /// Jumps to the next deadline. Nothing happens if there is none.
    pub(crate) fn step(&mut self) -> Vec<Action> {
        let Some(deadline) = self.shard.poll_timeout() else { return Vec::new() };
        self.now = self.now.max(deadline);
        let actions = self.input(Input::Timeout);
        assert!(self.shard.poll_timeout().is_none_or(|next| next > self.now), "the deadline did not move");
        actions
    }

    /// Lets time pass, with every deadline in it.
    pub(crate) fn advance(&mut self, time: Duration) -> Vec<Action> {
        self.advance_with(time, |_| {})
    }

    /// Lets time pass. The server does `reaction` after each deadline.
    pub(crate) fn advance_with(&mut self, time: Duration, mut reaction: impl FnMut(&mut Self)) -> Vec<Action> {
        let end = self.now + time;
        let before = self.log.len();
        while self.shard.poll_timeout().is_some_and(|deadline| deadline <= end) {
            self.step();
            reaction(self);
        }
        self.now = end;
        self.log.iter().skip(before).map(|(_, action)| action.clone()).collect()
    }

    /// Waits until the shard connects. Answers with the address and how long it took.
    pub(crate) fn next_connect(&mut self) -> (Address, Duration) {
        let start = self.now;
        for _ in 0..1000 {
            if self.shard.phase() == Phase::Connecting {
                let address = self.log.iter().rev().find_map(|(_, action)| match action {
                    Action::Connect(address) => Some(address.clone()),
                    _ => None,
                });
                return (address.unwrap_or(Address::Base), self.now - start);
            }
            self.step();
        }
        panic!("the shard does not connect");
    }

    /// Waits for the next connection and opens it up to HELLO. Answers with what the shard does then.
    pub(crate) fn open(&mut self) -> Vec<Action> {
        self.next_connect();
        self.input(Input::Connected);
        self.hello()
    }

    /// The bot sends a presence.
    pub(crate) fn command(&mut self, token: u64) -> Vec<Action> {
        self.command_of(token, 3, r#"{"since":null,"activities":[],"status":"online","afk":false}"#)
    }

    pub(crate) fn command_of(&mut self, token: u64, opcode: u64, data: &str) -> Vec<Action> {
        self.input(Input::Command(Command::new(token, opcode, data).unwrap()))
    }

    pub(crate) fn sequence(&self) -> Option<u64> {
        self.shard.session().map(|session| session.sequence.0)
    }

    /// When payloads of this opcode were sent.
    pub(crate) fn times_of(&self, wanted: u64) -> Vec<Instant> {
        let sent = |(at, action): &(Instant, Action)| match action {
            Action::Send { opcode, .. } if *opcode == wanted => Some(*at),
            _ => None,
        };
        self.log.iter().filter_map(sent).collect()
    }
}

pub(crate) fn stored_session() -> Session {
    Session { id: "stored".to_owned(), resume_url: Some("wss://resume.example".to_owned()), sequence: Sequence(100) }
}

/// The payloads among the actions.
pub(crate) fn sent(actions: &[Action]) -> Vec<&str> {
    actions
        .iter()
        .filter_map(|action| if let Action::Send { text, .. } = action { Some(&**text) } else { None })
        .collect()
}

/// The sequences of the forwarded events.
pub(crate) fn dispatched(actions: &[Action]) -> Vec<Option<u64>> {
    let sequence = |action: &Action| match action {
        Action::Dispatch { sequence } => Some(sequence.map(|sequence| sequence.0)),
        _ => None,
    };
    actions.iter().filter_map(sequence).collect()
}

pub(crate) fn cause(actions: &[Action]) -> Option<ReconnectCause> {
    actions.iter().find_map(|action| if let Action::Reconnecting(cause) = action { Some(*cause) } else { None })
}

pub(crate) fn commands(actions: &[Action]) -> Vec<u64> {
    let token = |action: &Action| match action {
        Action::Send { purpose: Purpose::Command(token), .. } => Some(*token),
        _ => None,
    };
    actions.iter().filter_map(token).collect()
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// How long reading may be paused.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long no event may come.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(41_250);
pub(crate) const KEEP_SESSION: Action = Action::Disconnect(Some(4000));
