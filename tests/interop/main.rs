//! The gateway with the brokers and clients that its users have: real servers, and the packages of other people.
//!
//! Not among the clients is rustacles, which is in no registry: `redis` and `lapin` read in its place what it would.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod acknowledgements;
mod amqp_events;
mod broker_restart;
mod command_forms;
mod configurations;
mod connections;
mod dead_letters;
mod disturbances;
mod documented_consumers;
mod early_commands;
mod guides;
mod guild_routing;
mod identities;
mod original_faults;
mod poison;
mod redis_events;
mod refusals;
mod refusing_servers;
mod shard_events;
mod shard_store;
mod stdio_frames;
mod support;

/// The binary that cargo built for these tests.
const GATEWAY: &str = env!("CARGO_BIN_EXE_gateway");
