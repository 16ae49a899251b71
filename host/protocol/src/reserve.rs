//! The session starts that are not to be spent without a person's say.

/// How many of a day's session starts are kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// So many in a hundred of what Discord gives.
    Percent(u8),
    /// So many.
    Starts(u32),
}

impl Reserve {
    /// Nothing is kept back.
    pub const NONE: Self = Self::Starts(0);

    /// How many of `total` that is: at most half of them, so that no reserve keeps a bot from ever starting.
    #[must_use]
    pub fn of(self, total: u32) -> u32 {
        let wanted = match self {
            Self::Percent(percent) => u32::try_from(u64::from(total) * u64::from(percent) / 100).unwrap_or(u32::MAX),
            Self::Starts(starts) => starts,
        };
        wanted.min(total / 2)
    }
}

impl Default for Reserve {
    /// A twentieth.
    fn default() -> Self {
        Self::Percent(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_a_part_or_a_number_and_never_all() {
        assert_eq!(Reserve::default().of(1000), 50);
        assert_eq!(Reserve::Percent(100).of(1000), 500);
        assert_eq!(Reserve::Percent(5).of(u32::MAX), 214_748_364);
        assert_eq!(Reserve::Starts(20).of(1000), 20);
        assert_eq!(Reserve::Starts(2000).of(1000), 500);
        assert_eq!((Reserve::Starts(1).of(1), Reserve::default().of(10), Reserve::NONE.of(1000)), (0, 0, 0));
    }
}
