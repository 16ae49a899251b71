//! What can go wrong with Discord's REST interface, what to do about it, and whether trying again may help.

use std::time::Duration;

use thiserror::Error;

/// Why `GET /gateway/bot` gave nothing to work with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RestError {
    /// The address makes no URL.
    #[error("`{url}` is no address ({reason}): check `api.host` (DISCORD_API_HOST)")]
    Address {
        /// What the settings add up to.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token cannot stand in a header.
    #[error("the token has characters in it that no token has: copy it anew into `token` (DISCORD_TOKEN)")]
    MalformedToken,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// 401.
    #[error(
        "Discord does not accept the token (401). Set `token` (DISCORD_TOKEN) to the bot token of the developer portal; a token \
         that was reset there is void"
    )]
    Unauthorized,
    /// 403.
    #[error(
        "Discord refuses this machine (403{}). Its network may be blocked for a while, or `api.host` (DISCORD_API_HOST) leads \
         to a proxy that alters requests. The answer: {excerpt}", code.map(|code| format!(", code {code}")).unwrap_or_default()
    )]
    Forbidden {
        /// Discord's error code, such as 40333.
        code: Option<u64>,
        /// The beginning of the answer.
        excerpt: String,
    },
    /// 429.
    #[error("Discord asks to wait {} s before the next request (429)", .0.as_secs_f64().ceil())]
    RateLimited(Duration),
    /// 408 or 5xx.
    #[error("Discord cannot answer at the moment ({status}): {excerpt}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        excerpt: String,
    },
    /// Any other status that is not 200.
    #[error(
        "no such interface ({status}): check `api.scheme`, `api.host` and `api.version` (DISCORD_API_PROTOCOL, DISCORD_API_HOST, \
         DISCORD_API_VERSION). The answer: {excerpt}"
    )]
    NotDiscord {
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        excerpt: String,
    },
    /// The answer is not what Discord documents.
    #[error("Discord's answer makes no sense ({reason}): {excerpt}")]
    Nonsense {
        /// What is wrong with it.
        reason: String,
        /// Its beginning.
        excerpt: String,
    },
    /// No answer came.
    #[error("Discord cannot be reached: {0}")]
    Unreachable(String),
}

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No: a person must change something.
    Never,
    /// Yes, with growing pauses.
    WithBackoff,
    /// Yes, after this time and not before.
    After(Duration),
}

impl RestError {
    /// Whether trying again may help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Address { .. }
            | Self::MalformedToken
            | Self::Client(_)
            | Self::Unauthorized
            | Self::NotDiscord { .. } => Retry::Never,
            // A block ends by itself, and so does what a proxy on the way makes of an answer.
            Self::Forbidden { .. } | Self::Unavailable { .. } | Self::Nonsense { .. } | Self::Unreachable(_) => {
                Retry::WithBackoff
            }
            Self::RateLimited(wait) => Retry::After(*wait),
        }
    }
}
