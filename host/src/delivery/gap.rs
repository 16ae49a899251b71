//! Events of a session that no broker will get, as far as that can be known.

use std::fmt;

use gateway_protocol::{Sequence, Session};
use serde::{Deserialize, Serialize};

/// The name of the event that tells a bot of a gap. It is published if `events` names it; `*` does not mean it.
pub const GAP_EVENT: &str = "GATEWAY_GAP";

/// A range of one session's events that are lost, or may be: what is not known counts as lost.
///
/// As JSON it is the payload of [`GAP_EVENT`] (with the shard's number beside), and what a store keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The session's id; empty if it is not known.
    pub session: String,
    /// The first sequence of the range.
    #[serde(with = "number")]
    pub from: Sequence,
    /// The last one; `None` if nobody knows how many events Discord had.
    #[serde(with = "optional_number")]
    pub to: Option<Sequence>,
    /// How it came to this.
    pub reason: GapReason,
}

/// How events get lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Discord ended the session, so what it had not sent yet never comes.
    SessionLost,
    /// Discord left out sequences.
    LeftOut,
    /// The gateway ended before the broker had taken them, and their session had ended before.
    NotDelivered,
    /// The gateway ended before the broker had taken anything of the session, and such a session cannot be resumed.
    NothingDelivered,
    /// The bot runs with another number of shards, which no session outlives.
    ShardCount,
    /// What the store has of the session cannot be read.
    StoreUnreadable,
}

impl Gap {
    /// What Discord had not sent after `last` when the session ended.
    #[must_use]
    pub fn after(last: &Session, reason: GapReason) -> Self {
        Self { session: last.id.clone(), from: next(last.sequence), to: None, reason }
    }

    /// What lies between two sequences.
    #[must_use]
    pub fn between(session: &str, before: Sequence, behind: Sequence, reason: GapReason) -> Self {
        let to = Sequence(behind.0.saturating_sub(1));
        Self { session: session.to_owned(), from: next(before), to: Some(to), reason }
    }

    /// Of a session of which nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self { session: String::new(), from: Sequence(1), to: None, reason: GapReason::StoreUnreadable }
    }

    /// The payload of [`GAP_EVENT`].
    #[must_use]
    pub fn payload(&self, shard: gateway_protocol::ShardId) -> String {
        #[derive(Serialize)]
        struct Payload<'a> {
            shard: u32,
            #[serde(flatten)]
            gap: &'a Gap,
        }
        // Numbers and texts can always be written.
        serde_json::to_string(&Payload { shard: shard.0, gap: self }).unwrap_or_default()
    }
}

impl fmt::Display for Gap {
    /// In words, for the log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.session.is_empty() {
            return write!(formatter, "the events of an unknown session ({})", self.reason.words());
        }
        let session = session_label(&self.session);
        match self.to {
            Some(to) => write!(formatter, "events {} to {to} of session {session}", self.from)?,
            None => write!(formatter, "the events of session {session} from {} on", self.from)?,
        }
        write!(formatter, " ({})", self.reason.words())
    }
}

impl GapReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::SessionLost,
        Self::LeftOut,
        Self::NotDelivered,
        Self::NothingDelivered,
        Self::ShardCount,
        Self::StoreUnreadable,
    ];

    /// The name in metrics and in the event.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::SessionLost => "session_lost",
            Self::LeftOut => "left_out",
            Self::NotDelivered => "not_delivered",
            Self::NothingDelivered => "nothing_delivered",
            Self::ShardCount => "shard_count",
            Self::StoreUnreadable => "store_unreadable",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::SessionLost => "Discord ended the session",
            Self::LeftOut => "Discord left them out",
            Self::NotDelivered => {
                "the gateway ended before the broker had taken all of them, and the session was over already"
            }
            Self::NothingDelivered => "nothing of the session was delivered when the gateway ended",
            Self::ShardCount => "the session is of a run with another number of shards",
            Self::StoreUnreadable => "what the store has of it cannot be read",
        }
    }
}

/// What the log calls a session: enough to find it, too little to resume it.
#[must_use]
pub fn session_label(id: &str) -> String {
    id.chars().take(8).chain("…".chars()).collect()
}

fn next(sequence: Sequence) -> Sequence {
    Sequence(sequence.0.saturating_add(1))
}

mod number {
    use gateway_protocol::Sequence;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(sequence: &Sequence, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(sequence.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sequence, D::Error> {
        u64::deserialize(deserializer).map(Sequence)
    }
}

mod optional_number {
    use gateway_protocol::Sequence;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(sequence: &Option<Sequence>, serializer: S) -> Result<S::Ok, S::Error> {
        sequence.map(|sequence| sequence.0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Sequence>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Sequence))
    }
}

#[cfg(test)]
mod tests {
    use gateway_protocol::ShardId;

    use super::*;

    #[test]
    fn the_payload_names_shard_session_and_range() {
        let gap = Gap::between("abc", Sequence(41), Sequence(58), GapReason::LeftOut);
        assert_eq!(gap.payload(ShardId(3)), r#"{"shard":3,"session":"abc","from":42,"to":57,"reason":"left_out"}"#);
        let last = Session { id: "abc".into(), resume_url: None, sequence: Sequence(41) };
        let gap = Gap::after(&last, GapReason::SessionLost);
        assert_eq!(
            gap.payload(ShardId(3)),
            r#"{"shard":3,"session":"abc","from":42,"to":null,"reason":"session_lost"}"#
        );
    }

    #[test]
    fn what_is_stored_is_read_again_and_labels_are_those_of_the_event() {
        for reason in GapReason::ALL {
            let gap = Gap { session: "a".into(), from: Sequence(1), to: None, reason };
            let text = serde_json::to_string(&gap).unwrap();
            assert!(text.contains(&format!("\"reason\":\"{}\"", reason.label())), "{text}");
            assert_eq!(serde_json::from_str::<Gap>(&text).unwrap(), gap);
        }
    }

    #[test]
    fn the_log_does_not_name_the_whole_session() {
        let gap = Gap::between("0123456789abcdef", Sequence(1), Sequence(3), GapReason::NotDelivered);
        let text = gap.to_string();
        assert!(text.starts_with("events 2 to 2 of session 01234567… (the gateway ended"), "{text}");
    }
}
