//! Shared-nothing workers that take events through the filter chain to the adapter.
//!
//! A lane is a thread of its own. Its shards' drivers run on it as well, so that an event is read, inflated, filtered and
//! published on one core, in order and without a lock (docs/decisions/0003).

mod chain;
mod names;
mod open;
mod outlet;
mod parts;
mod progress;
mod thread;
mod worker;

pub use outlet::{DeadLetterBox, Outputs, Ticket};
pub use parts::{CheckpointSink, LaneParts};
pub use progress::{LaneShard, Receipt};
pub use thread::LaneThread;
pub(crate) use worker::BATCH;
pub use worker::Lane;
