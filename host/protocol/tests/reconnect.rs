//! What follows the end of a connection.

mod peer;

use gateway_protocol::{
    Action, Address, FatalClose, Finish, Input, LossReason, Phase, ReconnectCause, Sequence, Session,
};
use peer::{Peer, cause, seconds, sent, stored_session};

fn identifies_next(peer: &mut Peer) -> bool {
    peer.open().iter().any(|action| matches!(action, Action::RequestIdentify(_)))
}

/// Conformance case 13.
#[test]
fn codes_that_end_the_session_start_a_new_one() {
    for code in [4006, 4007, 4009] {
        let mut peer = Peer::active();
        let actions = peer.close(code);
        let reason = LossReason::Closed(code);
        assert!(matches!(&actions[1], Action::SessionLost { reason: lost, .. } if *lost == reason), "{code}");
        assert!(identifies_next(&mut peer), "{code}");
    }
}

/// Conformance case 13.
#[test]
fn a_session_lost_twice_is_started_twice() {
    let mut peer = Peer::active();
    for code in [4007, 4009] {
        peer.close(code);
        assert!(identifies_next(&mut peer));
        peer.input(Input::IdentifyGranted);
        peer.ready(1);
    }
    assert_eq!((peer.times_of(2).len(), peer.times_of(6).len()), (3, 0));
}

/// Conformance cases 14 and 16.
#[test]
fn codes_that_keep_the_session_resume_it() {
    let codes = [
        None,
        Some(1000),
        Some(1001),
        Some(1006),
        Some(1011),
        Some(4000),
        Some(4001),
        Some(4002),
        Some(4003),
        Some(4005),
        Some(4008),
        Some(4015),
        Some(4999),
    ];
    for code in codes {
        let mut peer = Peer::active();
        peer.event(2);
        let actions = peer.input(Input::Closed(code));
        assert_eq!(actions, [Action::Unready, Action::Reconnecting(ReconnectCause::Closed(code))], "{code:?}");
        let resume = r#"{"op":6,"d":{"token":"T0KEN","session_id":"fresh","seq":2}}"#;
        assert_eq!(sent(&peer.open()), [resume], "{code:?}");
    }
}

#[test]
fn doubtful_codes_give_the_session_one_more_try() {
    for code in [1000, 4003, 4005, 4999] {
        let mut peer = Peer::active();
        peer.close(code);
        peer.open();
        assert_eq!(peer.shard.phase(), Phase::Resuming);
        let actions = peer.input(Input::Closed(None));
        assert!(matches!(actions[0], Action::SessionLost { reason: LossReason::ResumeFailed, .. }), "{code}");
        assert!(identifies_next(&mut peer));

        let mut peer = Peer::resuming();
        let actions = peer.close(code);
        assert!(matches!(actions[0], Action::SessionLost { .. }), "{code}");
    }
}

#[test]
fn a_successful_resume_makes_good_for_a_doubtful_code() {
    let mut peer = Peer::active();
    peer.close(1000);
    peer.open();
    peer.resumed("2");
    peer.close(4000);
    peer.open();
    peer.input(Input::Closed(None));
    assert!(peer.shard.session().is_some());
}

/// Conformance case 15.
#[test]
fn fatal_codes_end_the_shard() {
    for fatal in FatalClose::ALL {
        let mut peer = Peer::active();
        let actions = peer.close(fatal.code());
        assert_eq!(actions.last(), Some(&Action::Finished(Finish::Fatal(fatal))));
        assert_eq!((peer.shard.phase(), peer.shard.poll_timeout()), (Phase::Finished, None));
        assert_eq!(peer.advance(seconds(60.0)), []);
    }
}

/// Conformance case 18.
#[test]
fn a_dead_resume_url_falls_back_to_the_base_address() {
    let mut peer = Peer::start(Some(stored_session()));
    assert!(matches!(peer.next_connect().0, Address::Resume(_)));
    let actions = peer.input(Input::ConnectFailed);
    assert_eq!(cause(&actions), Some(ReconnectCause::ConnectFailed));
    let (address, delay) = peer.next_connect();
    assert_eq!(address, Address::Base);
    assert!(delay <= seconds(1.0));
    assert!(sent(&peer.open())[0].starts_with(r#"{"op":6"#), "the session is still tried");
}

#[test]
fn a_dead_resume_url_is_forgotten_when_the_session_was_resumed_without_it() {
    let mut peer = Peer::start(Some(stored_session()));
    peer.input(Input::ConnectFailed);
    peer.open();
    // Until then it may come back.
    peer.input(Input::Closed(None));
    assert_eq!(peer.shard.session(), Some(&stored_session()));
    peer.open();
    peer.event(101);
    let actions = peer.resumed("102");
    let moved = Session { resume_url: None, sequence: Sequence(102), ..stored_session() };
    let dispatch = Action::Dispatch { sequence: Some(Sequence(102)) };
    assert_eq!(actions, [Action::SessionResumed, dispatch, Action::SessionMoved(moved.clone()), Action::Ready]);
    assert_eq!(peer.shard.session(), Some(&moved));
    peer.close(4000);
    assert_eq!(peer.next_connect().0, Address::Base);
    peer.open();
    assert!(!peer.resumed("null").iter().any(|action| matches!(action, Action::SessionMoved(_))), "it is told once");
}

#[test]
fn a_resume_url_that_works_in_the_end_is_kept() {
    let mut peer = Peer::start(Some(stored_session()));
    // Its own, the base, its own again.
    peer.input(Input::ConnectFailed);
    peer.next_connect();
    peer.input(Input::ConnectFailed);
    peer.open();
    peer.resumed("null");
    assert_eq!(peer.shard.session(), Some(&stored_session()));
}

/// The driver's timeout for connecting, 10 s, comes before it.
#[test]
fn a_resume_host_that_accepts_and_stalls_costs_25_seconds_at_most() {
    let mut peer = Peer::start(Some(stored_session()));
    let start = peer.now;
    peer.advance(seconds(10.0));
    peer.input(Input::Connected);
    peer.advance(seconds(15.0));
    assert_eq!(peer.next_connect().0, Address::Base);
    assert!(peer.now - start <= seconds(26.0));
}

#[test]
fn a_resume_url_without_hello_falls_back_to_the_base_address() {
    let mut peer = Peer::start(Some(stored_session()));
    peer.input(Input::Connected);
    assert_eq!(cause(&peer.advance(seconds(15.0))), Some(ReconnectCause::HelloTimeout));
    assert_eq!(peer.next_connect().0, Address::Base);
}

#[test]
fn in_an_outage_both_addresses_take_turns() {
    let mut peer = Peer::start(Some(stored_session()));
    for turn in 0..20 {
        let (address, _) = peer.next_connect();
        assert_eq!(matches!(address, Address::Resume(_)), turn % 2 == 0);
        peer.input(Input::ConnectFailed);
        assert_eq!(peer.shard.failed_connects(), turn + 1);
    }
    assert_eq!(peer.shard.session(), Some(&stored_session()));
    peer.open();
    assert_eq!(peer.shard.failed_connects(), 0);
}

/// Conformance case 19.
#[test]
fn a_resume_that_never_works_is_given_up() {
    for seed in 0..50 {
        let mut peer = Peer::start_seeded(Some(stored_session()), seed);
        let start = peer.now;
        while peer.shard.session().is_some() {
            peer.open();
            peer.advance(seconds(2.0));
            peer.input(Input::Closed(None));
        }
        let tries = peer.times_of(6).len();
        assert!((3..=10).contains(&tries), "{tries} tries");
        assert!(peer.now - start <= seconds(200.0), "{:?}", peer.now - start);
        assert!(identifies_next(&mut peer));
        peer.input(Input::IdentifyGranted);
        peer.ready(1);
        assert_eq!(peer.times_of(2).len(), 1);
    }
}

#[test]
fn a_resume_that_makes_progress_is_not_given_up() {
    let mut peer = Peer::start(Some(stored_session()));
    for sequence in 101..150 {
        peer.open();
        peer.event(sequence);
        peer.input(Input::Closed(None));
    }
    assert_eq!(peer.sequence(), Some(149));
}

#[test]
fn an_event_that_is_never_decodable_ends_the_session_instead_of_the_shard() {
    let mut peer = Peer::active();
    let mut tries = 0;
    while peer.times_of(2).len() < 2 {
        peer.input(Input::Undecodable);
        if identifies_next(&mut peer) {
            peer.input(Input::IdentifyGranted);
        }
        tries += 1;
        assert!(tries < 20);
    }
}

/// Conformance case 25.
#[test]
fn delays_grow_with_jitter_up_to_a_minute() {
    let delays: Vec<Vec<_>> = (0..20)
        .map(|seed| {
            let mut peer = Peer::start_seeded(None, seed);
            let delay = |_| {
                peer.input(Input::ConnectFailed);
                peer.next_connect().1
            };
            (0..30).map(delay).collect()
        })
        .collect();
    let mean = |failure: usize| delays.iter().map(|shard| shard[failure].as_secs_f64()).sum::<f64>() / 20.0;
    assert!(delays.iter().flatten().all(|delay| *delay <= seconds(60.0)));
    assert!(mean(0) < 1.0 && mean(3) > mean(0) && mean(20) > 15.0);
    assert!(delays.iter().any(|shard| shard[5] != delays[0][5]), "shards come back at different times");
}

#[test]
fn a_connection_that_worked_starts_the_delays_over() {
    let mut peer = Peer::active();
    for _ in 0..10 {
        peer.close(4000);
        peer.open();
        peer.resumed("null");
    }
    peer.advance_with(seconds(60.0), |peer| {
        peer.acknowledge();
    });
    peer.close(4000);
    assert!(peer.next_connect().1 <= seconds(1.0));
}
