//! Saves checkpoints behind the event path: the newest of each shard, once in a while.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_protocol::{Session, ShardId};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};

use super::{SessionStore, ShardSession};
use crate::connection::Backoff;
use crate::telemetry::CheckpointMetrics;

/// A thread that owns the store. Dropping it saves what is unsaved and ends the thread, within a few seconds even if the store
/// is away.
#[derive(Debug)]
pub struct CheckpointWriter {
    sender: CheckpointSender,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Where lanes say how far a shard is. Never waits for the store.
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
    /// If the system refuses a thread or what it waits with.
    pub fn start(store: impl SessionStore, interval: Duration, metrics: CheckpointMetrics) -> io::Result<Self> {
        let (senders, shards) = store.sessions().into_iter().map(watched).unzip();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let writer = Writer { store, shards, metrics, failure: None };
        let thread = std::thread::Builder::new().name("checkpoints".into()).spawn(move || {
            runtime.block_on(writer.run(stopped, interval));
            // A name that is still being looked up must not hold the end up.
            runtime.shutdown_background();
        })?;
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

fn watched((shard, session): ShardSession) -> ((ShardId, watch::Sender<Option<Session>>), WatchedShard) {
    let (sender, newest) = watch::channel(session);
    ((shard, sender), WatchedShard { shard, newest, is_saved: true })
}

struct Writer<S> {
    store: S,
    shards: Vec<WatchedShard>,
    metrics: CheckpointMetrics,
    /// Why saving failed last time, if it did.
    failure: Option<String>,
}

struct WatchedShard {
    shard: ShardId,
    newest: watch::Receiver<Option<Session>>,
    /// Whether the store has what was seen last.
    is_saved: bool,
}

impl WatchedShard {
    /// What is to be saved, and from now on counts as unsaved.
    fn change(&mut self) -> Option<ShardSession> {
        // An error means that the senders are gone; what they sent last is still to be saved.
        self.is_saved &= !self.newest.has_changed().unwrap_or(true);
        (!self.is_saved).then(|| (self.shard, self.newest.borrow_and_update().clone()))
    }
}

impl<S: SessionStore> Writer<S> {
    async fn run(mut self, stopped: oneshot::Receiver<()>, interval: Duration) {
        let rounds = async {
            loop {
                tokio::time::sleep(interval).await;
                self.save_changed().await;
            }
        };
        tokio::select! {
            biased;
            // Cuts a round short that may be waiting for a store that is away.
            _ = stopped => {}
            () = rounds => {}
        }
        self.save_last().await;
    }

    /// What fails, or is cut short, stays unsaved, so the next round tries it again.
    async fn save_changed(&mut self) {
        let changes: Vec<_> = self.shards.iter_mut().filter_map(WatchedShard::change).collect();
        if changes.is_empty() {
            return;
        }
        let unsaved = self.store.save_all(&changes).await.err();
        for shard in self.shards.iter_mut().filter(|shard| !shard.is_saved) {
            shard.is_saved = !unsaved.as_ref().is_some_and(|unsaved| unsaved.shards.contains(&shard.shard));
            if shard.is_saved { self.metrics.saved() } else { self.metrics.failed() }
        }
        self.metrics.unsaved(self.unsaved());
        let failure = unsaved.map(|unsaved| unsaved.reason);
        match &failure {
            Some(reason) if self.failure.is_none() => tracing::warn!(
                "cannot save how far shards are ({reason}). The gateway goes on and tries again; until it succeeds, a crash would \
                 deliver events twice or lose the session"
            ),
            None if self.failure.is_some() => tracing::info!("how far shards are is saved again"),
            _ => {}
        }
        self.failure = failure;
    }

    async fn save_last(&mut self) {
        let attempts = async {
            let mut backoff = Backoff::default();
            loop {
                self.save_changed().await;
                if self.failure.is_none() {
                    break;
                }
                backoff.wait().await;
            }
        };
        let is_done = tokio::time::timeout(LAST_SAVE, attempts).await.is_ok();
        if !is_done {
            tracing::error!(
                "how far {} shards are could not be saved within {} s ({}): the next start delivers events twice or loses \
                 the session",
                self.unsaved(),
                LAST_SAVE.as_secs(),
                self.failure.as_deref().unwrap_or("the store does not answer")
            );
        }
    }

    fn unsaved(&self) -> usize {
        self.shards.iter().filter(|shard| !shard.is_saved).count()
    }
}

/// How long the end may take to save what is unsaved.
const LAST_SAVE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use gateway_protocol::Sequence;

    use super::*;
    use crate::store::{BotKey, LocalStore, Unsaved};
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

    fn writer<S: SessionStore>(store: S, metrics: &Metrics) -> (Writer<S>, watch::Sender<Option<Session>>) {
        let ((_, sender), shard) = watched((SHARD, None));
        (Writer { store, shards: vec![shard], metrics: metrics.checkpoints(), failure: None }, sender)
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

    #[tokio::test]
    async fn what_cannot_be_saved_is_tried_again_until_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        let path = store.path(SHARD);
        let metrics = Metrics::new().unwrap();
        let (mut writer, sender) = writer(store, &metrics);
        sender.send_replace(Some(session(3)));
        // A directory stands where the file belongs.
        std::fs::create_dir(&path).unwrap();
        writer.save_changed().await;
        writer.save_changed().await;
        assert!(writer.failure.is_some() && shows(&metrics, "gateway_checkpoint_failures_total 2"));
        assert!(shows(&metrics, "gateway_checkpoints_unsaved 1"));
        std::fs::remove_dir(&path).unwrap();
        writer.save_changed().await;
        assert!(writer.failure.is_none() && shows(&metrics, "gateway_checkpoints_unsaved 0"));
        assert_eq!(writer.store.load(SHARD), Some(session(3)));
    }

    #[tokio::test]
    async fn nothing_new_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new().unwrap();
        let (mut writer, sender) = writer(open(&directory), &metrics);
        writer.save_changed().await;
        sender.send_replace(Some(session(3)));
        writer.save_changed().await;
        writer.save_changed().await;
        assert!(shows(&metrics, "gateway_checkpoints_total 1"));
    }

    /// Saves nothing in the first round: it hangs, or lacks one shard.
    struct FirstFails {
        hangs: Option<oneshot::Sender<()>>,
        lacks: Option<ShardId>,
        saved: std::sync::mpsc::SyncSender<Vec<ShardSession>>,
    }

    impl SessionStore for FirstFails {
        fn sessions(&self) -> Vec<ShardSession> {
            Vec::new()
        }

        async fn save_all(&mut self, changes: &[ShardSession]) -> Result<(), Unsaved> {
            if let Some(hangs) = self.hangs.take() {
                hangs.send(()).unwrap();
                std::future::pending::<()>().await;
            }
            self.saved.send(changes.to_vec()).unwrap();
            Unsaved::check(self.lacks.take().map(|shard| (shard, "no reason".into())))
        }
    }

    #[tokio::test]
    async fn a_round_that_hangs_is_cut_short_at_the_end_and_saved_again() {
        let metrics = Metrics::new().unwrap();
        let (hangs, hung) = oneshot::channel();
        let (saved, rounds) = std::sync::mpsc::sync_channel(8);
        let (writer, sender) = writer(FirstFails { hangs: Some(hangs), lacks: None, saved }, &metrics);
        sender.send_replace(Some(session(3)));
        let (stop, stopped) = oneshot::channel();
        let stopping = async {
            hung.await.unwrap();
            drop(stop);
        };
        tokio::join!(writer.run(stopped, Duration::ZERO), stopping);
        assert_eq!(rounds.iter().collect::<Vec<_>>(), [[(SHARD, Some(session(3)))]]);
        assert!(shows(&metrics, "gateway_checkpoints_total 1"));
    }

    #[tokio::test]
    async fn only_the_shards_that_failed_are_saved_again() {
        let metrics = Metrics::new().unwrap();
        let (saved, rounds) = std::sync::mpsc::sync_channel(8);
        let (mut writer, sender) = writer(FirstFails { hangs: None, lacks: Some(SHARD), saved }, &metrics);
        let ((_, other), shard) = watched((ShardId(0), None));
        writer.shards.push(shard);
        sender.send_replace(Some(session(3)));
        other.send_replace(Some(session(4)));
        writer.save_changed().await;
        assert!(
            shows(&metrics, "gateway_checkpoints_unsaved 1") && shows(&metrics, "gateway_checkpoint_failures_total 1")
        );
        writer.save_changed().await;
        writer.save_changed().await;
        drop(writer);
        let rounds: Vec<_> = rounds.iter().collect();
        assert_eq!(
            rounds,
            [vec![(SHARD, Some(session(3))), (ShardId(0), Some(session(4)))], vec![(SHARD, Some(session(3)))]]
        );
        assert!(shows(&metrics, "gateway_checkpoints_total 2"));
    }
}
