//! Saves checkpoints behind the event path: the newest of each shard, once in a while.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_protocol::ShardId;
use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot, watch};

use super::{SessionStore, ShardCheckpoint};
use crate::connection::Backoff;
use crate::delivery::{Checkpoint, Pace};
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
    shards: Arc<HashMap<ShardId, Slot>>,
    /// Something must not wait for the interval.
    urgent: Arc<Notify>,
}

#[derive(Debug)]
struct Slot {
    newest: watch::Sender<Checkpoint>,
    /// The watermark from which on it is saved at once. The writer sets it.
    due: Arc<AtomicU64>,
}

impl CheckpointSender {
    /// The shard's newest checkpoint. Shards that the store was not opened for are ignored.
    pub fn save(&self, shard: ShardId, checkpoint: Checkpoint) {
        let Some(Slot { newest, due }) = self.shards.get(&shard) else { return };
        let mut is_urgent = false;
        newest.send_if_modified(|newest| {
            let changes = *newest != checkpoint;
            is_urgent = changes && is_urgent_change(newest, &checkpoint, due.load(Ordering::Relaxed));
            *newest = checkpoint;
            changes
        });
        if is_urgent {
            self.urgent.notify_one();
        }
    }
}

/// Another session, or gaps, or a watermark that is due. The first event settled is urgent as well: from then on the session can be
/// resumed.
fn is_urgent_change(before: &Checkpoint, after: &Checkpoint, due: u64) -> bool {
    let (Some(old), Some(new)) = (&before.session, &after.session) else { return true };
    old.id != new.id
        || before.gaps.len() != after.gaps.len()
        || (old.sequence.0 == 0 && new.sequence.0 > 0)
        || new.sequence.0 >= due
}

impl CheckpointWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system refuses a thread or what it waits with.
    pub fn start(store: impl SessionStore, pace: Pace, metrics: CheckpointMetrics) -> io::Result<Self> {
        let (slots, shards) = store.found().into_iter().map(|found| watched(found, pace)).unzip();
        let urgent = Arc::new(Notify::new());
        let sender = CheckpointSender { shards: Arc::new(slots), urgent: Arc::clone(&urgent) };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let writer = Writer { store, shards, pace, metrics, failure: None };
        let thread = std::thread::Builder::new().name("checkpoints".into()).spawn(move || {
            runtime.block_on(writer.run(stopped, &urgent));
            // A name that is still being looked up must not hold the end up.
            runtime.shutdown_background();
        })?;
        Ok(Self { sender, stop: Some(stop), thread: Some(thread) })
    }

    /// A handle for a lane.
    #[must_use]
    pub fn sender(&self) -> CheckpointSender {
        self.sender.clone()
    }

    /// What is known of the shard, as the store had it at the start or as it was sent since.
    #[must_use]
    pub fn checkpoint(&self, shard: ShardId) -> Checkpoint {
        self.sender.shards.get(&shard).map(|slot| slot.newest.borrow().clone()).unwrap_or_default()
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

fn watched((shard, found): ShardCheckpoint, pace: Pace) -> ((ShardId, Slot), WatchedShard) {
    let due = Arc::new(AtomicU64::new(due_after(&found, pace)));
    let (sender, newest) = watch::channel(found);
    let slot = Slot { newest: sender, due: Arc::clone(&due) };
    ((shard, slot), WatchedShard { shard, newest, due, is_saved: true })
}

fn due_after(saved: &Checkpoint, pace: Pace) -> u64 {
    saved.session.as_ref().map_or(0, |session| session.sequence.0).saturating_add(pace.events.get())
}

struct Writer<S> {
    store: S,
    shards: Vec<WatchedShard>,
    pace: Pace,
    metrics: CheckpointMetrics,
    /// Why saving failed last time, if it did.
    failure: Option<String>,
}

struct WatchedShard {
    shard: ShardId,
    newest: watch::Receiver<Checkpoint>,
    due: Arc<AtomicU64>,
    /// Whether the store has what was seen last.
    is_saved: bool,
}

impl WatchedShard {
    /// What is to be saved, and from now on counts as unsaved.
    fn change(&mut self, pace: Pace) -> Option<ShardCheckpoint> {
        // An error means that the senders are gone; what they sent last is still to be saved.
        self.is_saved &= !self.newest.has_changed().unwrap_or(true);
        (!self.is_saved).then(|| {
            let newest = self.newest.borrow_and_update().clone();
            // Also if it fails: until it is tried again nothing more can be done.
            self.due.store(due_after(&newest, pace), Ordering::Relaxed);
            (self.shard, newest)
        })
    }
}

impl<S: SessionStore> Writer<S> {
    async fn run(mut self, stopped: oneshot::Receiver<()>, urgent: &Notify) {
        let rounds = async {
            loop {
                let _ = tokio::time::timeout(self.pace.interval, urgent.notified()).await;
                self.save_changed().await;
                if self.failure.is_some() {
                    // What is urgent must not keep a store busy that fails.
                    tokio::time::sleep(self.pace.interval).await;
                }
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
        let pace = self.pace;
        let changes: Vec<_> = self.shards.iter_mut().filter_map(|shard| shard.change(pace)).collect();
        if changes.is_empty() {
            self.metrics.up_to_date();
            return;
        }
        let unsaved = self.store.save_all(&changes).await.err();
        for shard in self.shards.iter_mut().filter(|shard| !shard.is_saved) {
            shard.is_saved = !unsaved.as_ref().is_some_and(|unsaved| unsaved.shards.contains(&shard.shard));
            if shard.is_saved { self.metrics.saved() } else { self.metrics.failed() }
        }
        if unsaved.is_none() {
            self.metrics.up_to_date();
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
    use std::num::NonZeroU64;

    use gateway_protocol::{Sequence, Session};

    use super::*;
    use crate::delivery::{Gap, GapReason};
    use crate::store::{BotKey, LocalStore, Unsaved};
    use crate::telemetry::Metrics;

    const SHARD: ShardId = ShardId(1);
    /// Never comes round in a test: what is saved is saved by hand, because it is urgent, or at the end.
    const NEVER: Pace = Pace { interval: Duration::from_secs(3600), events: NonZeroU64::new(5000).unwrap() };

    fn session(sequence: u64) -> Checkpoint {
        Session { id: "a".into(), resume_url: None, sequence: Sequence(sequence) }.into()
    }

    fn open(directory: &tempfile::TempDir) -> LocalStore {
        LocalStore::open(directory.path(), &BotKey::new("MTIz.a.b", "discord.com"), 2, [ShardId(0), SHARD]).unwrap()
    }

    fn writer<S: SessionStore>(store: S, metrics: &Metrics) -> (Writer<S>, watch::Sender<Checkpoint>) {
        let ((_, slot), shard) = watched((SHARD, Checkpoint::default()), NEVER);
        (Writer { store, shards: vec![shard], pace: NEVER, metrics: metrics.checkpoints(), failure: None }, slot.newest)
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
        (1..=1000).for_each(|sequence| sender.save(SHARD, session(sequence)));
        sender.save(ShardId(0), session(5));
        sender.save(ShardId(0), Checkpoint::default());
        sender.save(ShardId(9), session(1));
        assert_eq!(writer.checkpoint(SHARD), session(1000));
        drop(writer);
        let store = open(&directory);
        assert_eq!(
            (store.load(SHARD), store.load(ShardId(0)), store.load(ShardId(9))),
            (session(1000), Checkpoint::default(), Checkpoint::default())
        );
        let writes = metrics.render().unwrap();
        let writes = writes.lines().find_map(|line| line.strip_prefix("gateway_checkpoints_total "));
        // The first of each session is urgent, and so is the end of one.
        assert!(writes.unwrap().parse::<u32>().unwrap() <= 6, "a thousand checkpoints are few writes: {writes:?}");
    }

    /// Tells of each round.
    struct Told(std::sync::mpsc::SyncSender<Vec<ShardCheckpoint>>);

    impl SessionStore for Told {
        fn found(&self) -> Vec<ShardCheckpoint> {
            vec![(SHARD, Checkpoint::default())]
        }

        async fn save_all(&mut self, changes: &[ShardCheckpoint]) -> Result<(), Unsaved> {
            self.0.send(changes.to_vec()).unwrap();
            Ok(())
        }
    }

    #[test]
    fn many_events_a_new_session_and_a_gap_do_not_wait_for_the_interval() {
        let (told, rounds) = std::sync::mpsc::sync_channel(8);
        let metrics = Metrics::new().unwrap();
        let writer = CheckpointWriter::start(Told(told), NEVER, metrics.checkpoints()).unwrap();
        let sender = writer.sender();
        let gap = Gap { session: "b".into(), from: Sequence(1), to: None, reason: GapReason::SessionLost };
        let with_gap = Checkpoint { gaps: vec![gap], ..session(5001) };
        // The first session, its first event, as many events as may be unsaved, a gap.
        for urgent in [session(0), session(1), session(5001), with_gap] {
            sender.save(SHARD, urgent.clone());
            assert_eq!(rounds.recv().unwrap(), [(SHARD, urgent)]);
        }
        drop(writer);
        assert_eq!(rounds.recv().ok(), None, "and all is saved");
    }

    #[test]
    fn a_few_events_wait_for_the_interval() {
        assert!(!is_urgent_change(&session(1), &session(5000), 5001));
        assert!(is_urgent_change(&session(1), &session(5001), 5001));
    }

    #[test]
    fn the_next_run_starts_from_what_was_saved() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new().unwrap();
        let start = || CheckpointWriter::start(open(&directory), NEVER, metrics.checkpoints()).unwrap();
        start().sender().save(SHARD, session(7));
        let writer = start();
        assert_eq!(writer.checkpoint(SHARD), session(7));
        writer.sender().save(SHARD, session(7));
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
        sender.send_replace(session(3));
        // A directory stands where the file belongs.
        std::fs::create_dir(&path).unwrap();
        writer.save_changed().await;
        writer.save_changed().await;
        assert!(writer.failure.is_some() && shows(&metrics, "gateway_checkpoint_failures_total 2"));
        assert!(shows(&metrics, "gateway_checkpoints_unsaved 1"));
        std::fs::remove_dir(&path).unwrap();
        writer.save_changed().await;
        assert!(writer.failure.is_none() && shows(&metrics, "gateway_checkpoints_unsaved 0"));
        assert_eq!(writer.store.load(SHARD), session(3));
    }

    #[tokio::test]
    async fn nothing_new_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new().unwrap();
        let (mut writer, sender) = writer(open(&directory), &metrics);
        writer.save_changed().await;
        sender.send_replace(session(3));
        writer.save_changed().await;
        writer.save_changed().await;
        assert!(shows(&metrics, "gateway_checkpoints_total 1"));
    }

    #[tokio::test]
    async fn another_resume_url_is_saved_at_an_unchanged_watermark() {
        let directory = tempfile::tempdir().unwrap();
        let (mut writer, sender) = writer(open(&directory), &Metrics::new().unwrap());
        let with_url = Session { id: "a".into(), resume_url: Some("wss://dead".into()), sequence: Sequence(3) };
        sender.send_replace(with_url.into());
        writer.save_changed().await;
        sender.send_replace(session(3));
        writer.save_changed().await;
        assert_eq!(writer.store.load(SHARD), session(3));
    }

    /// Saves nothing in the first round: it hangs, or lacks one shard.
    struct FirstFails {
        hangs: Option<oneshot::Sender<()>>,
        lacks: Option<ShardId>,
        saved: std::sync::mpsc::SyncSender<Vec<ShardCheckpoint>>,
    }

    impl SessionStore for FirstFails {
        fn found(&self) -> Vec<ShardCheckpoint> {
            Vec::new()
        }

        async fn save_all(&mut self, changes: &[ShardCheckpoint]) -> Result<(), Unsaved> {
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
        sender.send_replace(session(3));
        let (stop, stopped) = oneshot::channel();
        let stopping = async {
            hung.await.unwrap();
            drop(stop);
        };
        let urgent = Notify::new();
        urgent.notify_one();
        tokio::join!(writer.run(stopped, &urgent), stopping);
        assert_eq!(rounds.iter().collect::<Vec<_>>(), [[(SHARD, session(3))]]);
        assert!(shows(&metrics, "gateway_checkpoints_total 1"));
    }

    #[tokio::test]
    async fn only_the_shards_that_failed_are_saved_again() {
        let metrics = Metrics::new().unwrap();
        let (saved, rounds) = std::sync::mpsc::sync_channel(8);
        let (mut writer, sender) = writer(FirstFails { hangs: None, lacks: Some(SHARD), saved }, &metrics);
        let ((_, other), shard) = watched((ShardId(0), Checkpoint::default()), NEVER);
        let other = other.newest;
        writer.shards.push(shard);
        sender.send_replace(session(3));
        other.send_replace(session(4));
        writer.save_changed().await;
        assert!(
            shows(&metrics, "gateway_checkpoints_unsaved 1") && shows(&metrics, "gateway_checkpoint_failures_total 1")
        );
        writer.save_changed().await;
        writer.save_changed().await;
        drop(writer);
        let rounds: Vec<_> = rounds.iter().collect();
        assert_eq!(rounds, [vec![(SHARD, session(3)), (ShardId(0), session(4))], vec![(SHARD, session(3))]]);
        assert!(shows(&metrics, "gateway_checkpoints_total 2"));
    }
}
