//! Where sessions and watermarks live between runs.

mod bot_key;
mod identify_ledger;
mod local;
mod redis;
mod session_file;
mod session_store;
mod writer;

pub use self::bot_key::BotKey;
pub use self::identify_ledger::{IdentifyLedger, LocalLedger, RedisLedger, wall_time};
pub use self::local::{LocalStore, StoreError, default_directory};
pub use self::redis::RedisStore;
pub use self::session_store::{SessionStore, ShardCheckpoint, Unsaved};
pub use self::writer::{CheckpointSender, CheckpointWriter};
