//! Heartbeats and what their answers prove.

mod peer;

use std::time::Duration;

use gateway_protocol::{Action, Address, IdentifyReason, Input, Phase, ReconnectCause};
use peer::{HEARTBEAT_INTERVAL, KEEP_SESSION, Peer, cause, seconds, sent};

/// Conformance case 1.
#[test]
fn the_first_beat_is_spread_over_the_interval() {
    let delays: Vec<_> = (0..100)
        .map(|seed| {
            let mut peer = Peer::start_seeded(None, seed);
            peer.open();
            let start = peer.now;
            assert_eq!(sent(&peer.step()), [r#"{"op":1,"d":null}"#]);
            peer.now - start
        })
        .collect();
    assert!(delays.iter().all(|delay| *delay < HEARTBEAT_INTERVAL));
    for quarter in 0..4 {
        let range = HEARTBEAT_INTERVAL / 4 * quarter..HEARTBEAT_INTERVAL / 4 * (quarter + 1);
        let share = delays.iter().filter(|delay| range.contains(delay)).count();
        assert!((10..=45).contains(&share), "{share} of 100 in quarter {quarter}");
    }
}

/// Conformance case 1.
#[test]
fn later_beats_come_every_interval_with_the_last_sequence() {
    let mut peer = Peer::active();
    peer.step();
    for sequence in 2..20 {
        peer.acknowledge();
        peer.event(sequence);
        let before = peer.now;
        assert_eq!(sent(&peer.step()), [format!(r#"{{"op":1,"d":{sequence}}}"#)]);
        assert_eq!(peer.now - before, HEARTBEAT_INTERVAL);
    }
}

/// Conformance case 7.
#[test]
fn after_ready_beats_carry_its_sequence() {
    let mut peer = Peer::active();
    let session = peer.shard.session().unwrap();
    assert_eq!((session.id.as_str(), session.resume_url.as_deref()), ("fresh", Some("wss://resume.example")));
    assert_eq!(peer.sequence(), Some(1));
    assert_eq!(sent(&peer.step()), [r#"{"op":1,"d":1}"#]);
}

/// Conformance case 2.
#[test]
fn a_requested_beat_is_sent_at_once_and_is_no_zombie() {
    let mut peer = Peer::active();
    peer.step();
    peer.advance(seconds(10.0));
    peer.event(2);
    let actions = peer.receive(r#"{"op":1,"d":null}"#);
    assert_eq!(actions.len(), 1);
    assert_eq!(sent(&actions), [r#"{"op":1,"d":2}"#]);
    let before = peer.now;
    assert_eq!(sent(&peer.step()), [r#"{"op":1,"d":2}"#]);
    assert_eq!(peer.now - before, HEARTBEAT_INTERVAL - seconds(10.0));
}

#[test]
fn a_flood_of_requests_does_not_use_up_the_limit() {
    let mut peer = Peer::active();
    for _ in 0..1000 {
        peer.receive(r#"{"op":1,"d":null}"#);
    }
    assert!(peer.times_of(1).len() < 118);
    assert_eq!(sent(&peer.step()).len(), 1, "the timed beat is not starved");
}

/// Conformance case 3.
#[test]
fn silence_after_a_beat_is_a_zombie_and_is_resumed() {
    let mut peer = Peer::active();
    peer.step();
    let beat = peer.now;
    let actions = peer.step();
    assert_eq!(peer.now - beat, HEARTBEAT_INTERVAL);
    assert_eq!(actions[..2], [Action::Unready, KEEP_SESSION]);
    assert_eq!(cause(&actions), Some(ReconnectCause::Zombie));
    assert_eq!(peer.next_connect().0, Address::Resume("wss://resume.example".to_owned()));
    peer.input(Input::Connected);
    assert_eq!(sent(&peer.hello()), [r#"{"op":6,"d":{"token":"T0KEN","session_id":"fresh","seq":1}}"#]);
}

/// Conformance case 4.
#[test]
fn events_prove_life_while_the_acknowledgement_is_late() {
    let mut peer = Peer::active();
    peer.step();
    for sequence in 2..=121 {
        assert_eq!(cause(&peer.advance(seconds(0.5))), None);
        peer.event(sequence);
    }
    assert!(peer.acknowledge().iter().any(|action| matches!(action, Action::HeartbeatAcknowledged(_))));
    assert_eq!(peer.shard.phase(), Phase::Active);
}

/// Conformance case 5.
#[test]
fn heartbeats_run_while_the_permit_is_awaited() {
    let mut peer = Peer::start(None);
    assert_eq!(peer.open(), [Action::RequestIdentify(IdentifyReason::Start)]);
    let actions = peer.advance_with(seconds(180.0), |peer| {
        peer.acknowledge();
    });
    assert!(sent(&actions).len() >= 4);
    assert!(sent(&actions).iter().all(|text| *text == r#"{"op":1,"d":null}"#));
    assert_eq!(peer.shard.phase(), Phase::AwaitingPermit);
}

#[test]
fn latency_is_measured_from_the_beat() {
    let mut peer = Peer::active();
    peer.step();
    peer.advance(seconds(0.25));
    assert_eq!(peer.acknowledge(), [Action::HeartbeatAcknowledged(seconds(0.25))]);
}

#[test]
fn paused_reading_is_no_zombie_and_heartbeats_go_on() {
    let mut peer = Peer::start_patient(None, 1, None).made_active();
    peer.step();
    peer.input(Input::ReadingPaused);
    let actions = peer.advance(seconds(600.0));
    assert_eq!((sent(&actions).len(), cause(&actions)), (14, None));
    peer.input(Input::ReadingResumed);
    assert_eq!(sent(&peer.step()).len(), 1);
    assert_eq!(cause(&peer.step()), Some(ReconnectCause::Zombie), "silence counts again");
}

#[test]
fn paused_reading_puts_the_hello_timeout_off() {
    let mut peer = Peer::start_patient(None, 1, None);
    peer.input(Input::ReadingPaused);
    peer.input(Input::Connected);
    assert_eq!(cause(&peer.advance(seconds(600.0))), None);
    peer.input(Input::ReadingResumed);
    assert_eq!(cause(&peer.advance(seconds(14.0))), None);
    assert_eq!(cause(&peer.advance(seconds(2.0))), Some(ReconnectCause::HelloTimeout));
}

#[test]
fn a_senseless_interval_is_mended() {
    for interval in ["0", "null", "-5", "1e99", "18446744073709551615", "\"x\""] {
        let mut peer = Peer::start(None);
        peer.next_connect();
        peer.input(Input::Connected);
        peer.receive(&format!(r#"{{"op":10,"d":{{"heartbeat_interval":{interval}}}}}"#));
        peer.step();
        peer.acknowledge();
        let before = peer.now;
        peer.step();
        assert!((seconds(1.0)..=Duration::from_secs(300)).contains(&(peer.now - before)), "{interval}");
    }
}
