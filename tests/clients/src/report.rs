//! What a client says about itself.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// One thing that a client got. A script writes it as a JSON object.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "report", rename_all = "lowercase")]
pub enum Report {
    /// A dispatch.
    Dispatch {
        /// Where.
        shard: u32,
        /// Its `s`.
        sequence: u64,
        /// Its `t`.
        name: String,
    },
    /// The acknowledgement of a heartbeat.
    Ack {
        /// Where.
        shard: u32,
    },
    /// The client made an event of its own model from a dispatch. Each name is reported once.
    Decoded {
        /// The client's name for it.
        name: String,
    },
    /// What a faithful server doesn't cause.
    Problem {
        /// The client's words.
        text: String,
    },
}

/// Everything that a client has reported.
#[derive(Clone, Debug, Default)]
pub struct Received {
    dispatches: BTreeMap<u32, Vec<(u64, String)>>,
    acks: BTreeMap<u32, usize>,
    decoded: BTreeSet<String>,
    problems: Vec<String>,
}

impl Received {
    /// Sequence and name of each dispatch of a shard, in the order of arrival.
    #[must_use]
    pub fn dispatches(&self, shard: u32) -> &[(u64, String)] {
        self.dispatches.get(&shard).map_or(&[], Vec::as_slice)
    }

    /// The last sequence of a shard, 0 before any.
    #[must_use]
    pub fn sequence(&self, shard: u32) -> u64 {
        self.dispatches(shard).last().map_or(0, |(sequence, _)| *sequence)
    }

    /// How many dispatches of that name a shard got.
    #[must_use]
    pub fn count(&self, shard: u32, name: &str) -> usize {
        self.dispatches(shard).iter().filter(|(_, known)| known == name).count()
    }

    /// How many heartbeats of a shard were acknowledged.
    #[must_use]
    pub fn acks(&self, shard: u32) -> usize {
        self.acks.get(&shard).copied().unwrap_or_default()
    }

    /// The names of all dispatches.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.dispatches.values().flatten().map(|(_, name)| name.as_str()).collect()
    }

    /// The client's names for what it decoded.
    #[must_use]
    pub fn decoded(&self) -> &BTreeSet<String> {
        &self.decoded
    }

    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    pub(crate) fn add(&mut self, report: Report) {
        match report {
            Report::Dispatch { shard, sequence, name } => {
                self.dispatches.entry(shard).or_default().push((sequence, name));
            }
            Report::Ack { shard } => *self.acks.entry(shard).or_default() += 1,
            Report::Decoded { name } => _ = self.decoded.insert(name),
            Report::Problem { text } => self.problems.push(text),
        }
    }
}
