//! How sessions begin, go on and end.

mod peer;

use gateway_protocol::{
    Action, Address, DropReason, Finish, IdentifyReason, Input, LossReason, Phase, ReconnectCause, Sequence, Session,
};
use peer::{KEEP_SESSION, Peer, cause, commands, dispatched, seconds, sent, stored_session};

#[test]
fn a_new_session_is_announced_before_its_ready() {
    let mut peer = Peer::start(None);
    assert_eq!(peer.next_connect().0, Address::Base);
    assert_eq!(peer.input(Input::Connected), []);
    assert_eq!(peer.hello(), [Action::RequestIdentify(IdentifyReason::Start)]);
    let actions = peer.input(Input::IdentifyGranted);
    assert!(sent(&actions)[0].starts_with(r#"{"op":2,"d":{"token":"T0KEN""#));
    let session =
        Session { id: "fresh".to_owned(), resume_url: Some("wss://resume.example".to_owned()), sequence: Sequence(0) };
    assert_eq!(
        peer.ready(1),
        [Action::SessionStarted(session), Action::Dispatch { sequence: Some(Sequence(1)) }, Action::Ready]
    );
}

#[test]
fn a_stored_session_is_announced_and_resumed() {
    let mut peer = Peer::start(Some(stored_session()));
    assert_eq!(peer.log[0].1, Action::SessionStarted(stored_session()));
    assert_eq!(peer.next_connect().0, Address::Resume("wss://resume.example".to_owned()));
    assert_eq!(sent(&peer.open()), [r#"{"op":6,"d":{"token":"T0KEN","session_id":"stored","seq":100}}"#]);
    peer.event(101);
    assert_eq!(
        peer.resumed("102"),
        [Action::SessionResumed, Action::Dispatch { sequence: Some(Sequence(102)) }, Action::Ready]
    );
}

/// Conformance case 17.
#[test]
fn a_replay_is_delivered_once_in_order_and_commands_wait_for_its_end() {
    let mut peer = Peer::resuming();
    assert_eq!(peer.command(1), []);
    let mut sequences = Vec::new();
    for sequence in 101..=600 {
        let actions = peer.event(sequence);
        assert_eq!(commands(&actions), [0; 0]);
        sequences.extend(dispatched(&actions));
    }
    for repeated in [600, 101, 350] {
        assert_eq!(
            peer.event(repeated),
            [Action::Dropped { sequence: Some(Sequence(repeated)), reason: DropReason::Duplicate }]
        );
    }
    assert_eq!(sequences, (101..=600).map(Some).collect::<Vec<_>>());
    let actions = peer.resumed("601");
    assert_eq!((commands(&actions), peer.sequence()), (vec![1], Some(601)));
}

#[test]
fn a_resumed_without_a_number_changes_no_sequence() {
    let mut peer = Peer::resuming();
    assert_eq!(dispatched(&peer.resumed("null")), [None]);
    assert_eq!((peer.sequence(), peer.shard.phase()), (Some(100), Phase::Active));
}

#[test]
fn a_resumed_that_came_before_still_ends_the_replay() {
    let mut peer = Peer::resuming();
    assert_eq!(dispatched(&peer.resumed("100")), []);
    assert_eq!((peer.sequence(), peer.shard.phase()), (Some(100), Phase::Active));
}

#[test]
fn a_gap_is_reported_and_nothing_else() {
    let mut peer = Peer::active();
    assert_eq!(
        peer.event(5),
        [Action::SequenceGap { from: Sequence(1), to: Sequence(5) }, Action::Dispatch { sequence: Some(Sequence(5)) }]
    );
}

#[test]
fn events_that_cannot_be_forwarded_are_counted() {
    let mut peer = Peer::active();
    let nameless = Action::Dropped { sequence: Some(Sequence(2)), reason: DropReason::Nameless };
    assert_eq!(peer.receive(r#"{"op":0,"s":2,"t":null,"d":{}}"#), [nameless]);
    assert_eq!(peer.sequence(), Some(2));

    let mut peer = Peer::start(None);
    peer.open();
    assert_eq!(peer.event(1), [Action::Dropped { sequence: Some(Sequence(1)), reason: DropReason::NoSession }]);
}

#[test]
fn a_ready_without_a_resume_url_works() {
    let mut peer = Peer::start(None);
    peer.open();
    peer.input(Input::IdentifyGranted);
    peer.receive(r#"{"op":0,"s":1,"t":"READY","d":{"session_id":"x"}}"#);
    peer.close(4000);
    assert_eq!(peer.next_connect().0, Address::Base);
    assert!(sent(&peer.open())[0].contains(r#""session_id":"x""#));
}

#[test]
fn a_ready_without_a_session_is_not_believed() {
    for data in ["{}", r#"{"session_id":""}"#, r#"{"session_id":5}"#, "null"] {
        let mut peer = Peer::start(None);
        peer.open();
        peer.input(Input::IdentifyGranted);
        let actions = peer.receive(&format!(r#"{{"op":0,"s":1,"t":"READY","d":{data}}}"#));
        assert_eq!(cause(&actions), Some(ReconnectCause::UnexpectedPayload), "{data}");
    }
}

#[test]
fn a_ready_in_answer_to_a_resume_replaces_the_session() {
    let mut peer = Peer::resuming();
    let actions = peer.ready(1);
    assert_eq!(actions[0], Action::SessionLost { session: stored_session(), reason: LossReason::Replaced });
    assert!(matches!(&actions[1], Action::SessionStarted(session) if session.id == "fresh"));
    assert_eq!((dispatched(&actions), peer.sequence()), (vec![Some(1)], Some(1)));
}

/// Conformance case 8.
#[test]
fn a_requested_reconnect_resumes_without_a_permit() {
    let mut peer = Peer::active();
    peer.event(2);
    let actions = peer.reconnect();
    assert_eq!(actions, [Action::Unready, KEEP_SESSION, Action::Reconnecting(ReconnectCause::Requested)]);
    let (address, delay) = peer.next_connect();
    assert_eq!(address, Address::Resume("wss://resume.example".to_owned()));
    assert!(delay <= seconds(1.0));
    let actions = peer.open();
    assert_eq!(sent(&actions), [r#"{"op":6,"d":{"token":"T0KEN","session_id":"fresh","seq":2}}"#]);
    assert!(!actions.iter().any(|action| matches!(action, Action::RequestIdentify(_))));
}

/// Conformance case 9.
#[test]
fn a_requested_reconnect_before_hello_identifies_without_a_session() {
    let mut peer = Peer::start(None);
    peer.input(Input::Connected);
    assert_eq!(peer.reconnect(), [KEEP_SESSION, Action::Reconnecting(ReconnectCause::Requested)]);
    assert_eq!(peer.next_connect().0, Address::Base);
    assert_eq!(peer.open(), [Action::RequestIdentify(IdentifyReason::Start)]);
}

#[test]
fn a_requested_reconnect_before_hello_resumes_with_a_session() {
    let mut peer = Peer::start(Some(stored_session()));
    peer.input(Input::Connected);
    peer.reconnect();
    assert!(sent(&peer.open())[0].starts_with(r#"{"op":6"#));
}

/// Conformance case 10.
#[test]
fn an_invalid_session_is_wiped_and_started_anew() {
    let mut peer = Peer::resuming();
    let actions = peer.invalid_session(false);
    let lost = Action::SessionLost { session: stored_session(), reason: LossReason::Invalidated };
    assert_eq!(actions, [KEEP_SESSION, lost, Action::Reconnecting(ReconnectCause::InvalidSession)]);
    assert_eq!(peer.shard.session(), None);
    let (address, delay) = peer.next_connect();
    assert_eq!(address, Address::Base);
    assert!((seconds(1.0)..=seconds(5.0)).contains(&delay), "{delay:?}");
    assert_eq!(peer.open(), [Action::RequestIdentify(IdentifyReason::Lost(LossReason::Invalidated))]);
    assert!(sent(&peer.input(Input::IdentifyGranted))[0].starts_with(r#"{"op":2"#));
}

/// Conformance case 11.
#[test]
fn an_invalid_session_that_is_resumable_is_resumed_again() {
    let mut peer = Peer::resuming();
    let actions = peer.invalid_session(true);
    assert_eq!(actions, [KEEP_SESSION, Action::Reconnecting(ReconnectCause::InvalidSession)]);
    assert!((seconds(1.0)..=seconds(5.0)).contains(&peer.next_connect().1));
    assert_eq!(sent(&peer.open()), [r#"{"op":6,"d":{"token":"T0KEN","session_id":"stored","seq":100}}"#]);
}

#[test]
fn an_active_session_can_be_invalidated() {
    for is_resumable in [true, false] {
        let mut peer = Peer::active();
        let actions = peer.invalid_session(is_resumable);
        assert_eq!(actions[..2], [Action::Unready, KEEP_SESSION]);
        assert_eq!(peer.shard.session().is_some(), is_resumable);
    }
}

/// Conformance case 12.
#[test]
fn a_refused_identify_waits_for_a_new_permit() {
    let mut peer = Peer::start(None);
    let again = std::iter::repeat(IdentifyReason::Retry);
    for reason in std::iter::once(IdentifyReason::Start).chain(again).take(5) {
        assert_eq!(peer.open(), [Action::RequestIdentify(reason)]);
        peer.input(Input::IdentifyGranted);
        peer.invalid_session(false);
        let (_, delay) = peer.next_connect();
        assert!(delay >= seconds(1.0), "{delay:?}");
    }
    let times = peer.times_of(2);
    assert_eq!(times.len(), 5);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= seconds(5.0)));
}

#[test]
fn a_lost_connection_takes_its_request_back() {
    for input in [Input::Closed(None), Input::Undecodable, Input::Stop] {
        let mut peer = Peer::start(None);
        peer.open();
        assert_eq!(peer.input(input)[0], Action::CancelIdentify);
        assert_eq!(peer.input(Input::IdentifyGranted), [], "a permit that comes too late is not used");
    }
}

#[test]
fn an_undecodable_message_is_resumed_from_the_last_good_event() {
    let mut peer = Peer::active();
    peer.event(2);
    let actions = peer.receive(r#"{"t":"X","s":3,"op":0,"d":{"#);
    assert_eq!(actions, [Action::Unready, KEEP_SESSION, Action::Reconnecting(ReconnectCause::Undecodable)]);
    assert!(sent(&peer.open())[0].ends_with(r#""seq":2}}"#));
}

#[test]
fn anything_else_before_hello_is_refused() {
    for text in [r#"{"op":0,"s":1,"t":"READY","d":{"session_id":"x"}}"#, r#"{"op":11}"#, r#"{"op":1}"#, r#"{"op":77}"#]
    {
        let mut peer = Peer::start(Some(stored_session()));
        peer.input(Input::Connected);
        let actions = peer.receive(text);
        assert_eq!(actions, [KEEP_SESSION, Action::Reconnecting(ReconnectCause::UnexpectedPayload)], "{text}");
        assert_eq!(peer.shard.session(), Some(&stored_session()));
    }
}

#[test]
fn unknown_opcodes_and_a_second_hello_are_ignored() {
    let mut peer = Peer::active();
    let deadline = peer.shard.poll_timeout();
    assert_eq!(peer.receive(r#"{"op":18446744073709551615,"d":[[]]}"#), []);
    assert_eq!(peer.hello(), []);
    assert_eq!((peer.shard.phase(), peer.shard.poll_timeout()), (Phase::Active, deadline));
}

#[test]
fn stopping_keeps_the_session_and_says_what_was_not_sent() {
    let mut peer = Peer::resuming();
    peer.event(101);
    peer.command(9);
    let session = Session { sequence: Sequence(101), ..stored_session() };
    let finished = Action::Finished(Finish::Stopped { session: Some(session) });
    assert_eq!(peer.input(Input::Stop), [KEEP_SESSION, Action::CommandRefused(9), finished]);
    assert_eq!(peer.shard.poll_timeout(), None);
    for input in
        [Input::Start, Input::Connected, Input::Closed(None), Input::Timeout, Input::Stop, Input::IdentifyGranted]
    {
        assert_eq!(peer.input(input), []);
    }
    assert_eq!(peer.command(10), [Action::CommandRefused(10)]);
}

#[test]
fn stopping_between_connections_closes_nothing() {
    let mut peer = Peer::start(None);
    peer.input(Input::ConnectFailed);
    assert_eq!(peer.input(Input::Stop), [Action::Finished(Finish::Stopped { session: None })]);
}

#[test]
fn debug_shows_no_secret() {
    let mut peer = Peer::active();
    peer.reconnect();
    peer.open();
    let shown = format!("{:?} {:?}", peer.shard, peer.log);
    assert!(!shown.contains("T0KEN") && !shown.contains("fresh"), "{shown}");
}
