//! Commands with the claim on the message that brought them.

use super::Packet;
use crate::capability::Claim;
use crate::component::Command;

/// A command as the adapter brought it.
#[derive(Debug)]
pub struct Claimed {
    /// The command.
    pub command: Command,
    /// Hears what becomes of it.
    pub claim: Claim,
}

/// A command for one shard.
#[derive(Debug)]
pub struct ClaimedPacket {
    /// What is to be sent.
    pub packet: Packet,
    /// Hears what becomes of it.
    pub claim: Claim,
}
