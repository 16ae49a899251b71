//! A shard whose heartbeats are answered and that hears nothing.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod peer;

use gateway_protocol::{Action, IdentifyReason, Input, LossReason, Phase, ReconnectCause};
use peer::{HEARTBEAT_INTERVAL, KEEP_SESSION, Peer, SILENCE, cause, seconds};

const DEAF: Action = Action::Reconnecting(ReconnectCause::Deaf);

/// A shard among others, or alone, to which events have come for a while.
fn hearing(siblings: Option<u64>) -> Peer {
    let mut peer = Peer::start_listening(None, 1).made_active();
    peer.siblings = siblings;
    hears_for(&mut peer, 15);
    assert_eq!(peer.shard.phase(), Phase::Active);
    peer
}

/// Events come, to the siblings as well.
fn hears_for(peer: &mut Peer, beats: u64) {
    for _ in 0..beats {
        let next = peer.sequence().unwrap() + 1;
        (next..next + 100).for_each(|sequence| drop(peer.event(sequence)));
        flow(peer, HEARTBEAT_INTERVAL.as_secs_f64(), 100);
    }
}

/// Lets time pass in which only heartbeats are answered, and the siblings hear something between any two of them.
fn flow(peer: &mut Peer, time: f64, siblings: u64) -> Vec<Action> {
    peer.advance_with(seconds(time), |peer| {
        peer.siblings = peer.siblings.map(|heard| heard + siblings);
        if peer.shard.phase() != Phase::Waiting {
            peer.acknowledge();
        }
    })
}

/// Until the shard reconnects, which it must within that time.
fn reconnects_within(peer: &mut Peer, time: f64, siblings: u64) -> Vec<Action> {
    let end = peer.now + seconds(time);
    while peer.shard.phase() == Phase::Active && peer.now < end {
        peer.siblings = peer.siblings.map(|heard| heard + siblings);
        let actions = peer.step();
        if cause(&actions).is_some() {
            return actions;
        }
        peer.acknowledge();
    }
    panic!("it does not reconnect: {:?}", peer.shard.phase());
}

#[test]
fn a_deaf_shard_resumes_within_two_minutes_and_is_suspected_until_it_hears() {
    let mut peer = hearing(Some(0));
    let start = peer.now;
    let actions = reconnects_within(&mut peer, 125.0, 100);
    assert!(peer.now - start >= SILENCE);
    assert!(actions.ends_with(&[Action::Unready, KEEP_SESSION, DEAF]), "{actions:?}");
    assert!(peer.shard.is_deaf());
    peer.open();
    peer.resumed("null");
    assert!(peer.shard.is_deaf(), "RESUMED alone is nothing heard");
    hears_for(&mut peer, 2);
    assert!(!peer.shard.is_deaf());
}

#[test]
fn events_that_come_again_say_that_it_hears() {
    let mut peer = hearing(Some(0));
    reconnects_within(&mut peer, 125.0, 100);
    peer.open();
    let next = peer.sequence().unwrap() + 1;
    peer.event(next);
    peer.resumed("null");
    assert!(!peer.shard.is_deaf());
}

#[test]
fn a_shard_that_stays_deaf_identifies_anew_once_an_hour() {
    let mut peer = hearing(Some(0));
    reconnects_within(&mut peer, 125.0, 100);
    peer.open();
    peer.resumed("null");
    let actions = reconnects_within(&mut peer, 125.0, 100);
    let lost = |action: &Action| matches!(action, Action::SessionLost { reason: LossReason::Deaf, .. });
    assert!(actions.iter().any(lost) && actions.ends_with(&[DEAF]), "{actions:?}");
    assert!(
        peer.open().contains(&Action::RequestIdentify(IdentifyReason::Lost(LossReason::Deaf))),
        "through the queue"
    );
    peer.input(Input::IdentifyGranted);
    peer.ready(1);
    assert!(peer.shard.is_deaf());
    assert_eq!(cause(&flow(&mut peer, 3400.0, 100)), None);
    reconnects_within(&mut peer, 400.0, 100);
    assert_eq!(peer.shard.session(), None);
}

#[test]
fn when_nobody_hears_anything_nothing_is_done() {
    let mut peer = hearing(Some(0));
    assert_eq!(cause(&flow(&mut peer, 86_400.0, 0)), None);
    assert!(!peer.shard.is_deaf());
}

#[test]
fn a_shard_alone_resumes_once_and_keeps_its_session() {
    let mut peer = hearing(None);
    reconnects_within(&mut peer, 125.0, 0);
    peer.open();
    peer.resumed("null");
    assert_eq!(cause(&flow(&mut peer, 86_400.0, 0)), None);
    assert!(!peer.shard.is_deaf() && peer.shard.session().is_some());
}

#[test]
fn what_is_not_read_is_no_silence() {
    let mut peer = hearing(Some(0));
    peer.input(Input::ReadingPaused);
    let actions = peer.advance_with(seconds(3600.0), |peer| {
        peer.siblings = peer.siblings.map(|heard| heard + 100);
    });
    assert_eq!(cause(&actions), Some(ReconnectCause::Backpressure));
    assert!(!peer.shard.is_deaf());
    peer.input(Input::ReadingResumed);
    peer.open();
    peer.resumed("null");
    assert_eq!(cause(&flow(&mut peer, 59.0, 100)), None, "it begins to count now");
}

#[test]
fn a_bot_to_which_little_happens_is_never_suspected() {
    let mut peer = Peer::start_listening(None, 1).made_active();
    peer.siblings = Some(0);
    for sequence in 2..200 {
        peer.event(sequence);
        assert_eq!(cause(&flow(&mut peer, 90.0, 1000)), None);
    }
    assert_eq!(cause(&flow(&mut peer, 86_400.0, 1000)), None);
}
