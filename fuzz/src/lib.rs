//! The modules of the host that the targets drive, compiled from the host's own files.
//!
//! The host as a whole would bring the WebAssembly engine and the brokers' clients into every build, and would have to publish
//! what is its own affair (docs/decisions/0024).
#![expect(unused_imports, reason = "the host uses what no target does")]

#[path = "../../host/src/config/mod.rs"]
pub mod config;

#[path = "../../host/src/delivery"]
pub mod delivery {
    mod checkpoint;
    mod gap;

    pub use checkpoint::{Checkpoint, Pace};
    pub use gap::{GAP_EVENT, Gap, GapReason};
}

#[path = "../../host/src/shard"]
pub mod shard {
    mod inflate;

    pub use inflate::{InflateError, Inflater};
}

#[path = "../../host/src/command"]
pub mod command {
    mod body;
    mod packet;
    mod refusal;
    mod transcode;

    pub use packet::{GuildCommand, Packet};
    pub use refusal::Refusal;

    /// Turns one MessagePack value into JSON text.
    ///
    /// # Errors
    /// If it is not exactly one value, or holds what JSON cannot express.
    pub fn msgpack_to_json(body: &[u8]) -> Result<Vec<u8>, Refusal> {
        transcode::to_json(body)
    }
}

#[path = "../../host/src/capability"]
pub mod capability {
    mod contents;
    mod transcode;

    pub use contents::{Content, Contents, PayloadForm};

    /// Turns one JSON text into one MessagePack value.
    ///
    /// # Errors
    /// If it is no JSON text, or nested too deeply, or has a number beyond a 64-bit float.
    pub fn json_to_msgpack(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        transcode::to_msgpack(json)
    }

    #[path = "redis"]
    pub mod redis {
        mod blocked;
        mod commands;
        mod outbox;

        pub use commands::{Commands, Trim};

        /// Why a command is refused, if it is.
        #[must_use]
        pub fn refusal(name: &[u8], next: Option<&[u8]>, has_block: bool) -> Option<&'static str> {
            blocked::refusal(name, next, has_block)
        }

        /// Those of the commands whose index is `chosen`, as they go over the wire, taken `step` bytes at a time.
        pub fn wire(commands: &Commands, chosen: impl FnMut(usize) -> bool, step: usize) -> Vec<u8> {
            let (mut outbox, mut bytes) = (outbox::Outbox::default(), Vec::new());
            commands.write(&mut outbox, chosen);
            while !outbox.is_empty() {
                let next: Vec<u8> = outbox.slices().iter().flat_map(|slice| slice.to_vec()).take(step).collect();
                outbox.advance(next.len());
                bytes.extend(next);
            }
            bytes
        }

        /// What the command at `index` brings, for who keeps it.
        #[must_use]
        pub fn body_of(commands: &Commands, index: usize) -> Vec<u8> {
            commands.body_of(index)
        }

        /// The key of the command at `index`.
        #[must_use]
        pub fn key_of(commands: &Commands, index: usize) -> &[u8] {
            commands.key_of(index)
        }
    }
}
