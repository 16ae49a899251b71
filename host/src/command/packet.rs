//! What is sent to Discord.

use std::borrow::Cow;

use gateway_protocol::Command;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Refusal;
use super::body::{json_text, object};

/// A packet that Discord may be sent: `{"op":…,"d":…}`, with an opcode that a bot may use, and no larger than Discord takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet(Command);

impl Packet {
    /// Reads `{"op": <number>, "d": <any>}` in any form of body. Other members are left out; a missing `d` is null. `d` stays as
    /// it is, byte for byte, if the body is JSON.
    ///
    /// # Errors
    /// If it can never work.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        Self::from_json(&json_text(body)?, "it")
    }

    /// The JSON text to send.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// For the shard that sends it: `token` comes back when it is sent or refused.
    #[must_use]
    pub fn into_command(self, token: u64) -> Command {
        self.0.with_token(token)
    }

    fn from_json(text: &[u8], what: &'static str) -> Result<Self, Refusal> {
        let Members { op, d } = object(text, what)?;
        let opcode = op.ok_or(Refusal::NoOpcode)?.get().parse().map_err(|_| Refusal::Opcode)?;
        Ok(Self(Command::new(UNSET, opcode, d.map_or("null", RawValue::get))?))
    }
}

/// A packet for the shard of a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuildCommand {
    /// The guild's snowflake; `None` for what has no guild, which is for shard 0.
    pub guild_id: Option<u64>,
    /// What to send.
    pub packet: Packet,
}

impl GuildCommand {
    /// Reads `{"guild_id": "<id>", "packet": {"op": <number>, "d": <any>}}` in any form of body. The id may be a whole number too,
    /// or null, or missing.
    ///
    /// # Errors
    /// If it can never work.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let text = json_text(body)?;
        let GuildMembers { guild_id, packet } = object(&text, "it")?;
        Ok(Self {
            guild_id: guild_id.map(snowflake).transpose()?,
            packet: Packet::from_json(packet.ok_or(Refusal::NoPacket)?.get().as_bytes(), "its `packet`")?,
        })
    }
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    op: Option<&'a RawValue>,
    #[serde(borrow)]
    d: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct GuildMembers<'a> {
    #[serde(borrow)]
    guild_id: Option<&'a RawValue>,
    #[serde(borrow)]
    packet: Option<&'a RawValue>,
}

fn snowflake(json: &RawValue) -> Result<u64, Refusal> {
    let digits: Cow<'_, str> = match serde_json::from_str(json.get()) {
        Ok(Text(text)) => text,
        Err(_) => json.get().into(),
    };
    // The standard library's reader would take a sign.
    if digits.starts_with('+') {
        return Err(Refusal::GuildId);
    }
    digits.parse().map_err(|_| Refusal::GuildId)
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The shard that sends it sets the token.
const UNSET: u64 = 0;

#[cfg(test)]
mod tests;
