//! The back channel: commands from a broker to Discord.
//!
//! A [`Router`] takes the bodies that adapters bring, checks them, and says where the packet in each is to go. What can never
//! work ends as a [`Refusal`].

mod body;
mod claimed;
mod packet;
mod ready;
mod refusal;
mod route;
mod transcode;

pub use claimed::{Claimed, ClaimedPacket};
pub use packet::{GuildCommand, Packet};
pub use ready::ReadyShards;
pub use refusal::Refusal;
pub use route::{Route, Router};
