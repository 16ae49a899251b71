//! What components may do to the gateway, and what they may not: guests that misbehave in every way that the sandbox allows.
//!
//! Most tests run one lane in this process ([`lane::LaneSetup`]); where the process itself is in question, they run the binary.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod adapters;
mod binary;
mod bounds;
mod breaches;
mod bundled;
mod cache;
mod chain;
mod crashes;
mod delivery;
mod floods;
mod identity;
mod interest;
mod lane;
mod output;
mod poison;
mod refusals;

/// The binary that cargo built for these tests.
const GATEWAY: &str = env!("CARGO_BIN_EXE_gateway");
