//! The names of a shard's keys.

use gateway_protocol::ShardId;

/// The keys of one shard. The first two are those of the original gateway, of the same names, types and meanings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    /// The sequence of the last event of which nothing before is missing, in decimal.
    pub(super) sequence: String,
    /// The session's id.
    pub(super) session: String,
    /// Which session the count and the resume URL belong to. The original leaves them behind when it starts a session of its own.
    pub(super) details_of: String,
    /// Over how many shards the bot was spread, in decimal.
    pub(super) count: String,
    /// Where to resume. Missing when only the base address is known.
    pub(super) resume_url: String,
    /// When this was saved, in milliseconds since 1970. Nobody but operators reads it.
    pub(super) saved_at: String,
    /// Gaps that a later run must tell of, a JSON array. Missing when there are none.
    pub(super) gaps: String,
}

impl Keys {
    /// The prefix is used as it is. One that ends with a digit can meet the keys of another: `p1` and shard 0, `p` and shard 10.
    pub(super) fn new(prefix: &str, shard: ShardId) -> Self {
        let key = |name| format!("{prefix}{}{name}", shard.0);
        Self {
            sequence: key("seq"),
            session: key("session"),
            details_of: key("details_of"),
            count: key("count"),
            resume_url: key("resume_url"),
            saved_at: key("saved_at"),
            gaps: key("gaps"),
        }
    }

    /// In the order that the script knows them by.
    pub(super) fn all(&self) -> [&str; 7] {
        [&self.sequence, &self.session, &self.details_of, &self.count, &self.resume_url, &self.saved_at, &self.gaps]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_originals_and_others_beside() {
        let keys = Keys::new("gateway", ShardId(0));
        let expected = ["seq", "session", "details_of", "count", "resume_url", "saved_at", "gaps"];
        assert_eq!(keys.all(), expected.map(|name| format!("gateway0{name}")));
        assert_eq!(Keys::new("", ShardId(12)).sequence, "12seq");
    }
}
