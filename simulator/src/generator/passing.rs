//! What comes and goes: nothing leaves a guild that did not come before.

use std::collections::{HashMap, VecDeque};

use super::{Kind, Scene};

/// What came to each guild and is still there, the oldest first.
#[derive(Default)]
pub(super) struct Passing(HashMap<(u64, Kind), VecDeque<u64>>);

impl Scene<'_> {
    /// Something comes. `None` if there is so much of it that something has to go first.
    pub(super) fn arrive(&mut self, kind: Kind) -> Option<String> {
        if self.there(kind).len() >= MOST {
            return None;
        }
        let id = self.fresh_id();
        self.there(kind).push_back(id);
        Some(id.to_string())
    }

    /// What has been there for the longest, if anything.
    pub(super) fn present(&mut self, kind: Kind) -> Option<String> {
        self.there(kind).front().map(u64::to_string)
    }

    /// What has been there for the longest goes, if anything is there.
    pub(super) fn depart(&mut self, kind: Kind) -> Option<String> {
        self.there(kind).pop_front().map(|id| id.to_string())
    }

    fn there(&mut self, kind: Kind) -> &mut VecDeque<u64> {
        self.source.passing.0.entry((self.guild, kind)).or_default()
    }
}

const MOST: usize = 8;
