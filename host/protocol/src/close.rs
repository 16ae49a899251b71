//! What each close code means for the session:
//! <https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>.

use std::fmt;

/// What to do after the connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseOutcome {
    /// Reconnect and resume the session.
    Resume,
    /// Reconnect and resume, but give the session up if that fails.
    ResumeOnce,
    /// The session is gone: reconnect and identify.
    Identify,
    /// Reconnecting would end in the same way until somebody changes something.
    Fatal(FatalClose),
}

/// The close codes after which Discord forbids to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FatalClose {
    /// 4004. It stops every shard, as all have the same token.
    AuthenticationFailed,
    /// 4010.
    InvalidShard,
    /// 4011.
    ShardingRequired,
    /// 4012.
    InvalidApiVersion,
    /// 4013.
    InvalidIntents,
    /// 4014.
    DisallowedIntents,
}

impl FatalClose {
    /// All of them, by code.
    pub const ALL: [Self; 6] = [
        Self::AuthenticationFailed,
        Self::InvalidShard,
        Self::ShardingRequired,
        Self::InvalidApiVersion,
        Self::InvalidIntents,
        Self::DisallowedIntents,
    ];

    /// The close code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::AuthenticationFailed => 4004,
            Self::InvalidShard => 4010,
            Self::ShardingRequired => 4011,
            Self::InvalidApiVersion => 4012,
            Self::InvalidIntents => 4013,
            Self::DisallowedIntents => 4014,
        }
    }

    /// Discord's name of it, in snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        name(Some(self.code()))
    }

    /// What the operator can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::AuthenticationFailed => {
                "the token is not valid (any more): copy the current one from the bot's page in the developer portal"
            }
            Self::InvalidShard => {
                "the shard's number or the shard count is not valid: let Discord choose the count (shards.count = 0), \
                 and keep every number in shards.ids below the count"
            }
            Self::ShardingRequired => {
                "the bot is in too many guilds for this many shards: raise shards.count, or set it to 0"
            }
            Self::InvalidApiVersion => "Discord does not serve this version of its gateway: set gateway_version to 10",
            Self::InvalidIntents => "the intents contain a bit that does not exist: check intents and rawintents",
            Self::DisallowedIntents => {
                "the intents contain a privileged one that the bot does not have: switch it on at the bot's page in the \
                 developer portal, or remove it from intents (GUILD_MEMBERS, GUILD_PRESENCES and MESSAGE_CONTENT are privileged)"
            }
        }
    }
}

impl fmt::Display for FatalClose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Discord closed the connection with {} ({}): {}", self.code(), self.name(), self.advice())
    }
}

/// What a close code means; `None` stands for a connection that ended without one.
#[must_use]
pub const fn outcome(code: Option<u16>) -> CloseOutcome {
    match code {
        None => CloseOutcome::Resume,
        // From a server: one report calls such sessions lost, so one try tells.
        Some(1000) => CloseOutcome::ResumeOnce,
        // The session, if there is one, may be what the server did not know any more, or what it knew already.
        Some(4003 | 4005) => CloseOutcome::ResumeOnce,
        Some(4004) => CloseOutcome::Fatal(FatalClose::AuthenticationFailed),
        // Session no longer valid (not documented any more), invalid sequence, session timed out.
        Some(4006 | 4007 | 4009) => CloseOutcome::Identify,
        Some(4010) => CloseOutcome::Fatal(FatalClose::InvalidShard),
        Some(4011) => CloseOutcome::Fatal(FatalClose::ShardingRequired),
        Some(4012) => CloseOutcome::Fatal(FatalClose::InvalidApiVersion),
        Some(4013) => CloseOutcome::Fatal(FatalClose::InvalidIntents),
        Some(4014) => CloseOutcome::Fatal(FatalClose::DisallowedIntents),
        // Unknown error, unknown opcode, decode error, rate limited.
        Some(4000..=4002 | 4008) => CloseOutcome::Resume,
        // Codes that Discord may invent are not fatal.
        Some(4000..) => CloseOutcome::ResumeOnce,
        // Going away, abnormal, a proxy's or the protocol's.
        Some(_) => CloseOutcome::Resume,
    }
}

/// A close code's name in snake case, for logs and metrics.
#[must_use]
pub const fn name(code: Option<u16>) -> &'static str {
    match code {
        None | Some(1005 | 1006) => "connection_lost",
        Some(1000) => "normal",
        Some(1001) => "going_away",
        Some(4000) => "unknown_error",
        Some(4001) => "unknown_opcode",
        Some(4002) => "decode_error",
        Some(4003) => "not_authenticated",
        Some(4004) => "authentication_failed",
        Some(4005) => "already_authenticated",
        Some(4006) => "session_no_longer_valid",
        Some(4007) => "invalid_sequence",
        Some(4008) => "rate_limited",
        Some(4009) => "session_timed_out",
        Some(4010) => "invalid_shard",
        Some(4011) => "sharding_required",
        Some(4012) => "invalid_api_version",
        Some(4013) => "invalid_intents",
        Some(4014) => "disallowed_intents",
        Some(_) => "other_close_code",
    }
}

/// What this side closes with. Unlike 1000 and 1001 it keeps the session.
pub const KEEP_SESSION: u16 = 4000;
/// Discord's answer to too many payloads.
pub(crate) const RATE_LIMITED: u16 = 4008;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_has_its_outcome() {
        use CloseOutcome::{Fatal, Identify, Resume, ResumeOnce};
        let table = [
            (None, Resume, "connection_lost"),
            (Some(1000), ResumeOnce, "normal"),
            (Some(1001), Resume, "going_away"),
            (Some(1002), Resume, "other_close_code"),
            (Some(1005), Resume, "connection_lost"),
            (Some(1006), Resume, "connection_lost"),
            (Some(1011), Resume, "other_close_code"),
            (Some(3000), Resume, "other_close_code"),
            (Some(4000), Resume, "unknown_error"),
            (Some(4001), Resume, "unknown_opcode"),
            (Some(4002), Resume, "decode_error"),
            (Some(4003), ResumeOnce, "not_authenticated"),
            (Some(4004), Fatal(FatalClose::AuthenticationFailed), "authentication_failed"),
            (Some(4005), ResumeOnce, "already_authenticated"),
            (Some(4006), Identify, "session_no_longer_valid"),
            (Some(4007), Identify, "invalid_sequence"),
            (Some(4008), Resume, "rate_limited"),
            (Some(4009), Identify, "session_timed_out"),
            (Some(4010), Fatal(FatalClose::InvalidShard), "invalid_shard"),
            (Some(4011), Fatal(FatalClose::ShardingRequired), "sharding_required"),
            (Some(4012), Fatal(FatalClose::InvalidApiVersion), "invalid_api_version"),
            (Some(4013), Fatal(FatalClose::InvalidIntents), "invalid_intents"),
            (Some(4014), Fatal(FatalClose::DisallowedIntents), "disallowed_intents"),
            (Some(4015), ResumeOnce, "other_close_code"),
            (Some(4999), ResumeOnce, "other_close_code"),
        ];
        for (code, expected, label) in table {
            assert_eq!((outcome(code), name(code)), (expected, label), "{code:?}");
        }
    }

    #[test]
    fn a_fatal_close_says_code_name_and_advice() {
        for fatal in FatalClose::ALL {
            assert_eq!(outcome(Some(fatal.code())), CloseOutcome::Fatal(fatal));
            let text = fatal.to_string();
            for part in [fatal.code().to_string().as_str(), fatal.name(), fatal.advice()] {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}
