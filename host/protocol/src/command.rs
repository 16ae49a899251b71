//! What a bot may send: <https://docs.discord.com/developers/events/gateway-events#send-events>.

use serde::de::IgnoredAny;

use crate::opcode;

/// The longest payload that Discord takes, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 4096;

/// A payload that the bot wants to have sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    token: u64,
    opcode: u64,
    text: String,
}

/// Why a command can never be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The opcode is the gateway's own business, or Discord's.
    #[error("opcode {0} is not for bots to send; use 3, 4, 8, 31 or 43")]
    Opcode(u64),
    /// The data is not JSON.
    #[error("the command's data is not valid JSON")]
    Data,
    /// The payload is longer than Discord takes.
    #[error("the command has {0} bytes, but 4096 are allowed; split it")]
    TooLong(usize),
}

impl Command {
    /// A command with the JSON text of its `d`, which is sent as it is. `token` is the driver's own: it comes back when the
    /// command is sent or refused.
    ///
    /// # Errors
    ///
    /// If Discord would close the connection because of it.
    pub fn new(token: u64, opcode: u64, data: &str) -> Result<Self, CommandError> {
        if !is_for_bots(opcode) {
            return Err(CommandError::Opcode(opcode));
        }
        let text = format!("{{\"op\":{opcode},\"d\":{}}}", data.trim());
        if text.len() > MAX_PAYLOAD_BYTES {
            return Err(CommandError::TooLong(text.len()));
        }
        serde_json::from_str::<IgnoredAny>(data).map_err(|_| CommandError::Data)?;
        Ok(Self { token, opcode, text })
    }

    /// A command that [`Action::Send`](crate::Action::Send) gave out, as it was.
    #[must_use]
    pub fn restored(token: u64, opcode: u64, text: String) -> Self {
        Self { token, opcode, text }
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(self, token: u64) -> Self {
        Self { token, ..self }
    }

    /// The driver's own number for it.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// What it asks for (`op`).
    #[must_use]
    pub fn opcode(&self) -> u64 {
        self.opcode
    }

    /// The whole payload.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Opcodes above the last one known may be commands of the future.
fn is_for_bots(opcode: u64) -> bool {
    matches!(
        opcode,
        opcode::PRESENCE_UPDATE
            | opcode::VOICE_STATE_UPDATE
            | opcode::REQUEST_GUILD_MEMBERS
            | opcode::REQUEST_SOUNDBOARD_SOUNDS
            | opcode::REQUEST_CHANNEL_INFO..
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_that_are_not_for_bots_are_refused() {
        for opcode in [0, 1, 2, 5, 6, 7, 9, 10, 11, 12, 30, 32, 42] {
            assert_eq!(Command::new(1, opcode, "null"), Err(CommandError::Opcode(opcode)));
        }
        for opcode in [3, 4, 8, 31, 43, 44] {
            assert!(Command::new(1, opcode, "null").is_ok());
        }
    }

    /// Conformance case 21.
    #[test]
    fn a_command_of_4097_bytes_is_refused() {
        let data = |length: usize| format!("\"{}\"", "a".repeat(length - r#"{"op":3,"d":""}"#.len()));
        assert_eq!(Command::new(1, 3, &data(4096)).unwrap().text().len(), 4096);
        assert_eq!(Command::new(1, 3, &data(4097)), Err(CommandError::TooLong(4097)));
    }

    #[test]
    fn data_is_sent_as_it_is() {
        let command = Command::new(7, 8, " {\"guild_id\": 175928847299117063, \"query\":\"<&>\"}\n").unwrap();
        assert_eq!(command.text(), "{\"op\":8,\"d\":{\"guild_id\": 175928847299117063, \"query\":\"<&>\"}}");
        for data in ["", "{", "1 2", "{}}"] {
            assert_eq!(Command::new(1, 3, data), Err(CommandError::Data), "{data}");
        }
    }
}
