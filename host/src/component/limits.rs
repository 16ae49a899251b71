//! What an instance may use.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// The operator's ceiling for each instance of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, in bytes.
    pub memory: usize,
    /// Time for one call.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 64 << 20, time: Duration::from_secs(1) }
    }
}

/// Entries of all tables of an instance; large language runtimes use some ten thousand.
const TABLE_ENTRIES: usize = 100_000;
/// Core instances, memories and tables behind one component instance.
const CORE_ITEMS: usize = 64;

/// Refuses memory beyond the limit, and remembers that it did.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: Quota,
    table_entries: Quota,
    refused: bool,
}

/// What all memories (or all tables) of an instance share.
#[derive(Debug)]
struct Quota {
    limit: usize,
    used: usize,
    /// What was granted last, for the case that the engine cannot bring it.
    granted: usize,
}

impl Quota {
    fn new(limit: usize) -> Self {
        Self { limit, used: 0, granted: 0 }
    }

    fn grant(&mut self, current: usize, desired: usize) -> bool {
        let more = desired.saturating_sub(current);
        let used = self.used.saturating_add(more);
        let fits = used <= self.limit;
        if fits {
            (self.used, self.granted) = (used, more);
        }
        fits
    }

    fn take_back(&mut self) {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.granted));
    }
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory: Quota::new(limits.memory), table_entries: Quota::new(TABLE_ENTRIES), refused: false }
    }

    /// A call begins. A refusal that an earlier call got over has nothing to do with how this one ends.
    pub(crate) fn start_call(&mut self) {
        self.refused = false;
    }

    /// Bytes of linear memory that the instance holds.
    pub(crate) fn memory_used(&self) -> usize {
        self.memory.used
    }

    /// Whether the running call asked for more than it may have.
    pub(crate) fn has_refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = self.memory.grant(current, desired);
        self.refused |= !granted;
        Ok(granted)
    }

    /// It was beyond the memory's own maximum, or the system has none left.
    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory.take_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = self.table_entries.grant(current, desired);
        self.refused |= !granted;
        Ok(granted)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.table_entries.take_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        CORE_ITEMS
    }

    fn memories(&self) -> usize {
        CORE_ITEMS
    }

    fn tables(&self) -> usize {
        CORE_ITEMS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_of_one_instance_share_the_limit() {
        let mut limiter = Limiter::new(&Limits { memory: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.has_refused());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!(limiter.memory_used(), 100);
    }

    #[test]
    fn tables_of_one_instance_share_the_limit() {
        let mut limiter = Limiter::new(&Limits::default());
        assert!(limiter.table_growing(0, TABLE_ENTRIES - 1, None).unwrap());
        assert!(!limiter.table_growing(0, 2, None).unwrap());
        assert!(limiter.table_growing(0, 1, None).unwrap());
    }

    #[test]
    fn what_was_granted_and_could_not_be_had_is_not_counted() {
        let mut limiter = Limiter::new(&Limits { memory: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 10, None).unwrap());
        assert!(limiter.memory_growing(10, 100, Some(20)).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("maximum")).unwrap();
        assert_eq!(limiter.memory_used(), 10);
        assert!(limiter.memory_growing(0, 90, None).unwrap());
    }

    #[test]
    fn a_refusal_is_forgotten_when_the_next_call_begins() {
        let mut limiter = Limiter::new(&Limits { memory: 100, ..Limits::default() });
        assert!(!limiter.memory_growing(0, 101, None).unwrap());
        limiter.start_call();
        assert!(!limiter.has_refused());
    }
}
