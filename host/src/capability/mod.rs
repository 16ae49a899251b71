//! The native side of what adapters import: connections, streams, confirmations. One folder for each capability.
//!
//! A capability is linked once for all instances ([`link`]). An instance has its own [`Capabilities`]: what it hands over
//! in a call gathers there, and the lane takes it out when the call has succeeded. No capability knows of shards.

use wasmtime::component::Linker;

use crate::component::state::InstanceState;

pub mod stdio;

/// What one adapter instance has handed over in the running call.
#[derive(Debug, Default)]
pub struct Capabilities {
    /// Frames for STDOUT.
    pub stdio: stdio::Frames,
}

/// Adds all capabilities to the linker for adapters.
///
/// # Errors
/// Only if two capabilities claim the same name.
pub fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    stdio::link(linker)
}
