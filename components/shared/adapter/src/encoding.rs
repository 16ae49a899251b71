//! How payloads are written.

use serde::Deserialize;

/// `broker.encoding`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// As Discord sent them.
    #[default]
    Json,
    /// As a MessagePack string that holds what Discord sent.
    Msgpack,
    /// As a MessagePack map.
    MsgpackObject,
}
