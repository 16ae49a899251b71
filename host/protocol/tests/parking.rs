//! What a shard does when nothing is read for long.

mod peer;

use gateway_protocol::{Action, Address, Finish, Input, Phase, ReconnectCause};
use peer::{KEEP_SESSION, PATIENCE, Peer, cause, commands, seconds, sent, stored_session};

const BACKPRESSURE: Action = Action::Reconnecting(ReconnectCause::Backpressure);

fn parked() -> Peer {
    let mut peer = Peer::active();
    peer.event(2);
    peer.input(Input::ReadingPaused);
    let actions = peer.advance(PATIENCE);
    assert!(actions.ends_with(&[Action::Unready, KEEP_SESSION, BACKPRESSURE]), "{actions:?}");
    assert_eq!(peer.shard.phase(), Phase::Parked);
    peer
}

#[test]
fn a_connection_that_nobody_reads_is_given_up_and_resumed_when_reading_goes_on() {
    let mut peer = parked();
    assert_eq!((peer.advance(seconds(36_000.0)), peer.shard.poll_timeout()), (vec![], None), "it waits");
    assert_eq!(peer.input(Input::ReadingResumed), []);
    let (address, delay) = peer.next_connect();
    assert_eq!(address, Address::Resume("wss://resume.example".to_owned()));
    assert!(delay <= seconds(2.0), "{delay:?}");
    assert_eq!(sent(&peer.open()), [r#"{"op":6,"d":{"token":"T0KEN","session_id":"fresh","seq":2}}"#]);
    peer.resumed("3");
    assert_eq!(peer.shard.phase(), Phase::Active);
}

#[test]
fn a_short_pause_ends_nothing() {
    let mut peer = Peer::active();
    for _ in 0..10 {
        peer.input(Input::ReadingPaused);
        assert_eq!(cause(&peer.advance(PATIENCE / 2)), None);
        peer.input(Input::ReadingResumed);
        peer.acknowledge();
    }
    assert_eq!(peer.shard.phase(), Phase::Active);
}

#[test]
fn a_fleet_does_not_come_back_in_one_instant() {
    let delay = |seed| {
        let mut peer = Peer::active_seeded(seed);
        peer.input(Input::ReadingPaused);
        peer.advance(PATIENCE);
        peer.input(Input::ReadingResumed);
        peer.next_connect().1
    };
    let delays: Vec<_> = (0..100).map(delay).collect();
    let within =
        |from: f64, to: f64| delays.iter().filter(|delay| (seconds(from)..seconds(to)).contains(*delay)).count();
    assert!(within(0.0, 1.0) > 25 && within(1.0, 2.0) > 25, "{delays:?}");
}

#[test]
fn a_connection_that_is_lost_while_nothing_is_read_is_made_again_when_reading_goes_on() {
    let losses: [fn(&mut Peer) -> Vec<Action>; 4] = [
        |peer| peer.close(4000),
        |peer| peer.input(Input::Undecodable),
        |peer| peer.reconnect(),
        |peer| peer.invalid_session(true),
    ];
    for lose in losses {
        let mut peer = Peer::active();
        peer.input(Input::ReadingPaused);
        assert!(cause(&lose(&mut peer)).is_some());
        assert_eq!((peer.shard.phase(), peer.shard.poll_timeout()), (Phase::Parked, None));
        peer.advance(seconds(600.0));
        peer.input(Input::ReadingResumed);
        assert!(peer.next_connect().1 <= seconds(2.0));
        peer.open();
        assert_eq!(peer.shard.phase(), Phase::Resuming);
    }
}

#[test]
fn a_connection_that_fails_or_is_due_while_nothing_is_read_waits() {
    let mut peer = Peer::start(Some(stored_session()));
    peer.input(Input::ReadingPaused);
    peer.input(Input::ConnectFailed);
    assert_eq!(peer.shard.phase(), Phase::Parked);

    let mut peer = Peer::active();
    peer.close(4000);
    peer.input(Input::ReadingPaused);
    assert_eq!(peer.advance(seconds(60.0)), []);
    assert_eq!(peer.shard.phase(), Phase::Parked);
    peer.input(Input::ReadingResumed);
    assert!(peer.next_connect().1 <= seconds(2.0));
}

/// Discord wants a random wait of one to five seconds.
#[test]
fn the_wait_after_an_invalid_session_is_kept() {
    let mut peer = Peer::active();
    peer.input(Input::ReadingPaused);
    peer.invalid_session(false);
    assert_eq!(peer.shard.phase(), Phase::Parked);
    peer.input(Input::ReadingResumed);
    assert!(peer.next_connect().1 >= seconds(1.0));
}

#[test]
fn a_connection_that_is_being_made_is_given_up_too_and_its_address_is_not_blamed() {
    for is_open in [false, true] {
        let mut peer = Peer::start(Some(stored_session()));
        peer.input(Input::ReadingPaused);
        if is_open {
            peer.input(Input::Connected);
        }
        assert_eq!(peer.advance(PATIENCE), [KEEP_SESSION, BACKPRESSURE]);
        assert_eq!(peer.shard.failed_connects(), 0);
        peer.input(Input::ReadingResumed);
        assert!(matches!(peer.next_connect().0, Address::Resume(_)));
    }
}

#[test]
fn a_shard_that_waits_for_its_permit_gives_its_place_back_but_never_an_identify() {
    let mut peer = Peer::start(None);
    peer.open();
    peer.input(Input::ReadingPaused);
    assert!(peer.advance(PATIENCE).contains(&Action::CancelIdentify));

    let mut peer = Peer::start(None);
    peer.open();
    peer.input(Input::ReadingPaused);
    peer.input(Input::IdentifyGranted);
    peer.advance(PATIENCE * 100);
    assert_eq!(peer.shard.phase(), Phase::Identifying, "its READY waits unread");
    peer.input(Input::ReadingResumed);
    peer.ready(1);
    assert_eq!(peer.shard.phase(), Phase::Active);
}

#[test]
fn parking_is_no_failure() {
    let mut peer = Peer::resuming();
    // Far more often, and far longer, than a resume is tried.
    for _ in 0..30 {
        peer.input(Input::ReadingPaused);
        peer.advance(seconds(600.0));
        assert_eq!(peer.shard.phase(), Phase::Parked);
        peer.input(Input::ReadingResumed);
        assert!(peer.next_connect().1 <= seconds(2.0));
        peer.open();
        assert_eq!(peer.shard.phase(), Phase::Resuming);
    }
    peer.input(Input::Closed(None));
    assert!(peer.next_connect().1 <= seconds(1.0), "the first failure");
}

#[test]
fn time_without_a_connection_does_not_count_against_a_session() {
    let mut peer = Peer::resuming();
    peer.input(Input::Closed(None));
    peer.open();
    peer.input(Input::ReadingPaused);
    peer.advance(seconds(3600.0));
    peer.input(Input::ReadingResumed);
    peer.open();
    peer.input(Input::Closed(None));
    assert_eq!(peer.shard.session(), Some(&stored_session()));
}

#[test]
fn commands_wait_and_are_sent_behind_the_resume() {
    let mut peer = parked();
    assert!(commands(&peer.command(7)).is_empty());
    peer.input(Input::ReadingResumed);
    peer.open();
    assert_eq!(commands(&peer.resumed("null")), [7]);
}

#[test]
fn a_parked_shard_stops_at_once() {
    let mut peer = parked();
    peer.command(7);
    let session = peer.shard.session().cloned();
    let ends = [Action::CommandRefused(7), Action::Finished(Finish::Stopped { session })];
    assert_eq!(peer.input(Input::Stop), ends);
    assert_eq!(peer.input(Input::ReadingResumed), []);
    assert_eq!(peer.shard.phase(), Phase::Finished);
}
