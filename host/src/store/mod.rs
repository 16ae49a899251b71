//! Where sessions and watermarks live between runs.

mod bot_key;
mod local;
mod session_file;
mod writer;

pub use bot_key::BotKey;
pub use local::{LocalStore, StoreError, default_directory};
pub use writer::{CheckpointSender, CheckpointWriter};
