//! The proof that nothing is lost: the real gateway between a simulated Discord and real brokers, with a network between them that
//! fails, and processes that are killed. After each fault, what a consumer got is compared with what was sent.
//!
//! Each test prints the seed of what is random in it; `FAULT_SEED` sets it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod broker;
#[cfg(target_os = "linux")]
mod clock;
mod components;
mod consumer;
mod failover;
mod kills;
mod network;
mod process;
mod scene;
mod session;
mod sink;
mod soak;
#[cfg(target_os = "linux")]
mod store;

/// The binary that cargo built for these tests.
const GATEWAY: &str = env!("CARGO_BIN_EXE_gateway");
