//! Event names as small numbers, so that what is remembered about a name is an array access.

use std::sync::Arc;

use foldhash::HashMap;

/// Names that get a number. Discord documents some 80; beyond this, names work but nothing is remembered about them.
const NAMES: usize = 1024;

/// The number of an event name in one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameId(u16);

/// The names that a lane has met.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, NameId>,
}

impl Names {
    /// The name's number; `None` beyond the limit.
    pub(super) fn id(&mut self, name: &Arc<str>) -> Option<NameId> {
        if let Some(id) = self.numbers.get(name) {
            return Some(*id);
        }
        if self.numbers.len() >= NAMES {
            return None;
        }
        let id = NameId(u16::try_from(self.numbers.len()).ok()?);
        self.numbers.insert(Arc::clone(name), id);
        Some(id)
    }
}

/// Something about each name, filled as names turn up.
#[derive(Debug)]
pub(super) struct PerName<T> {
    values: Vec<Option<T>>,
}

impl<T> Default for PerName<T> {
    fn default() -> Self {
        Self { values: Vec::new() }
    }
}

impl<T: Copy> PerName<T> {
    pub(super) fn get(&self, id: NameId) -> Option<T> {
        self.values.get(usize::from(id.0)).copied().flatten()
    }

    pub(super) fn set(&mut self, id: NameId, value: T) {
        let index = usize::from(id.0);
        if self.values.len() <= index {
            self.values.resize(index + 1, None);
        }
        if let Some(slot) = self.values.get_mut(index) {
            *slot = Some(value);
        }
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_have_no_number_and_known_ones_keep_theirs() {
        let mut names = Names::default();
        let first = names.id(&"READY".into());
        for number in 0..2 * NAMES {
            names.id(&number.to_string().into());
        }
        assert_eq!(names.id(&"READY".into()), first);
        assert_eq!(names.id(&"NEW".into()), None);
        let mut values = PerName::default();
        assert_eq!(values.get(first.unwrap()), None);
        values.set(first.unwrap(), true);
        assert_eq!(values.get(first.unwrap()), Some(true));
    }
}
