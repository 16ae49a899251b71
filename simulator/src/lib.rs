//! A faithful Discord: the REST calls that a gateway client makes and the gateway itself, on loopback, with faults on
//! demand.
//!
//! [`Simulator`] serves both on one port, and [`Control`] steers and watches it. [`Flood`] is for benchmarks: it writes
//! events that were prepared before as fast as sockets take them.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gateway_simulator::{FaultKind, Happening, Options, Rate, Simulator};
//!
//! let simulator = Simulator::start(Options { event_rate: Rate::per_second(100.0), ..Options::default() }).await?;
//! let control = simulator.control();
//! println!("{}://{}/api/v10/gateway/bot", simulator.api_scheme(), simulator.api_host());
//! control.wait_for(|entry| matches!(entry.happening, Happening::Ready { .. })).await?;
//! control.fault(FaultKind::Reconnect.on_shard(0));
//! control.wait_for(|entry| matches!(entry.happening, Happening::Resumed { .. })).await?;
//! simulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod address;
mod certificate;
mod clock;
mod commands;
mod compression;
mod connection;
mod control;
mod fault;
mod flood;
mod generator;
mod http;
mod identify;
mod inbound;
mod intents;
mod journal;
mod limits;
mod options;
mod outbox;
mod query;
mod recurring;
mod rest;
mod resume;
mod server;
mod session;
mod state;
mod strike;
mod traffic;
mod wire;
mod writer;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use compression::Compression;
pub use control::Control;
pub use fault::{Answer, Fault, FaultKind, Mangling, Raw, RestFault};
pub use flood::{Flood, FloodOptions};
pub use intents::{ALL as ALL_INTENTS, PRIVILEGED as PRIVILEGED_INTENTS};
pub use journal::{Entry, Happening, NotHappened};
pub use options::{
    GuildShape, Knobs, Limits, Options, Rate, Refusal, SendLimiter, SessionStarts, UnknownQuery, ZstdFraming,
};
pub use server::Simulator;
pub use session::Sent;

/// Locks; a panic elsewhere while it was locked doesn't spread.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
