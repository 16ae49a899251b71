//! Saves checkpoints behind the event path: the newest of each shard, once in a while.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_protocol::{Session, ShardId};
use tokio::sync::watch;

use super::LocalStore;
use crate::telemetry::CheckpointMetrics;

/// A thread that owns the store. Dropping it saves what is unsaved and ends the thread.
#[derive(Debug)]
pub struct CheckpointWriter {
    sender: CheckpointSender,
    /// Dropped to end the thread.
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Where lanes say how far a shard is. Never waits for the disk.
#[derive(Debug, Clone)]
pub struct CheckpointSender {
    newest: Arc<HashMap<ShardId, watch::Sender<Option<Session>>>>,
}

impl CheckpointSender {
    /// The shard can be resumed from `session`, or not at all. Shards that the store was not opened for are ignored.
    pub fn save(&self, shard: ShardId, session: Option<Session>) {
        if let Some(newest) = self.newest.get(&shard) {
            newest.send_if_modified(|newest| {
                let changes = *newest != session;
                *newest = session;
                changes
            });
        }
    }
}

impl CheckpointWriter {
    /// Starts the thread. It saves what has changed every `interval`: after a crash, at most that much is delivered again.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(store: LocalStore, interval: Duration, metrics: CheckpointMetrics) -> io::Result<Self> {
        let (senders, receivers): (HashMap<_, _>, Vec<_>) = store
            .shards()
            .map(|shard| {
                let (sender, receiver) = watch::channel(store.load(shard));
                ((shard, sender), (shard, receiver))
            })
            .unzip();
        let (stop, stopped) = sync_channel(0);
        let writer = Writer { store, newest: receivers, metrics, failing: false };
        let thread =
            std::thread::Builder::new().name("checkpoints".into()).spawn(move || writer.run(&stopped, interval))?;
        Ok(Self { sender: CheckpointSender { newest: Arc::new(senders) }, stop: Some(stop), thread: Some(thread) })
    }

    /// A handle for a lane.
    #[must_use]
    pub fn sender(&self) -> CheckpointSender {
        self.sender.clone()
    }

    /// What can be resumed, as the store had it at the start or as it was sent since.
    #[must_use]
    pub fn session(&self, shard: ShardId) -> Option<Session> {
        self.sender.newest.get(&shard).and_then(|newest| newest.borrow().clone())
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the checkpoint writer crashed: the latest checkpoints are not saved");
        }
    }
}

struct Writer {
    store: LocalStore,
    newest: Vec<(ShardId, watch::Receiver<Option<Session>>)>,
    metrics: CheckpointMetrics,
    /// Whether saving failed last time.
    failing: bool,
}

impl Writer {
    fn run(mut self, stopped: &Receiver<()>, interval: Duration) {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval) {
            self.save_changed();
        }
        self.save_changed();
    }

    /// What fails stays changed, so the next round tries it again.
    fn save_changed(&mut self) {
        let mut failure = None;
        let mut unsaved = 0;
        for (shard, newest) in &mut self.newest {
            // An error means that the senders are gone; what they sent last is still to be saved.
            if !newest.has_changed().unwrap_or(true) {
                continue;
            }
            let session = newest.borrow_and_update().clone();
            match self.store.save(*shard, session.as_ref()) {
                Ok(()) => self.metrics.saved(),
                Err(error) => {
                    newest.mark_changed();
                    self.metrics.failed();
                    unsaved += 1;
                    failure = Some((self.store.path(*shard), error));
                }
            }
        }
        self.metrics.unsaved(unsaved);
        match failure {
            Some((path, error)) if !self.failing => tracing::warn!(
                "cannot save how far shards are ({}: {error}). The gateway goes on and tries again; until it succeeds, a crash \
                 would deliver events twice or lose the session",
                path.display()
            ),
            None if self.failing => tracing::info!("how far shards are is saved again"),
            _ => {}
        }
        self.failing = unsaved > 0;
    }
}

#[cfg(test)]
mod tests {
    use gateway_protocol::Sequence;

    use super::*;
    use crate::store::BotKey;
    use crate::telemetry::Metrics;

    const SHARD: ShardId = ShardId(1);
    /// Never comes round in a test: what is saved is saved by hand or at the end.
    const NEVER: Duration = Duration::from_secs(3600);

    fn session(sequence: u64) -> Session {
        Session { id: "a".into(), resume_url: None, sequence: Sequence(sequence) }
    }

    fn open(directory: &tempfile::TempDir) -> LocalStore {
        LocalStore::open(directory.path(), &BotKey::new("MTIz.a.b", "discord.com"), 2, [ShardId(0), SHARD]).unwrap()
    }

    fn writer(store: LocalStore, metrics: &Metrics) -> (Writer, watch::Sender<Option<Session>>) {
        let (sender, receiver) = watch::channel(None);
        (Writer { store, newest: vec![(SHARD, receiver)], metrics: metrics.checkpoints(), failing: false }, sender)
    }

    fn shows(metrics: &Metrics, line: &str) -> bool {
        metrics.render().unwrap().lines().any(|shown| shown == line)
    }

    #[test]
    fn the_end_saves_the_newest_of_each_shard() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new().unwrap();
        let writer = CheckpointWriter::start(open(&directory), NEVER, metrics.checkpoints()).unwrap();
        let sender = writer.sender();
        (1..=1000).for_each(|sequence| sender.save(SHARD, Some(session(sequence))));
        sender.save(ShardId(0), Some(session(5)));
        sender.save(ShardId(0), None);
        sender.save(ShardId(9), Some(session(1)));
        assert_eq!(writer.session(SHARD), Some(session(1000)));
        drop(writer);
        let store = open(&directory);
        assert_eq!(
            (store.load(SHARD), store.load(ShardId(0)), store.load(ShardId(9))),
            (Some(session(1000)), None, None)
        );
        assert!(shows(&metrics, "gateway_checkpoints_total 2"), "a thousand checkpoints are one write");
    }

    #[test]
    fn the_next_run_starts_from_what_was_saved() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new().unwrap();
        let start = || CheckpointWriter::start(open(&directory), NEVER, metrics.checkpoints()).unwrap();
        start().sender().save(SHARD, Some(session(7)));
        let writer = start();
        assert_eq!(writer.session(SHARD), Some(session(7)));
        writer.sender().save(SHARD, Some(session(7)));
        drop(writer);
        assert!(shows(&metrics, "gateway_checkpoints_total 1"), "what is saved already is not written again");
    }

    #[test]
    fn what_cannot_be_saved_is_tried_again_until_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        let path = store.path(SHARD);
        let metrics = Metrics::new().unwrap();
        let (mut writer, sender) = writer(store, &metrics);
        sender.send_replace(Some(session(3)));
        // A directory stands where the file belongs.
        std::fs::create_dir(&path).unwrap();
        writer.save_changed();
        writer.save_changed();
        assert!(writer.failing && shows(&metrics, "gateway_checkpoint_failures_total 2"));
        assert!(shows(&metrics, "gateway_checkpoints_unsaved 1"));
        std::fs::remove_dir(&path).unwrap();
        writer.save_changed();
        assert!(!writer.failing && shows(&metrics, "gateway_checkpoints_unsaved 0"));
        assert_eq!(writer.store.load(SHARD), Some(session(3)));
    }

    #[test]
    fn nothing_new_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new().unwrap();
        let (mut writer, sender) = writer(open(&directory), &metrics);
        writer.save_changed();
        sender.send_replace(Some(session(3)));
        writer.save_changed();
        writer.save_changed();
        assert!(shows(&metrics, "gateway_checkpoints_total 1"));
    }
}
