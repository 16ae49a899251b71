//! Intents, which choose the events that Discord sends: <https://docs.discord.com/developers/events/gateway#gateway-intents>.

/// A set of intents, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Intents(pub u64);

impl Intents {
    /// Those that must be switched on in the developer portal, and for bigger bots approved.
    pub const PRIVILEGED: Self = Self(1 << 1 | 1 << 8 | 1 << 15);

    /// All that Discord documents.
    pub const ALL: Self = Self(53_608_447);

    /// Both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that both sets have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// True if no bit is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The current names of the set's intents; bits without a name are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .filter(move |(name, bits)| self.0 & bits != 0 && !FORMER_NAMES.contains(name))
            .map(|(name, _)| *name)
    }
}

/// The intent of a name, in any case, by its current or a former name.
#[must_use]
pub fn by_name(name: &str) -> Option<Intents> {
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, bits)| Intents(*bits))
}

/// Every name and its bit.
pub const NAMES: &[(&str, u64)] = &[
    ("GUILDS", 1 << 0),
    ("GUILD_MEMBERS", 1 << 1),
    ("GUILD_MODERATION", 1 << 2),
    ("GUILD_BANS", 1 << 2),
    ("GUILD_EXPRESSIONS", 1 << 3),
    ("GUILD_EMOJIS_AND_STICKERS", 1 << 3),
    ("GUILD_EMOJIS", 1 << 3),
    ("GUILD_INTEGRATIONS", 1 << 4),
    ("GUILD_WEBHOOKS", 1 << 5),
    ("GUILD_INVITES", 1 << 6),
    ("GUILD_VOICE_STATES", 1 << 7),
    ("GUILD_PRESENCES", 1 << 8),
    ("GUILD_MESSAGES", 1 << 9),
    ("GUILD_MESSAGE_REACTIONS", 1 << 10),
    ("GUILD_MESSAGE_TYPING", 1 << 11),
    ("DIRECT_MESSAGES", 1 << 12),
    ("DIRECT_MESSAGE_REACTIONS", 1 << 13),
    ("DIRECT_MESSAGE_TYPING", 1 << 14),
    ("MESSAGE_CONTENT", 1 << 15),
    ("GUILD_SCHEDULED_EVENTS", 1 << 16),
    ("AUTO_MODERATION_CONFIGURATION", 1 << 20),
    ("AUTO_MODERATION_EXECUTION", 1 << 21),
    ("GUILD_MESSAGE_POLLS", 1 << 24),
    ("DIRECT_MESSAGE_POLLS", 1 << 25),
];

const FORMER_NAMES: &[&str] = &["GUILD_BANS", "GUILD_EMOJIS_AND_STICKERS", "GUILD_EMOJIS"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_cover_all_documented_bits() {
        let all = NAMES.iter().fold(Intents::default(), |all, (_, bits)| all.union(Intents(*bits)));
        assert_eq!(all, Intents::ALL);
        assert_eq!(all.0 & !Intents::PRIVILEGED.0, 53_575_421);
    }

    #[test]
    fn former_names_still_work() {
        assert_eq!(by_name("GUILD_BANS"), by_name("GUILD_MODERATION"));
        assert_eq!(by_name("GUILD_EMOJIS"), by_name("guild_expressions"));
        assert_eq!(by_name("GUILD"), None);
    }

    #[test]
    fn each_intent_is_named_once() {
        let names: Vec<_> = Intents::PRIVILEGED.names().collect();
        assert_eq!(names, ["GUILD_MEMBERS", "GUILD_PRESENCES", "MESSAGE_CONTENT"]);
        assert_eq!(Intents(1 << 2 | 1 << 3 | 1 << 19).names().count(), 2);
    }
}
