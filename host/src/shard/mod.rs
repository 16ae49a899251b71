//! From a socket to events in order: one task for each shard.
//!
//! [`ShardTask`] drives the pure machine of `gateway_protocol`: it opens sockets, inflates what comes in, hands events to the
//! lane, and waits for permits of the [`IdentifyQueue`].

mod claims;
mod identify_queue;
mod inflate;
mod link;
mod note;
mod outbox;
mod parts;
mod siblings;
mod supervision;
mod task;
mod transport;

pub use identify_queue::{IdentifyQueue, IdentifyRules, Permit};
pub use inflate::{InflateError, Inflater};
pub use parts::{ShardEnd, ShardParts};
pub use siblings::Siblings;
pub use task::ShardTask;
pub use transport::{ConnectError, Dialer, Incoming, Socket};
