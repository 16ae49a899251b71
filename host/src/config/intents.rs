//! Gateway intents and the events that each lets through.
//! <https://docs.discord.com/developers/events/gateway#gateway-intents>

use std::fmt;

/// A set of gateway intents, as Discord's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Intents(u32);

impl Intents {
    /// From the bits; unknown ones are kept.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits, as IDENTIFY carries them.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The intent of that name, old or new.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, bit)| Self(1 << bit))
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Those that Discord does not document for bots.
    #[must_use]
    pub fn undocumented(self) -> Self {
        Self(NAMES.iter().fold(self.0, |bits, (_, bit)| bits & !(1 << bit)))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOrAssign for Intents {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Intents {
    /// The names as they are today, with ` or ` between them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        for (name, bit) in NAMES {
            if rest & (1 << bit) != 0 {
                rest &= !(1 << bit);
                write!(formatter, "{separator}{name}")?;
                separator = " or ";
            }
        }
        if rest != 0 { write!(formatter, "{separator}{rest:#x}") } else { Ok(()) }
    }
}

/// The intents of which any makes Discord send the event. `None`: no such event is documented.
/// Empty: it is sent whatever the intents are.
pub(super) fn required_by(event: &str) -> Option<Intents> {
    GATED
        .iter()
        .find(|(_, events)| events.contains(&event))
        .map(|(bits, _)| Intents(*bits))
        .or_else(|| UNGATED.contains(&event).then_some(Intents(0)))
}

/// All documented names of events.
pub(super) fn event_names() -> impl Iterator<Item = &'static str> {
    GATED.iter().flat_map(|(_, events)| events.iter()).chain(UNGATED).copied()
}

/// Names and bits; where a bit has several names, the one of today comes first.
const NAMES: &[(&str, u8)] = &[
    ("GUILDS", 0),
    ("GUILD_MEMBERS", 1),
    ("GUILD_MODERATION", 2),
    ("GUILD_BANS", 2),
    ("GUILD_EXPRESSIONS", 3),
    ("GUILD_EMOJIS", 3),
    ("GUILD_EMOJIS_AND_STICKERS", 3),
    ("GUILD_INTEGRATIONS", 4),
    ("GUILD_WEBHOOKS", 5),
    ("GUILD_INVITES", 6),
    ("GUILD_VOICE_STATES", 7),
    ("GUILD_PRESENCES", 8),
    ("GUILD_MESSAGES", 9),
    ("GUILD_MESSAGE_REACTIONS", 10),
    ("GUILD_MESSAGE_TYPING", 11),
    ("DIRECT_MESSAGES", 12),
    ("DIRECT_MESSAGE_REACTIONS", 13),
    ("DIRECT_MESSAGE_TYPING", 14),
    ("MESSAGE_CONTENT", 15),
    ("GUILD_SCHEDULED_EVENTS", 16),
    ("AUTO_MODERATION_CONFIGURATION", 20),
    ("AUTO_MODERATION_EXECUTION", 21),
    ("GUILD_MESSAGE_POLLS", 24),
    ("DIRECT_MESSAGE_POLLS", 25),
];

/// Events that need an intent, by the intents of which any is enough.
const GATED: &[(u32, &[&str])] = &[
    (
        1 << 0,
        &[
            "GUILD_CREATE",
            "GUILD_UPDATE",
            "GUILD_DELETE",
            "GUILD_ROLE_CREATE",
            "GUILD_ROLE_UPDATE",
            "GUILD_ROLE_DELETE",
            "CHANNEL_CREATE",
            "CHANNEL_UPDATE",
            "CHANNEL_DELETE",
            "THREAD_CREATE",
            "THREAD_UPDATE",
            "THREAD_DELETE",
            "THREAD_LIST_SYNC",
            "THREAD_MEMBER_UPDATE",
            "STAGE_INSTANCE_CREATE",
            "STAGE_INSTANCE_UPDATE",
            "STAGE_INSTANCE_DELETE",
            "VOICE_CHANNEL_STATUS_UPDATE",
            "VOICE_CHANNEL_START_TIME_UPDATE",
        ],
    ),
    (1 << 0 | 1 << 1, &["THREAD_MEMBERS_UPDATE"]),
    (1 << 0 | 1 << 12, &["CHANNEL_PINS_UPDATE"]),
    (1 << 1, &["GUILD_MEMBER_ADD", "GUILD_MEMBER_REMOVE"]),
    (1 << 2, &["GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE"]),
    (
        1 << 3,
        &[
            "GUILD_EMOJIS_UPDATE",
            "GUILD_STICKERS_UPDATE",
            "GUILD_SOUNDBOARD_SOUND_CREATE",
            "GUILD_SOUNDBOARD_SOUND_UPDATE",
            "GUILD_SOUNDBOARD_SOUND_DELETE",
            "GUILD_SOUNDBOARD_SOUNDS_UPDATE",
        ],
    ),
    (1 << 4, &["GUILD_INTEGRATIONS_UPDATE", "INTEGRATION_CREATE", "INTEGRATION_UPDATE", "INTEGRATION_DELETE"]),
    (1 << 5, &["WEBHOOKS_UPDATE"]),
    (1 << 6, &["INVITE_CREATE", "INVITE_DELETE"]),
    (1 << 7, &["VOICE_STATE_UPDATE", "VOICE_CHANNEL_EFFECT_SEND"]),
    (1 << 8, &["PRESENCE_UPDATE"]),
    (1 << 9 | 1 << 12, &["MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"]),
    (1 << 9, &["MESSAGE_DELETE_BULK"]),
    (
        1 << 10 | 1 << 13,
        &[
            "MESSAGE_REACTION_ADD",
            "MESSAGE_REACTION_REMOVE",
            "MESSAGE_REACTION_REMOVE_ALL",
            "MESSAGE_REACTION_REMOVE_EMOJI",
        ],
    ),
    (1 << 11 | 1 << 14, &["TYPING_START"]),
    (
        1 << 16,
        &[
            "GUILD_SCHEDULED_EVENT_CREATE",
            "GUILD_SCHEDULED_EVENT_UPDATE",
            "GUILD_SCHEDULED_EVENT_DELETE",
            "GUILD_SCHEDULED_EVENT_USER_ADD",
            "GUILD_SCHEDULED_EVENT_USER_REMOVE",
        ],
    ),
    (1 << 20, &["AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_UPDATE", "AUTO_MODERATION_RULE_DELETE"]),
    (1 << 21, &["AUTO_MODERATION_ACTION_EXECUTION"]),
    (1 << 24 | 1 << 25, &["MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE"]),
];

/// Events that Discord sends whatever the intents are. GUILD_MEMBER_UPDATE is one for the bot's own member.
const UNGATED: &[&str] = &[
    "READY",
    "RESUMED",
    "RATE_LIMITED",
    "APPLICATION_COMMAND_PERMISSIONS_UPDATE",
    "CHANNEL_INFO",
    "ENTITLEMENT_CREATE",
    "ENTITLEMENT_UPDATE",
    "ENTITLEMENT_DELETE",
    "GUILD_MEMBER_UPDATE",
    "GUILD_MEMBERS_CHUNK",
    "SOUNDBOARD_SOUNDS",
    "INTERACTION_CREATE",
    "SUBSCRIPTION_CREATE",
    "SUBSCRIPTION_UPDATE",
    "SUBSCRIPTION_DELETE",
    "USER_UPDATE",
    "VOICE_SERVER_UPDATE",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn documented_bits_make_discords_sum() {
        let all = NAMES.iter().fold(0, |bits, (_, bit)| bits | 1 << bit);
        assert_eq!(all, 53_608_447);
        assert_eq!(Intents::from_bits(u32::MAX).undocumented().bits(), !53_608_447);
    }

    #[test]
    fn every_documented_event_is_known_once() {
        assert_eq!(event_names().count(), 79);
        assert_eq!(event_names().collect::<HashSet<_>>().len(), 79);
    }

    #[test]
    fn old_and_new_names_are_the_same_intent() {
        assert_eq!(Intents::named("GUILD_BANS"), Intents::named("GUILD_MODERATION"));
        assert_eq!(Intents::named("GUILD_EMOJIS"), Intents::named("GUILD_EXPRESSIONS"));
        assert_eq!(Intents::named("GUILD"), None);
    }

    #[test]
    fn sets_are_shown_by_name() {
        assert_eq!(Intents::from_bits(1 << 2 | 1 << 9).to_string(), "GUILD_MODERATION or GUILD_MESSAGES");
        assert_eq!(Intents::from_bits(1 << 0 | 1 << 30).to_string(), "GUILDS or 0x40000000");
    }
}
