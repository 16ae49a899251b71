//! The names that commands come under.

use std::fmt;
use std::iter;

/// Where a command is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To the shard of the guild that it names: `SEND`.
    Guild,
    /// To the shard of this number, in decimal digits.
    Shard(u32),
}

impl Target {
    /// All names that a gateway with these shards listens to.
    pub fn all(shards: &[u32]) -> impl Iterator<Item = Self> {
        iter::once(Self::Guild).chain(shards.iter().copied().map(Self::Shard))
    }

    /// The target that a name stands for. `None` if the name means no command.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            GUILD => Some(Self::Guild),
            // The standard library's reader would take a sign.
            _ if name.bytes().all(|byte| byte.is_ascii_digit()) => name.parse().ok().map(Self::Shard),
            _ => None,
        }
    }

    /// The shard, if it is for a certain one.
    #[must_use]
    pub fn shard(self) -> Option<u32> {
        match self {
            Self::Guild => None,
            Self::Shard(shard) => Some(shard),
        }
    }
}

/// Writes its name.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guild => formatter.write_str(GUILD),
            Self::Shard(shard) => shard.fmt(formatter),
        }
    }
}

const GUILD: &str = "SEND";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_send_or_a_shard() {
        assert_eq!(Target::of("SEND"), Some(Target::Guild));
        assert_eq!(Target::of("0"), Some(Target::Shard(0)));
        assert_eq!(Target::of("4294967295"), Some(Target::Shard(u32::MAX)));
        for name in ["", "send", "+3", "-1", "3 ", "4294967296", "MESSAGE_CREATE", "३"] {
            assert_eq!(Target::of(name), None, "{name}");
        }
    }

    #[test]
    fn a_gateway_listens_to_send_and_its_own_shards() {
        assert_eq!(Target::all(&[3, 5]).collect::<Vec<_>>(), [Target::Guild, Target::Shard(3), Target::Shard(5)]);
    }

    #[test]
    fn a_name_reads_back_as_its_target() {
        for target in Target::all(&[0, u32::MAX]) {
            assert_eq!(Target::of(&target.to_string()), Some(target));
        }
    }
}
