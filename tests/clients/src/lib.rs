//! What the tests with other people's gateway clients share. A test connects such a client to the simulator, and the client
//! reports what it got: a Rust client through a [`Reporter`], a script as JSON lines on its STDOUT. The test compares that
//! with what the simulator sent.
//!
//! The scripts' packages are installed below `target/foreign-clients` when a test first needs them. Their versions are in
//! `discordjs/package.json`, which needs `npm install --package-lock-only` beside it after a change, and in
//! `discordpy/requirements.txt`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod client;
pub mod install;
mod promises;
mod report;
mod script;

pub use client::{Client, Reporter};
pub use promises::{SHARDS, TOKEN, heartbeats_are_acknowledged, lively, resumes_without_loss};
pub use report::{Received, Report};
pub use script::{discordjs, discordpy};
