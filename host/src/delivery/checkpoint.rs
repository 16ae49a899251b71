//! What a later run needs to know of a shard.

use std::num::NonZeroU64;
use std::time::Duration;

use gateway_protocol::Session;

use super::{Gap, GapReason};

/// A session with the point from which it can be resumed with nothing missing, and what is owed for sessions that are over.
///
/// That point is 0 until the first event is settled: such a session cannot be resumed, but a later run knows of it, and says what
/// is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// With the watermark as its sequence; `None` when there is nothing to resume.
    pub session: Option<Session>,
    /// Gaps that a later run must tell of: those of which nobody was told yet, and those that arise if the gateway ends now.
    pub gaps: Vec<Gap>,
}

/// How much may be unsaved: what a crash delivers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After so long, what has changed is saved.
    pub interval: Duration,
    /// After so many settled events of a shard, it is saved at once.
    pub events: NonZeroU64,
}

impl Pace {
    /// What nobody will notice, and cheap on any disk.
    pub const DEFAULT: Self =
        Self { interval: Duration::from_millis(500), events: NonZeroU64::MIN.saturating_add(9_999) };
}

impl Checkpoint {
    /// What a store found. A session that cannot be resumed, because nothing of it was delivered or because the number of shards
    /// is another one, becomes a gap.
    #[must_use]
    pub fn found(session: Session, mut gaps: Vec<Gap>, is_same_count: bool) -> Self {
        let obstacle = match (session.sequence.0, is_same_count) {
            (0, _) => GapReason::NothingDelivered,
            (_, false) => GapReason::ShardCount,
            _ => return Self { session: Some(session), gaps },
        };
        gaps.push(Gap::after(&session, obstacle));
        Self { session: None, gaps }
    }

    /// For what a store has and nobody can read: a session was there, and what of it is lost is not known.
    #[must_use]
    pub fn unreadable() -> Self {
        Self { session: None, gaps: vec![Gap::unknown()] }
    }

    /// Whether a later run needs nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.session.is_none() && self.gaps.is_empty()
    }
}

impl From<Session> for Checkpoint {
    fn from(session: Session) -> Self {
        Self { session: Some(session), gaps: Vec::new() }
    }
}
