//! What is kept of a session across connections.

use std::fmt;

/// The number of an event in its session, from 1; 0 stands for "none yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What it takes to resume a session.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Discord's identifier of the session. With the token it opens the session, so `Debug` does not show it.
    pub id: String,
    /// Where to resume it; `None` when only the base address is known.
    pub resume_url: Option<String>,
    /// The last event of it.
    pub sequence: Sequence,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("id", &"<redacted>")
            .field("resume_url", &self.resume_url)
            .field("sequence", &self.sequence)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_id() {
        let session = Session { id: "s3cret".to_owned(), resume_url: None, sequence: Sequence(7) };
        let shown = format!("{session:?}");
        assert!(!shown.contains("s3cret") && shown.contains('7'), "{shown}");
    }
}
