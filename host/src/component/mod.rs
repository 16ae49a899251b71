//! WebAssembly components: engine, limits, bindings and loading. This module knows the contract of `wit/`,
//! and nothing of Discord.
//!
//! A component file becomes a [`loader::Source`], is compiled by the [`engine::Engine`], is prepared once as a
//! [`filter::Filter`] or an [`adapter::Adapter`], and runs as one long-lived instance in every lane.

pub mod adapter;
mod bindings;
pub mod bundled;
pub mod call;
mod code_cache;
pub mod engine;
pub(crate) mod error;
pub mod filter;
mod guest_log;
mod guest_metrics;
pub mod limits;
pub mod loader;
pub mod lookup;
pub mod sandbox;
pub mod state;

pub use bindings::types::Error as GuestError;
pub use bindings::{Command, Message, Verdict};
pub use error::{CallError, LoadError};
pub use guest_metrics::GuestFamilies;

/// What a component is told about an event.
fn event_record(event: &crate::event::Event) -> bindings::types::Event<'_> {
    bindings::types::Event { name: &event.name, shard: event.shard.0, sequence: event.sequence.0 }
}
