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
    memory_limit: usize,
    memory_used: usize,
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory_limit: limits.memory, memory_used: 0, refused: false }
    }

    /// Bytes of linear memory that the instance holds.
    pub(crate) fn memory_used(&self) -> usize {
        self.memory_used
    }

    /// Whether the instance asked for more than it may have.
    pub(crate) fn has_refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.memory_used.saturating_add(desired.saturating_sub(current));
        if used > self.memory_limit {
            self.refused = true;
            return Ok(false);
        }
        self.memory_used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= TABLE_ENTRIES;
        self.refused |= !granted;
        Ok(granted)
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
}
