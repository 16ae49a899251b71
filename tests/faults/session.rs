//! What Discord does to sessions.

use std::time::Duration;

use gateway_simulator::{Answer, Entry, FaultKind, Happening};
use gateway_tests::PATIENCE;
use tokio::time::{sleep, timeout};

use crate::scene::{POLL, SHARDS, Scene};
use crate::sink::Sink;

#[tokio::test]
async fn a_storm_of_op_7_loses_and_repeats_nothing() {
    let mut scene = Scene::start("op 7 storm", Sink::Stdout).await;
    for _ in 0..8 {
        let position = scene.control.position();
        scene.control.fault(FaultKind::Reconnect);
        // The next one comes at times before the shards are back.
        if scene.random.bool() {
            resumed(&scene, position).await;
        }
        scene.moment(Duration::from_millis(200)).await;
    }
    scene.finish().await;
}

#[tokio::test]
async fn connections_that_end_in_any_way_lose_and_repeat_nothing() {
    let mut scene = Scene::start("ends of connections", Sink::Stdout).await;
    let close = FaultKind::Close { code: 4000, reason: "a test".into() };
    let kept = FaultKind::InvalidSession { resumable: true };
    for fault in [FaultKind::Drop, FaultKind::Reset, close, FaultKind::CloseWithoutCode, kept] {
        let position = scene.control.position();
        scene.control.fault(fault);
        resumed(&scene, position).await;
        scene.moment(Duration::from_millis(200)).await;
    }
    scene.finish().await;
}

#[tokio::test]
async fn an_invalid_session_loses_only_what_discord_had_not_sent_and_says_which() {
    let mut scene = Scene::start("invalid sessions", Sink::Stdout).await;
    // Op 9 comes behind all that the session still had: nothing is lost.
    let position = scene.control.position();
    scene.control.fault(FaultKind::InvalidSession { resumable: false });
    all(&scene, position, |happening| matches!(happening, Happening::Ready { .. })).await;
    assert_eq!(forgive(&mut scene, 1).await, 0, "op 9 on an open connection");
    scene.events_arrive(20).await;

    // What was sent while nobody was connected goes with the session.
    let position = scene.control.position();
    let answer = FaultKind::AnswerResume(Answer::InvalidSession { resumable: false });
    scene.control.fault(answer.times(SHARDS));
    scene.control.fault(FaultKind::Drop);
    all(&scene, position, |happening| matches!(happening, Happening::Ready { .. })).await;
    forgive(&mut scene, 2).await;
    scene.events_arrive(20).await;
    scene.finish().await;
}

/// Waits until the log says of each shard that it has lost so many sessions, and takes it at its word: what each of them held
/// behind the event that the log names need not come. Answers with how many events of the last of each that is.
async fn forgive(scene: &mut Scene, times: usize) -> usize {
    let mut lost = 0;
    for shard in 0..SHARDS {
        let first = timeout(PATIENCE, lost_from(scene, shard, times)).await;
        let last = first.unwrap_or_else(|_| panic!("no loss is told:\n{}", scene.gateway.log())) - 1;
        let sent = scene.sent(shard);
        let mut sessions: Vec<&str> = sent.iter().map(|sent| sent.session.as_str()).collect();
        sessions.dedup();
        let session = sessions[times - 1];
        let is_lost = |sent: &gateway_simulator::Sent| sent.session == session && sent.sequence > last;
        let numbers: Vec<u64> = (0..).zip(&sent).filter(|(_, sent)| is_lost(sent)).map(|(number, _)| number).collect();
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
            scene.audit.forgive(shard, *first..last + 1);
        }
        lost += numbers.len();
    }
    lost
}

/// The first lost event that the log names when it has told of so many lost sessions of the shard.
async fn lost_from(scene: &Scene, shard: u32, times: usize) -> u64 {
    let begin = format!("shard {shard}: the session is lost");
    loop {
        let log = scene.gateway.log();
        let reports: Vec<&str> = log.lines().filter(|line| line.contains(&begin)).collect();
        if reports.len() == times {
            let (_, from) = reports[times - 1].split_once(" from ").unwrap();
            return from.split(' ').next().unwrap().parse().unwrap();
        }
        sleep(POLL).await;
    }
}

async fn resumed(scene: &Scene, position: u64) {
    all(scene, position, |happening| matches!(happening, Happening::Resumed { .. })).await;
}

/// Waits until something has happened to every shard.
async fn all(scene: &Scene, position: u64, is: impl Fn(&Happening) -> bool) {
    for shard in 0..SHARDS {
        let matches = |entry: &Entry| entry.shard == Some(shard) && is(&entry.happening);
        let found = scene.control.wait_for_after(position, matches).await;
        found.unwrap_or_else(|error| panic!("{error}\n{}", scene.gateway.log()));
    }
}
