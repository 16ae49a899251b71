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
    assert!(shows(&metrics, "gateway_checkpoints_unsaved 1") && shows(&metrics, "gateway_checkpoint_failures_total 1"));
    writer.save_changed().await;
    writer.save_changed().await;
    drop(writer);
    let rounds: Vec<_> = rounds.iter().collect();
    assert_eq!(rounds, [vec![(SHARD, session(3)), (ShardId(0), session(4))], vec![(SHARD, session(3))]]);
    assert!(shows(&metrics, "gateway_checkpoints_total 2"));
}
