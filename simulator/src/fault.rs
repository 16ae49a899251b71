//! Faults on demand: what goes wrong, where, and how often.

use bytes::Bytes;
use std::{num::NonZeroU32, time::Duration};

/// Something that goes wrong. Pass it to [`Control::fault`](crate::Control::fault), as it is or narrowed down by
/// [`on_shard`](Self::on_shard), [`times`](Self::times), [`until_cleared`](Self::until_cleared) and [`Fault::every`].
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Op 7, then a close with 1001 after [`reconnect_grace`](crate::Knobs::reconnect_grace).
    Reconnect,
    /// Op 9 in the middle of a connection. `false` ends the session.
    InvalidSession {
        /// Its `d`.
        resumable: bool,
    },
    /// A close frame.
    Close {
        /// Its code.
        code: u16,
        /// Its reason.
        reason: String,
    },
    /// A close frame, and behind it one more dispatch, named `LATE`, which the session keeps for replay.
    DispatchAfterClose {
        /// The code of the close frame.
        code: u16,
    },
    /// A WebSocket close frame without a code.
    CloseWithoutCode,
    /// A TCP reset.
    Reset,
    /// The TCP connection ends without a close frame.
    Drop,
    /// The connection stays open, reads nothing and says nothing.
    HalfOpen,
    /// Heartbeats are acknowledged, and no events come. The session keeps them for replay.
    Deaf,
    /// Op 1 this many times in a row.
    RequestHeartbeat {
        /// How many.
        count: u32,
    },
    /// The next dispatch skips this many sequence numbers.
    SequenceGap {
        /// How many.
        skipped: u64,
    },
    /// GUILD_DELETE with `unavailable` and then GUILD_CREATE for each guild of the shard.
    FlapGuilds,

    /// No Hello.
    NoHello,
    /// A late Hello.
    DelayHello(Duration),
    /// Op 7 instead of Hello.
    ReconnectInsteadOfHello,
    /// Each message of the client is read this late.
    SlowReads(Duration),
    /// Heartbeats are read and not acknowledged.
    SwallowAcks,
    /// Heartbeats are acknowledged late.
    DelayAcks(Duration),
    /// Identifies are answered with this instead of READY.
    AnswerIdentify(Answer),
    /// Resumes are answered with this instead of the replay.
    AnswerResume(Answer),
    /// RESUMED without the replay before it.
    ResumedWithoutReplay,
    /// Each replayed dispatch comes twice.
    DuplicateReplay,
    /// READY without `resume_gateway_url`.
    ReadyWithoutResumeUrl,
    /// No GUILD_CREATE follows READY.
    GuildsNeverArrive,
    /// Nothing accepts at the resume URL: connections are reset at once.
    ResumeUrlDead,
    /// The next dispatches are damaged on their way; the session keeps them intact for replay.
    Mangle(Mangling),
    /// Upgrades are answered with this HTTP status.
    Upgrade(u16),
    /// `/gateway` and `/gateway/bot` answer like this.
    Rest(RestFault),
    /// The token is revoked: 4004 and 401 from now on. Connections stay until they are closed.
    TokenRevoked,
    /// Fewer shards than this close with 4011 on Identify.
    ShardCountRaised(u32),
    /// These privileged intents are no longer granted: 4014 on Identify.
    IntentsRevoked(u64),
}

impl FaultKind {
    /// Only connections of this shard. A connection has no shard before it identifies or resumes.
    pub fn on_shard(self, shard: u32) -> Fault {
        Fault::from(self).on_shard(shard)
    }

    /// This many times, then no more.
    pub fn times(self, times: u32) -> Fault {
        Fault::from(self).times(times)
    }

    /// Every time until [`Control::clear_faults`](crate::Control::clear_faults).
    pub fn until_cleared(self) -> Fault {
        Fault::from(self).until_cleared()
    }

    /// Whether it happens to open connections at once, rather than when its occasion comes.
    pub(crate) fn is_immediate(&self) -> bool {
        matches!(
            self,
            Self::Reconnect
                | Self::InvalidSession { .. }
                | Self::Close { .. }
                | Self::CloseWithoutCode
                | Self::DispatchAfterClose { .. }
                | Self::Reset
                | Self::Drop
                | Self::HalfOpen
                | Self::Deaf
                | Self::RequestHeartbeat { .. }
                | Self::SequenceGap { .. }
                | Self::FlapGuilds
        )
    }

    /// Whether it describes a state of the world that lasts, rather than something that happens.
    fn is_lasting(&self) -> bool {
        matches!(self, Self::TokenRevoked | Self::ShardCountRaised(_) | Self::IntentsRevoked(_) | Self::ResumeUrlDead)
    }
}

/// A fault with its scope. By default it hits every shard, and happens once, unless its nature is to last
/// (a revoked token).
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) shard: Option<u32>,
    pub(crate) left: Option<u32>,
    pub(crate) every: Option<NonZeroU32>,
}

impl Fault {
    /// Only connections of this shard.
    pub fn on_shard(self, shard: u32) -> Self {
        Self { shard: Some(shard), ..self }
    }

    /// This many times, then no more. Without [`every`](Self::every) a fault of open connections happens once whatever
    /// is said here.
    pub fn times(self, times: u32) -> Self {
        Self { left: Some(times), ..self }
    }

    /// Every time until [`Control::clear_faults`](crate::Control::clear_faults).
    pub fn until_cleared(self) -> Self {
        Self { left: None, ..self }
    }

    /// Not now, but whenever a shard has been sent this many generated events since the last time. Each shard counts
    /// its own, while it is connected.
    pub fn every(self, events: NonZeroU32) -> Self {
        Self { every: Some(events), ..self }
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        let left = if kind.is_lasting() { None } else { Some(1) };
        Self { kind, shard: None, left, every: None }
    }
}

/// What comes instead of READY or of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Op 9.
    InvalidSession {
        /// Its `d`; `false` ends the session.
        resumable: bool,
    },
    /// A close with this code.
    Close(u16),
    /// The end of the TCP connection, which clients report as 1006.
    Drop,
    /// Nothing. Heartbeats are still answered.
    Silence,
}

/// What is done to a payload between the compressor and the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mangling {
    /// One byte in the middle is flipped.
    CorruptByte,
    /// The last bytes are missing.
    Truncate(usize),
    /// The payload comes in this many WebSocket messages.
    Split(usize),
    /// The payload comes in one WebSocket message of this many frames.
    Fragment(usize),
    /// The WebSocket message never comes, although the compressor has seen it.
    Lose,
}

/// How REST goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum RestFault {
    /// This status with Discord's JSON for it (401, 403, 5xx).
    Status(u16),
    /// 429 with `Retry-After`.
    RateLimited {
        /// The time to wait.
        retry_after: Duration,
        /// Whether the limit is the bot's global one.
        global: bool,
    },
    /// Cloudflare's 429: no JSON and no `X-RateLimit-*`.
    Cloudflare {
        /// The time to wait.
        retry_after: Duration,
    },
    /// 200 with an HTML page.
    Html,
    /// 200 with nothing in it.
    Empty,
    /// 200 with this body: lies.
    Body(String),
    /// The connection ends without an answer.
    Drop,
}

/// Something to send that no faithful server would. See [`Control::send_raw`](crate::Control::send_raw).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// These bytes as a payload, compressed as the connection is. They need not be an envelope, JSON or UTF-8.
    Payload(Bytes),
    /// The same, damaged on its way.
    Mangled(Bytes, Mangling),
    /// Several payloads in one WebSocket message.
    Merged(Vec<Bytes>),
    /// A payload with a string that inflates to this many bytes.
    Bomb {
        /// Size of the string.
        bytes: u64,
    },
    /// A text message outside of the compression. It may be invalid UTF-8.
    Text(Bytes),
    /// A binary message outside of the compression.
    Binary(Bytes),
    /// A WebSocket ping.
    Ping(Bytes),
    /// Bytes on the TCP (or TLS) connection, outside of WebSocket.
    Stream(Bytes),
}

impl Raw {
    /// A payload from text.
    pub fn payload(text: impl Into<String>) -> Self {
        Self::Payload(text.into().into())
    }
}

/// The faults that wait for their occasion.
#[derive(Default)]
pub(crate) struct Armed(Vec<Fault>);

impl Armed {
    pub(crate) fn arm(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether exactly this fault waits.
    pub(crate) fn holds(&self, fault: &Fault) -> bool {
        self.0.contains(fault)
    }

    /// The first fault that `select` knows what to do with, counted as one occasion.
    pub(crate) fn take<T>(&mut self, shard: Option<u32>, select: impl Fn(&FaultKind) -> Option<T>) -> Option<T> {
        let applies = |fault: &Fault| fault.shard.is_none() || fault.shard == shard;
        let (index, found) = self.0.iter().enumerate().find_map(|(index, fault)| {
            let found = applies(fault).then(|| select(&fault.kind)).flatten()?;
            Some((index, found))
        })?;
        if let Some(left) = self.0.get_mut(index).and_then(|fault| fault.left.as_mut()) {
            *left = left.saturating_sub(1);
        }
        self.0.retain(|fault| fault.left != Some(0));
        Some(found)
    }

    /// Whether a fault of exactly this kind is due now.
    pub(crate) fn due(&mut self, shard: Option<u32>, kind: &FaultKind) -> bool {
        self.take(shard, |armed| (armed == kind).then_some(())).is_some()
    }
}
