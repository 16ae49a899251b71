//! What a shard wants done.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use crate::close::{self, FatalClose};
use crate::identify_history::IdentifyReason;
use crate::session::{Sequence, Session};

/// Something that a shard's driver must do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open a WebSocket, with a decompressor of its own. The driver adds the query and its own timeout.
    Connect(Address),
    /// Send this payload as a text message.
    Send {
        /// Its `op`.
        opcode: u64,
        /// The JSON text.
        text: Payload,
        /// What for.
        purpose: Purpose,
    },
    /// Ask the [`IdentifyLimiter`](crate::IdentifyLimiter) for a permit.
    RequestIdentify(IdentifyReason),
    /// The permit is not needed any more.
    CancelIdentify,
    /// Send this close code if it can be done without waiting, and drop the socket.
    Disconnect(Option<u16>),
    /// Forward the event that was just received. With a sequence, it is new in its session. `None` is an event that Discord did
    /// not number: it is not replayed after a resume, so it moves no watermark.
    Dispatch {
        /// Its place in the session.
        sequence: Option<Sequence>,
    },
    /// An event was not forwarded.
    Dropped {
        /// Its place in the session, if it had one.
        sequence: Option<Sequence>,
        /// Why.
        reason: DropReason,
    },
    /// Discord left out sequences; whether they were events, nobody knows.
    SequenceGap {
        /// The last sequence before the gap.
        from: Sequence,
        /// The first one behind it.
        to: Sequence,
    },
    /// The events that follow belong to this session. Its sequence is that of the last event before them: that of a stored
    /// session at the start, and 0 for a new one, whose READY follows.
    SessionStarted(Session),
    /// Discord has sent everything that was missed.
    SessionResumed,
    /// The current session, without the address of its own, which did not work when the session was resumed. A later run must not
    /// try it either.
    SessionMoved(Session),
    /// What Discord had not sent yet of this session will not come.
    SessionLost {
        /// The session, with the last sequence that came.
        session: Session,
        /// Why.
        reason: LossReason,
    },
    /// Commands are sent from now on.
    Ready,
    /// Commands wait from now on.
    Unready,
    /// How long Discord took to answer a heartbeat.
    HeartbeatAcknowledged(Duration),
    /// So many events came since the last heartbeat. To be answered at once with [`Input::SiblingsHeard`](crate::Input::SiblingsHeard).
    Heard(u64),
    /// A command will not be sent: the queue was full, or the shard ended before it was its turn.
    CommandRefused(u64),
    /// The connection ended or could not be opened; another one follows.
    Reconnecting(ReconnectCause),
    /// The shard ended. Nothing follows.
    Finished(Finish),
}

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The address of `GET /gateway/bot`.
    Base,
    /// The session's own, without a query.
    Resume(String),
}

/// A payload's JSON text. It may contain the token, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(String);

impl Payload {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Deref for Payload {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Payload> for String {
    fn from(payload: Payload) -> Self {
        payload.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{} bytes>", self.0.len())
    }
}

/// Why something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A heartbeat.
    Heartbeat,
    /// To start a session. It spends the permit.
    Identify,
    /// To resume one.
    Resume,
    /// The command with this token.
    Command(u64),
    /// A request for guild members that Discord had put off. Its command was reported as sent before.
    Repeat,
}

/// Why an event was not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// Its sequence came before.
    Duplicate,
    /// It has no name.
    Nameless,
    /// It belongs to no session.
    NoSession,
}

impl DropReason {
    /// A name for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Nameless => "nameless",
            Self::NoSession => "no_session",
        }
    }
}

/// Why a session was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LossReason {
    /// Discord closed the connection with a code that ends the session.
    Closed(u16),
    /// Discord called it invalid.
    Invalidated,
    /// It could not be resumed for too long.
    ResumeFailed,
    /// Discord answered with another session.
    Replaced,
    /// No events came on it, although they should have, and resuming it did not help.
    Deaf,
}

impl LossReason {
    /// A name for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed(code) => close::name(Some(code)),
            Self::Invalidated => "invalidated",
            Self::ResumeFailed => "resume_failed",
            Self::Replaced => "replaced",
            Self::Deaf => "deaf",
        }
    }
}

/// Why another connection is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReconnectCause {
    /// Nothing was read for so long that the connection was given up until reading goes on.
    Backpressure,
    /// The connection ended, with this code or without one.
    Closed(Option<u16>),
    /// It could not be opened.
    ConnectFailed,
    /// No events come, although they should.
    Deaf,
    /// HELLO did not come.
    HelloTimeout,
    /// Discord called the session invalid, or refused to start one.
    InvalidSession,
    /// Discord asked for it.
    Requested,
    /// What came in could not be decoded.
    Undecodable,
    /// A payload that Discord never sends at this point, or without what it must have.
    UnexpectedPayload,
    /// Nothing was received since the last heartbeat.
    Zombie,
}

impl ReconnectCause {
    /// A name for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Backpressure => "backpressure",
            Self::Closed(code) => close::name(code),
            Self::ConnectFailed => "connect_failed",
            Self::Deaf => "deaf",
            Self::HelloTimeout => "hello_timeout",
            Self::InvalidSession => "invalid_session",
            Self::Requested => "requested",
            Self::Undecodable => "undecodable",
            Self::UnexpectedPayload => "unexpected_payload",
            Self::Zombie => "zombie",
        }
    }
}

/// How a shard ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// As it was told.
    Stopped {
        /// What a later run can resume.
        session: Option<Session>,
    },
    /// Discord will not have it as it is. Somebody must change something first.
    Fatal(FatalClose),
}
