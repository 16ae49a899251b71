//! What a shard remembers when its driver has crashed.

mod peer;

use gateway_protocol::{Action, Input, Phase};
use peer::{Peer, seconds, sent, stored_session};

#[test]
fn it_resumes_what_it_is_given() {
    let mut peer = Peer::active();
    peer.event(2);
    peer.command(7);
    peer.shard.start_over(Some(stored_session()));
    assert_eq!((peer.shard.phase(), peer.shard.poll_timeout()), (Phase::Idle, None));
    let actions = peer.input(Input::Start);
    assert!(
        matches!(&actions[..], [Action::SessionStarted(session), Action::Connect(_)] if *session == stored_session())
    );
    assert_eq!(sent(&peer.open()), [r#"{"op":6,"d":{"token":"T0KEN","session_id":"stored","seq":100}}"#]);
    assert_eq!(sent(&peer.resumed("101")), [""; 0], "commands went with the connection");
}

#[test]
fn crashes_do_not_use_session_starts_up() {
    let mut peer = Peer::start(None);
    let start = peer.now;
    for _ in 0..10 {
        peer.open();
        peer.input(Input::IdentifyGranted);
        assert_eq!(peer.shard.phase(), Phase::Identifying);
        peer.shard.start_over(None);
        peer.input(Input::Start);
    }
    assert_eq!(peer.times_of(2).len(), 10);
    assert!(peer.now - start > seconds(600.0), "the pace of its identifies is kept");
}

#[test]
fn a_pause_of_before_is_over() {
    let mut peer = Peer::active();
    peer.input(Input::ReadingPaused);
    peer.shard.start_over(Some(stored_session()));
    assert!(matches!(peer.input(Input::Start)[..], [_, Action::Connect(_)]));
}
