//! Which shard is which: <https://docs.discord.com/developers/events/gateway#sharding>.

use std::fmt;
use std::num::NonZeroU32;

/// The number of a shard, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Over how many shards a bot's guilds are spread, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardCount(NonZeroU32);

impl ShardCount {
    /// `None` for 0.
    #[must_use]
    pub const fn new(count: u32) -> Option<Self> {
        match NonZeroU32::new(count) {
            Some(count) => Some(Self(count)),
            None => None,
        }
    }

    /// The count as a number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The shard that receives a guild's events. Events without a guild (0) go to shard 0.
    #[must_use]
    pub const fn shard_of(self, guild_id: u64) -> ShardId {
        // The remainder is smaller than the count, so it fits.
        ShardId(((guild_id >> TIMESTAMP_SHIFT) % self.0.get() as u64) as u32)
    }
}

impl fmt::Display for ShardCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A snowflake's timestamp starts at this bit.
const TIMESTAMP_SHIFT: u32 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guilds_are_spread_by_discords_formula() {
        let counts = [1, 2, 3, 16, 48];
        let vectors = [
            (613_425_648_685_547_541, [0, 0, 2, 8, 8]),
            (81_384_788_765_712_384, [0, 0, 1, 2, 34]),
            (41_771_983_423_143_937, [0, 0, 0, 6, 6]),
            (197_038_439_483_310_086, [0, 0, 2, 2, 2]),
            (0, [0, 0, 0, 0, 0]),
        ];
        for (guild, shards) in vectors {
            for (count, shard) in counts.into_iter().zip(shards) {
                assert_eq!(ShardCount::new(count).unwrap().shard_of(guild), ShardId(shard), "{guild} of {count}");
            }
        }
    }

    #[test]
    fn a_count_of_zero_does_not_exist() {
        assert_eq!(ShardCount::new(0), None);
    }
}
