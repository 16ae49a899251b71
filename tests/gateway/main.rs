//! The gateway as its users meet it: the binary, on a simulated Discord, over real sockets and pipes.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod back_channel;
mod check;
mod close_codes;
mod compression;
mod configuration;
mod deaf;
mod delivery;
mod demo;
mod drain;
mod gaps;
mod hostile_payloads;
mod identifies;
mod metrics;
mod plan;
mod redis_store;
mod refusals;
mod rest;
mod restart;
mod resume;
mod secrets;
mod shard_crashes;
mod sharding;
mod simulate;
mod slow_reader;
mod support;

/// The binary that cargo built for these tests.
const GATEWAY: &str = env!("CARGO_BIN_EXE_gateway");
