//! What the simulator promises, seen by a plain client.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod client;
mod commands;
mod compression;
mod faults;
mod flood;
mod lifecycle;
mod limits;
mod rest;
mod resume;
