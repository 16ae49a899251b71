//! Which bot a session belongs to.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Tells bots apart, in the name of a directory. Two bots, or one bot on Discord and on a simulator, have different keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotKey(String);

impl BotKey {
    /// The key of the bot with that token on that API host.
    ///
    /// Only the part before the token's first dot goes in, which is the bot's public user id: the key stays the same when the
    /// token is reset, and says nothing about the secret parts.
    #[must_use]
    pub fn new(token: &str, api_host: &str) -> Self {
        let public = token.split('.').next().unwrap_or_default();
        let mut digest = Sha256::new();
        digest.update(api_host.to_ascii_lowercase());
        digest.update([0]);
        digest.update(public);
        Self(digest.finalize().iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for BotKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Of the digest: enough that no two of a person's bots meet.
const BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_parts_of_a_token_do_not_count() {
        let key = BotKey::new("MTIz.abc.def", "discord.com");
        assert_eq!(key, BotKey::new("MTIz.other.secret", "Discord.com"));
        assert_ne!(key, BotKey::new("MTI0.abc.def", "discord.com"));
        assert_ne!(key, BotKey::new("MTIz.abc.def", "localhost:8080"));
        assert_eq!(key.to_string().len(), 16);
        assert!(key.to_string().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
