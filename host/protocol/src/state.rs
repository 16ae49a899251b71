//! Where a shard is in the life of its connection.

use std::time::Instant;

use crate::heartbeat::Heartbeat;
use crate::send_limit::SendLimit;

/// What a shard is doing, for metrics and readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not started yet.
    Idle,
    /// Between two connections.
    Waiting,
    /// Without a connection until reading goes on.
    Parked,
    /// A WebSocket is being opened.
    Connecting,
    /// The WebSocket is open, HELLO has not come.
    AwaitingHello,
    /// Waiting for its turn to identify.
    AwaitingPermit,
    /// Identified, READY has not come.
    Identifying,
    /// Missed events come in.
    Resuming,
    /// Events come in, commands go out.
    Active,
    /// Ended.
    Finished,
}

impl Phase {
    /// A name for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Connecting => "connecting",
            Self::AwaitingHello => "awaiting_hello",
            Self::AwaitingPermit => "awaiting_permit",
            Self::Identifying => "identifying",
            Self::Resuming => "resuming",
            Self::Active => "active",
            Self::Finished => "finished",
        }
    }
}

/// A phase with what exists only in it.
#[derive(Debug)]
pub(crate) enum State {
    Idle,
    Waiting,
    Parked {
        since: Instant,
        /// When the next connection may be made at the earliest.
        not_before: Instant,
    },
    Connecting(Target),
    AwaitingHello {
        target: Target,
        sends: SendLimit,
    },
    AwaitingPermit(Connection),
    Identifying(Connection),
    Resuming(Connection),
    Active {
        connection: Connection,
        since: Instant,
    },
    Finished,
}

/// Where a connection leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Base,
    ResumeUrl,
}

/// What belongs to one connection from HELLO on.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) heartbeat: Heartbeat,
    pub(crate) sends: SendLimit,
}

impl State {
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Idle => Phase::Idle,
            Self::Waiting => Phase::Waiting,
            Self::Parked { .. } => Phase::Parked,
            Self::Connecting(_) => Phase::Connecting,
            Self::AwaitingHello { .. } => Phase::AwaitingHello,
            Self::AwaitingPermit(_) => Phase::AwaitingPermit,
            Self::Identifying(_) => Phase::Identifying,
            Self::Resuming(_) => Phase::Resuming,
            Self::Active { .. } => Phase::Active,
            Self::Finished => Phase::Finished,
        }
    }

    /// Whether a WebSocket is open or being opened.
    pub(crate) fn has_socket(&self) -> bool {
        !matches!(self, Self::Idle | Self::Waiting | Self::Parked { .. } | Self::Finished)
    }

    pub(crate) fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::AwaitingPermit(connection)
            | Self::Identifying(connection)
            | Self::Resuming(connection)
            | Self::Active { connection, .. } => Some(connection),
            Self::Idle
            | Self::Waiting
            | Self::Parked { .. }
            | Self::Connecting(_)
            | Self::AwaitingHello { .. }
            | Self::Finished => None,
        }
    }
}
