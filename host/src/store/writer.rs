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
mod tests;
