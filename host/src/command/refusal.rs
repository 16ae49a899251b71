//! Why a command can never work.

use gateway_protocol::{CommandError, ShardId};
use msgpack_scan::Invalid;
use thiserror::Error;

/// Why a command is not sent to Discord, now or later.
#[derive(Debug, Error)]
pub enum Refusal {
    /// A binary that holds no command, or MessagePack of another kind.
    #[error(
        "its first byte is {first:#04x}: a command is a JSON object, a MessagePack map, or a MessagePack string or binary that holds a JSON object"
    )]
    UnknownForm {
        /// The body's first byte.
        first: u8,
    },
    /// No byte.
    #[error("it is empty")]
    Empty,
    /// Not JSON, though it begins like it.
    #[error("it is not valid JSON: {0}")]
    InvalidJson(String),
    /// Not MessagePack, though it begins like it.
    #[error("it is not valid MessagePack: {0}")]
    InvalidMessagePack(#[from] Invalid),
    /// Bytes after the MessagePack value.
    #[error("something follows its MessagePack value")]
    TrailingBytes,
    /// MessagePack that means nothing in JSON.
    #[error("it holds MessagePack that JSON cannot express: {0}")]
    NoJsonForm(&'static str),
    /// Another kind of JSON value.
    #[error("{0} is not an object")]
    NotAnObject(&'static str),
    /// No guild can have this id.
    #[error("its `guild_id` is not a guild's id: a string of digits, or a whole number")]
    GuildId,
    /// No packet, or null.
    #[error("it has no `packet`, which must be an object such as {{\"op\": 3, \"d\": …}}")]
    NoPacket,
    /// No opcode, or null.
    #[error("its packet has no `op`")]
    NoOpcode,
    /// Another kind of opcode.
    #[error("its packet's `op` is not a whole number")]
    Opcode,
    /// What Discord would close the connection for.
    #[error("its packet cannot be sent: {0}")]
    Packet(#[from] CommandError),
    /// A shard of another gateway, or of none.
    #[error("shard {} does not run in this gateway", .0.0)]
    ForeignShard(ShardId),
}

impl Refusal {
    /// Its name in metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::UnknownForm { .. } => "unknown_form",
            Self::Empty => "empty",
            Self::InvalidJson(_) => "invalid_json",
            Self::InvalidMessagePack(_) | Self::TrailingBytes => "invalid_msgpack",
            Self::NoJsonForm(_) => "no_json_form",
            Self::NotAnObject(_) => "not_an_object",
            Self::GuildId => "guild_id",
            Self::NoPacket => "no_packet",
            Self::NoOpcode => "no_opcode",
            Self::Opcode => "invalid_opcode",
            Self::Packet(CommandError::Opcode(_)) => "reserved_opcode",
            Self::Packet(CommandError::TooLong(_)) => "too_large",
            Self::Packet(CommandError::Data) => "invalid_json",
            Self::ForeignShard(_) => "foreign_shard",
        }
    }
}
