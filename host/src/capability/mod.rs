//! The native side of what adapters import: connections, streams, confirmations. One folder for each capability.
//!
//! A capability is linked once for all instances ([`link`]). An instance has its own [`Capabilities`]: what it hands over
//! in a call gathers there, and the lane takes it out when the call has succeeded, as [`Parcel`]s. What comes in from a
//! broker is [`Incoming`], with a [`Claim`] on its acknowledgement. No capability knows what a shard is.

use wasmtime::component::Linker;

use crate::component::state::InstanceState;
use crate::config::BrokerType;

pub mod amqp;
mod body;
mod claim;
mod contents;
mod incoming;
mod parcel;
pub mod redis;
mod server_parts;
pub mod stdio;
mod transcode;

pub use claim::{Claim, Outcome};
pub use contents::{Content, Contents, PayloadForm};
pub use incoming::Incoming;
pub use parcel::{Confirmation, Gone, Job, Outputs, Parcel, Room};
pub use server_parts::ServerParts;

/// What an adapter has declared in `open`: what it needs of its broker. The same for all of its instances.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Declared {
    /// Exchanges, queues, bindings and consumers.
    pub amqp: amqp::Topology,
    /// Streams that are consumed.
    pub redis: Vec<redis::Consumer>,
}

/// What one adapter instance has handed over in the running call.
#[derive(Debug, Default)]
pub struct Capabilities {
    /// Frames for STDOUT.
    pub stdio: Contents,
    /// Messages for the AMQP server.
    pub amqp: amqp::Messages,
    /// Commands for the Redis server.
    pub redis: redis::Commands,
    /// Where its queries go.
    pub redis_queries: Option<redis::QueryClient>,
    /// What the instance has declared.
    pub declared: Declared,
    /// Whether `open` runs, where alone something can be declared.
    pub opening: bool,
}

impl Capabilities {
    /// Takes out the next parcel that was handed over. `room` gives it the room of earlier ones.
    pub fn take_parcel(&mut self, room: &mut Room) -> Option<Parcel> {
        if !self.stdio.is_empty() {
            return Some(Parcel::Stdio(std::mem::replace(&mut self.stdio, room.contents())));
        }
        if !self.amqp.is_empty() {
            return Some(Parcel::Amqp(std::mem::replace(&mut self.amqp, room.messages())));
        }
        (!self.redis.is_empty()).then(|| Parcel::Redis(std::mem::replace(&mut self.redis, room.commands())))
    }

    /// Forgets what was handed over.
    pub fn clear(&mut self) {
        self.stdio.clear();
        self.amqp.clear();
        self.redis.clear();
    }
}

/// Adds what is granted to the linker for adapters: the capability of the broker that the operator has chosen.
///
/// # Errors
/// Only if two capabilities claim the same name.
pub fn link(linker: &mut Linker<InstanceState>, granted: BrokerType) -> wasmtime::Result<()> {
    // It has types only.
    linker.instance("spectacles:gateway/content@0.1.0")?;
    match granted {
        BrokerType::Stdio => stdio::link(linker),
        BrokerType::Amqp => amqp::link(linker),
        BrokerType::Redis => redis::link(linker),
    }
}
