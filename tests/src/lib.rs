//! What the end-to-end tests share. The tests themselves are in the folders beside `src`, and belong to the host's crate, so
//! that cargo builds the binary for them.
//!
//! A test starts a simulated Discord ([`gateway_simulator`]) and the real binary ([`Setup`]), and waits for what it expects:
//! an event on STDOUT, a line in the log, an entry in the simulator's journal. Nothing sleeps.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod audit;
mod figures;
mod guests;
mod load;
mod log;
mod msgpack;
mod process;
mod proxy;
mod script;
mod servers;
mod setup;

pub use audit::{Audit, Violation};
pub use figures::{Answer, Figures};
pub use guests::{example, guest};
pub use load::{LOAD, Load, payload};
pub use msgpack::Msgpack;
pub use process::{Event, Gateway, PATIENCE};
pub use proxy::{Direction, Proxy};
pub use script::{Brokers, Received, Script};
pub use servers::{RabbitMq, RabbitMqOptions, Redis, RedisCluster, RedisOptions, VirtualHost};
pub use setup::Setup;
