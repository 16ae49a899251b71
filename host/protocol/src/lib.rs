//! The Discord gateway protocol as state machines without I/O.
//!
//! Nothing here opens a socket, reads a clock or asks the system for randomness: a driver tells each machine what happened and
//! when, does what it asks for, and wakes it when it wants to be woken.
//!
//! - [`Shard`] is the life of one shard: [`Input`]s in, [`Action`]s out, one deadline.
//! - [`IdentifyLimiter`] says which of a bot's shards may identify when, and [`IdentifyHistory`] which did so too often.
//! - [`Envelope`] reads the frame of a payload and checks the rest without reading it.
//! - [`close`], [`Backoff`] and [`ShardCount`] are the tables and formulas.
//!
//! Facts are Discord's: <https://docs.discord.com/developers/events/gateway>.

mod action;
mod backoff;
pub mod close;
mod command;
mod envelope;
mod heartbeat;
mod identify;
mod identify_history;
mod identity;
mod input;
mod member_requests;
mod opcode;
mod reserve;
mod send_limit;
mod session;
mod shard;
mod shard_id;
mod silence;
mod state;
mod timer;
mod trials;

pub use action::{Action, Address, DropReason, Finish, LossReason, Payload, Purpose, ReconnectCause};
pub use backoff::{Backoff, BackoffError};
pub use close::{CloseOutcome, FatalClose};
pub use command::{Command, CommandError, MAX_PAYLOAD_BYTES};
pub use envelope::{Envelope, EnvelopeError};
pub use identify::{IdentifyHold, IdentifyLimiter, SessionStartLimit};
pub use identify_history::{Breaker, IdentifyHistory, IdentifyReason, IdentifyRecord, WallTime};
pub use identity::{Identity, IdentityError, ShardOptions};
pub use input::Input;
pub use reserve::Reserve;
pub use session::{Sequence, Session};
pub use shard::Shard;
pub use shard_id::{ShardCount, ShardId};
pub use state::Phase;
