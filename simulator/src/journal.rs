//! What clients did, in order: tests wait for an entry instead of sleeping.

use std::{collections::VecDeque, fmt, sync::Mutex, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{compression::Compression, lock};

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Position in the journal, from 0, without gaps.
    pub index: u64,
    /// When it happened.
    pub at: Instant,
    /// The WebSocket connection, numbered from 1; `None` for REST.
    pub connection: Option<u64>,
    /// The shard, once the connection has identified or resumed.
    pub shard: Option<u32>,
    /// What happened.
    pub happening: Happening,
}

/// What happened. Tokens are never part of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A REST request was answered.
    Rest {
        /// Its method.
        method: String,
        /// Its path and query.
        path: String,
        /// The `User-Agent`, empty if none.
        user_agent: String,
        /// The status of the answer.
        status: u16,
    },
    /// A WebSocket upgrade was answered with an HTTP error.
    UpgradeRefused {
        /// The status of the answer.
        status: u16,
    },
    /// A WebSocket opened.
    Opened {
        /// The query of the URL.
        query: String,
        /// What the client asked for.
        compression: Compression,
        /// Whether it came to the resume URL.
        resume_url: bool,
    },
    /// Op 2 came, valid or not. `data` is its `d` with the token removed.
    Identify {
        /// The payload.
        data: serde_json::Value,
    },
    /// READY went out: the session exists.
    Ready {
        /// Its `session_id`.
        session: String,
    },
    /// Op 6 came.
    Resume {
        /// The session that the client asks for.
        session: String,
        /// The last sequence the client has seen.
        sequence: u64,
    },
    /// A resume was accepted.
    Resumed {
        /// The session.
        session: String,
        /// How many dispatches are replayed.
        replayed: usize,
    },
    /// Op 9 went out.
    InvalidSession {
        /// Its `d`.
        resumable: bool,
    },
    /// Op 1 came.
    Heartbeat {
        /// Its `d`.
        sequence: Option<u64>,
    },
    /// Another payload came: op 3, 4, 8, 31 or 43.
    Command {
        /// The opcode.
        opcode: u64,
        /// Its `d`.
        data: serde_json::Value,
    },
    /// The client sent a close frame.
    ClientClosed {
        /// Its code, if it had one.
        code: Option<u16>,
        /// Its reason.
        reason: String,
    },
    /// The connection ended without a close frame from the client.
    Lost,
    /// The simulator sent a close frame.
    ServerClosed {
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// A session can no longer be resumed.
    SessionEnded {
        /// Its `session_id`.
        session: String,
    },
}

/// Nothing in the journal matched in time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("nothing expected happened within {patience:?}; raise `Options::patience` or look at the last entries: {last}")]
pub struct NotHappened {
    /// How long it was waited for.
    pub patience: Duration,
    /// The last entries of the journal.
    pub last: String,
}

pub(crate) struct Journal {
    entries: Mutex<Entries>,
    written: watch::Sender<u64>,
}

struct Entries {
    capacity: usize,
    next: u64,
    kept: VecDeque<Entry>,
}

impl Journal {
    pub(crate) fn new(capacity: usize) -> Self {
        let entries = Mutex::new(Entries { capacity, next: 0, kept: VecDeque::new() });
        Self { entries, written: watch::Sender::new(0) }
    }

    pub(crate) fn write(&self, connection: Option<u64>, shard: Option<u32>, happening: Happening) {
        let mut entries = lock(&self.entries);
        let entry = Entry { index: entries.next, at: Instant::now(), connection, shard, happening };
        tracing::debug!(connection, shard, happening = ?entry.happening, "simulator");
        entries.next += 1;
        if entries.kept.len() >= entries.capacity {
            entries.kept.pop_front();
        }
        entries.kept.push_back(entry);
        self.written.send_replace(entries.next);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        lock(&self.entries).kept.iter().cloned().collect()
    }

    /// Index of the next entry.
    pub(crate) fn position(&self) -> u64 {
        lock(&self.entries).next
    }

    /// The first entry at or after `from` that matches.
    pub(crate) async fn find(
        &self,
        from: u64,
        patience: Duration,
        mut matches: impl FnMut(&Entry) -> bool,
    ) -> Result<Entry, NotHappened> {
        let mut written = self.written.subscribe();
        let mut from = from;
        let search = async {
            loop {
                if let Some(entry) = self.scan(&mut from, &mut matches) {
                    return Some(entry);
                }
                if written.changed().await.is_err() {
                    return None;
                }
            }
        };
        match timeout(patience, search).await {
            Ok(Some(entry)) => Ok(entry),
            _ => Err(NotHappened { patience, last: self.tail() }),
        }
    }

    fn scan(&self, from: &mut u64, matches: &mut impl FnMut(&Entry) -> bool) -> Option<Entry> {
        let entries = lock(&self.entries);
        let start = *from;
        *from = entries.next;
        entries.kept.iter().filter(|entry| entry.index >= start).find(|entry| matches(entry)).cloned()
    }

    fn tail(&self) -> String {
        let entries = lock(&self.entries);
        let skip = entries.kept.len().saturating_sub(TAIL);
        entries.kept.iter().skip(skip).map(Line).fold(String::new(), |text, line| format!("{text}\n  {line}"))
    }
}

struct Line<'a>(&'a Entry);

impl fmt::Display for Line<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { index, connection, shard, happening, .. } = self.0;
        write!(formatter, "{index}: connection {connection:?} shard {shard:?} {happening:?}")
    }
}

const TAIL: usize = 12;
