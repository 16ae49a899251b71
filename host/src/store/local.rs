//! The store on this machine: a directory for each bot, with a file for each shard.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_protocol::ShardId;
use thiserror::Error;

use super::{BotKey, SessionStore, ShardCheckpoint, Unsaved, session_file};
use crate::delivery::Checkpoint;
use crate::private;

/// Sessions of one bot's shards. While it lives, no other gateway can have the same shards.
#[derive(Debug)]
pub struct LocalStore {
    directory: PathBuf,
    /// Over how many shards the bot is spread.
    count: u32,
    /// The locks of the shards. The system frees them when the process ends, however it ends.
    locks: HashMap<ShardId, File>,
}

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The directory or a file in it cannot be made.
    #[error(
        "cannot keep sessions in {}: {source}. Set `shard_store.path` (SHARD_STORE_PATH) to a directory that can be written, or \
         `shard_store.type` (SHARD_STORE_TYPE) to `memory` to start new sessions each time", path.display()
    )]
    NotWritable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another gateway runs the shard.
    #[error(
        "another gateway on this machine runs shard {} of this bot (it holds {}). Stop it, or give the two different \
         `shards.ids` (DISCORD_SHARD_IDS)", shard.0, path.display()
    )]
    InUse {
        /// Which shard.
        shard: ShardId,
        /// The lock.
        path: PathBuf,
    },
}

impl LocalStore {
    /// Opens the store of a bot in `directory`, for these of its `count` shards, and locks them.
    ///
    /// # Errors
    /// If the directory cannot be written, or another gateway has one of the shards.
    pub fn open(
        directory: &Path,
        bot: &BotKey,
        count: u32,
        shards: impl IntoIterator<Item = ShardId>,
    ) -> Result<Self, StoreError> {
        let directory = directory.join(bot.to_string());
        private::make_directory(&directory)
            .map_err(|source| StoreError::NotWritable { path: directory.clone(), source })?;
        let locks = shards.into_iter().map(|shard| Ok((shard, lock(&directory, shard)?))).collect::<Result<_, _>>()?;
        Ok(Self { directory, count, locks })
    }

    /// Which of these shards have a session to resume, and how long ago they were saved if the system tells. It locks nothing and changes nothing, so
    /// that it works beside a running gateway.
    #[must_use]
    pub fn look(
        directory: &Path,
        bot: &BotKey,
        count: u32,
        shards: impl IntoIterator<Item = ShardId>,
    ) -> Vec<(ShardId, Option<Duration>)> {
        let store = Self { directory: directory.join(bot.to_string()), count, locks: HashMap::new() };
        let age = |shard| fs::metadata(store.path(shard)).ok()?.modified().ok()?.elapsed().ok();
        let resumable = shards.into_iter().filter(|shard| store.load(*shard).session.is_some());
        resumable.map(|shard| (shard, age(shard))).collect()
    }

    /// The shards that it was opened for.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> {
        self.locks.keys().copied()
    }

    /// What an earlier run left of the shard. A file that cannot be used is a gap, with a warning.
    #[must_use]
    pub fn load(&self, shard: ShardId) -> Checkpoint {
        let path = self.path(shard);
        session_file::read(&path, shard, self.count).unwrap_or_else(|reason| {
            tracing::warn!(shard = shard.0, "{} is not used, so a new session starts: {reason}", path.display());
            Checkpoint::unreadable()
        })
    }

    /// Keeps the shard's checkpoint, or forgets it if it is empty. Blocks until it is on the disk.
    ///
    /// # Errors
    /// If the system cannot write; what was kept before stays.
    pub fn save(&self, shard: ShardId, checkpoint: &Checkpoint) -> io::Result<()> {
        session_file::write(&self.path(shard), shard, self.count, checkpoint)
    }

    /// Where the shard's session is.
    #[must_use]
    pub fn path(&self, shard: ShardId) -> PathBuf {
        self.directory.join(format!("shard-{}.json", shard.0))
    }
}

impl SessionStore for LocalStore {
    fn found(&self) -> Vec<ShardCheckpoint> {
        self.shards().map(|shard| (shard, self.load(shard))).collect()
    }

    async fn save_all(&mut self, changes: &[ShardCheckpoint]) -> Result<(), Unsaved> {
        let failures = changes.iter().filter_map(|(shard, checkpoint)| {
            let error = self.save(*shard, checkpoint).err()?;
            Some((*shard, format!("{}: {error}", self.path(*shard).display())))
        });
        Unsaved::check(failures)
    }
}

/// Where sessions are kept if nothing else is configured: the platform's place for state (`$XDG_STATE_HOME` or
/// `~/.local/state` on Linux, `~/Library/Application Support` on macOS, `%LOCALAPPDATA%` on Windows), or the working directory
/// for a user without a home.
#[must_use]
pub fn default_directory() -> PathBuf {
    dirs::state_dir().or_else(dirs::data_local_dir).unwrap_or_default().join("spectacles-gateway")
}

/// Locks a file of its own: the session's file is replaced again and again.
fn lock(directory: &Path, shard: ShardId) -> Result<File, StoreError> {
    let path = directory.join(format!("shard-{}.lock", shard.0));
    // Not truncated: a file that another process has locked may refuse that, and the error must be that it is locked.
    let file = match private::open(&path, OpenOptions::new().write(true).create(true).truncate(false)) {
        Ok(file) => file,
        Err(source) => return Err(StoreError::NotWritable { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { shard, path }),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(
                "{} cannot be locked ({error}): see to it that no other gateway runs this shard",
                path.display()
            );
            Ok(file)
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_protocol::{Sequence, Session};

    use super::*;

    const SHARD: ShardId = ShardId(0);

    fn open(directory: &Path, shards: impl IntoIterator<Item = u32>) -> Result<LocalStore, StoreError> {
        LocalStore::open(directory, &BotKey::new("MTIz.a.b", "discord.com"), 4, shards.into_iter().map(ShardId))
    }

    fn session(sequence: u64) -> Checkpoint {
        Session { id: "a".into(), resume_url: None, sequence: Sequence(sequence) }.into()
    }

    #[test]
    fn a_session_outlives_the_store_and_can_be_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), 0..2).unwrap();
        store.save(SHARD, &session(1)).unwrap();
        store.save(SHARD, &session(2)).unwrap();
        drop(store);
        let store = open(directory.path(), 0..2).unwrap();
        assert_eq!(store.load(SHARD), session(2));
        assert_eq!(store.load(ShardId(1)), Checkpoint::default());
        store.save(SHARD, &Checkpoint::default()).unwrap();
        assert_eq!(store.load(SHARD), Checkpoint::default());
    }

    #[test]
    fn bots_do_not_meet() {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path(), [0]).unwrap().save(SHARD, &session(1)).unwrap();
        let other = LocalStore::open(directory.path(), &BotKey::new("MTI0.a.b", "discord.com"), 4, [SHARD]).unwrap();
        assert_eq!(other.load(SHARD), Checkpoint::default());
    }

    #[test]
    fn gateways_side_by_side_share_a_directory_but_no_shard() {
        let directory = tempfile::tempdir().unwrap();
        let one = open(directory.path(), [0, 1]).unwrap();
        let two = open(directory.path(), [2, 3]).unwrap();
        one.save(ShardId(1), &session(1)).unwrap();
        two.save(ShardId(2), &session(2)).unwrap();
        let error = open(directory.path(), [1, 2]).unwrap_err();
        assert!(matches!(error, StoreError::InUse { shard: ShardId(1), .. }), "{error}");
        assert!(error.to_string().contains("`shards.ids`"), "{error}");
        drop(one);
        drop(two);
        assert_eq!(open(directory.path(), [1, 2]).unwrap().load(ShardId(2)), session(2));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named_with_what_to_change() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = open(&file.join("store"), [0]).unwrap_err().to_string();
        assert!(error.contains(&file.display().to_string()), "{error}");
        assert!(error.contains("`shard_store.path`") && error.contains("`memory`"), "{error}");
    }

    #[test]
    fn a_foreign_file_is_a_fresh_start_and_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), [0]).unwrap();
        for foreign in ["", "\u{0}\u{0}\u{0}", "{}", "[1]", r#"{"version":99}"#] {
            fs::write(store.path(SHARD), foreign).unwrap();
            assert_eq!(store.load(SHARD), Checkpoint::unreadable());
            store.save(SHARD, &session(5)).unwrap();
            assert_eq!(store.load(SHARD), session(5));
        }
    }
}
