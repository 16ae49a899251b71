//! What comes in from brokers.

use std::sync::Arc;

use super::Claim;

/// Something that came in.
#[derive(Debug)]
pub enum Incoming {
    /// A message for the adapter.
    Message {
        /// Where it comes from, as `message` of wit/adapter.wit names it.
        source: Arc<str>,
        /// Its content.
        body: Vec<u8>,
        /// Hears what becomes of it.
        claim: Claim,
    },
    /// Something that is no message. It has been dealt with, and is to be counted and told.
    Unreadable {
        /// Where it comes from.
        source: Arc<str>,
        /// What is wrong with it.
        reason: String,
    },
}
