//! What holds whatever happens.

mod peer;

use std::time::Duration;

use gateway_protocol::{Action, Input, Phase, Purpose, Sequence};
use peer::{PATIENCE, Peer, stored_session};
use proptest::prelude::*;
use serde_json::Value;

/// Something that happens to a shard, likely or not.
#[derive(Debug, Clone)]
enum Step {
    Timeout,
    Wait(u32),
    Connected,
    ConnectFailed,
    Hello(u64),
    Ready(u64),
    Resumed,
    Event(Option<u64>),
    Acknowledge,
    HeartbeatRequest,
    Reconnect,
    InvalidSession(bool),
    RateLimited(u32),
    Text(String),
    Undecodable,
    Closed(Option<u16>),
    Permit,
    Commands(u8),
    Pause,
    Resume,
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    let codes = prop_oneof![Just(None), Just(Some(1000)), (4000_u16..4010).prop_map(Some), any::<u16>().prop_map(Some)];
    prop_oneof![
        10 => Just(Step::Timeout),
        5 => (0_u32..50_000).prop_map(Step::Wait),
        10 => Just(Step::Connected),
        1 => Just(Step::ConnectFailed),
        10 => prop_oneof![Just(41_250), Just(0), Just(1_000), any::<u64>()].prop_map(Step::Hello),
        8 => (0_u64..3).prop_map(Step::Ready),
        5 => Just(Step::Resumed),
        5 => proptest::option::of(0_u64..200).prop_map(Step::Event),
        5 => Just(Step::Acknowledge),
        5 => Just(Step::HeartbeatRequest),
        1 => Just(Step::Reconnect),
        1 => any::<bool>().prop_map(Step::InvalidSession),
        2 => (0_u32..20).prop_map(Step::RateLimited),
        2 => "\\PC{0,20}".prop_map(Step::Text),
        1 => Just(Step::Undecodable),
        2 => codes.prop_map(Step::Closed),
        10 => Just(Step::Permit),
        5 => any::<u8>().prop_map(Step::Commands),
        3 => Just(Step::Pause),
        4 => Just(Step::Resume),
        1 => prop_oneof![20 => Just(Step::Undecodable), 1 => Just(Step::Stop)],
    ]
}

fn apply(peer: &mut Peer, step: Step) {
    match step {
        Step::Timeout => drop(peer.step()),
        Step::Wait(milliseconds) => drop(peer.advance(Duration::from_millis(milliseconds.into()))),
        Step::Connected => drop(peer.input(Input::Connected)),
        Step::ConnectFailed => drop(peer.input(Input::ConnectFailed)),
        Step::Hello(interval) => {
            peer.receive(&format!(r#"{{"op":10,"d":{{"heartbeat_interval":{interval}}}}}"#));
        }
        Step::Ready(sequence) => drop(peer.ready(sequence)),
        Step::Resumed => drop(peer.resumed("null")),
        Step::Event(Some(sequence)) => drop(peer.event(sequence)),
        Step::Event(None) => drop(peer.receive(r#"{"op":0,"t":"X","d":null}"#)),
        Step::Acknowledge => drop(peer.acknowledge()),
        Step::HeartbeatRequest => (0..50).for_each(|_| drop(peer.receive(r#"{"op":1,"d":null}"#))),
        Step::Reconnect => drop(peer.reconnect()),
        Step::InvalidSession(is_resumable) => drop(peer.invalid_session(is_resumable)),
        Step::RateLimited(seconds) => {
            peer.receive(&format!(
                r#"{{"op":0,"t":"RATE_LIMITED","s":null,"d":{{"opcode":8,"retry_after":{seconds},"meta":{{"guild_id":"1"}}}}}}"#
            ));
        }
        Step::Text(text) => drop(peer.receive(&text)),
        Step::Undecodable => drop(peer.input(Input::Undecodable)),
        Step::Closed(code) => drop(peer.input(Input::Closed(code))),
        Step::Permit => drop(peer.input(Input::IdentifyGranted)),
        Step::Commands(count) => {
            (0..count).for_each(|token| drop(peer.command_of(token.into(), 8, r#"{"guild_id":1}"#)));
        }
        Step::Pause => drop(peer.input(Input::ReadingPaused)),
        Step::Resume => drop(peer.input(Input::ReadingResumed)),
        Step::Stop => drop(peer.input(Input::Stop)),
    }
}

/// Checks what the shard wanted done, from the first to the last.
fn check(peer: &Peer) -> Result<(), TestCaseError> {
    let mut permit_requested = false;
    let mut connection = Vec::new();
    let mut has_socket = false;
    let mut is_ready = false;
    let mut is_finished = false;
    let mut last_dispatch = None;
    let mut session = None;
    for (at, action) in &peer.log {
        prop_assert!(
            !is_finished || matches!(action, Action::CommandRefused(_)),
            "nothing follows the end: {action:?}"
        );
        match action {
            Action::Connect(_) => {
                prop_assert!(!has_socket, "one socket at a time");
                has_socket = true;
                connection.clear();
            }
            Action::Send { text, purpose, .. } => {
                prop_assert!(has_socket && text.len() <= 4096);
                connection.push(*at);
                let in_window =
                    connection.iter().rev().take_while(|sent| *at - **sent <= Duration::from_secs(60)).count();
                prop_assert!(in_window <= 120, "{in_window} sends in a minute");
                match purpose {
                    Purpose::Identify => {
                        prop_assert!(std::mem::take(&mut permit_requested), "an identify costs a permit")
                    }
                    Purpose::Command(_) | Purpose::Repeat => prop_assert!(is_ready, "commands wait for the session"),
                    Purpose::Resume => {
                        let resume: Value = serde_json::from_str(text).unwrap_or_default();
                        let (id, number) = (resume.pointer("/d/session_id"), resume.pointer("/d/seq"));
                        prop_assert_eq!(id.and_then(Value::as_str), session.as_deref(), "no other session");
                        let number = number.and_then(Value::as_u64).map(Sequence);
                        prop_assert_eq!(number, last_dispatch, "nothing is skipped");
                    }
                    Purpose::Heartbeat => {}
                }
            }
            Action::RequestIdentify(_) => {
                prop_assert!(!permit_requested);
                permit_requested = true;
            }
            Action::CancelIdentify => prop_assert!(std::mem::take(&mut permit_requested)),
            Action::Disconnect(code) => {
                prop_assert!(std::mem::take(&mut has_socket));
                prop_assert!(!matches!(code, Some(1000 | 1001)), "the session is kept");
            }
            Action::Reconnecting(_) => has_socket = false,
            Action::Dispatch { sequence: Some(sequence) } => {
                prop_assert!(last_dispatch.is_none_or(|last| *sequence > last), "in order and once");
                last_dispatch = Some(*sequence);
            }
            Action::SessionStarted(started) => {
                last_dispatch = Some(started.sequence);
                session = Some(started.id.clone());
            }
            Action::SessionLost { .. } => session = None,
            Action::Ready => prop_assert!(!std::mem::replace(&mut is_ready, true)),
            Action::Unready => prop_assert!(std::mem::take(&mut is_ready)),
            Action::Finished(_) => is_finished = true,
            _ => {}
        }
    }
    prop_assert_eq!(is_finished, peer.shard.phase() == Phase::Finished);
    prop_assert_eq!(is_ready, peer.shard.phase() == Phase::Active);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_history_breaks_a_promise(seed in any::<u64>(), is_stored in any::<bool>(), steps in proptest::collection::vec(step(), 0..200)) {
        let mut peer = Peer::start_listening(is_stored.then(stored_session), seed);
        let mut paused_since = None;
        for step in steps {
            let before = peer.log.len();
            let paused = !matches!(step, Step::Resume) && paused_since.is_some();
            match step {
                Step::Pause => paused_since = paused_since.or(Some(peer.now)),
                Step::Resume => paused_since = None,
                _ => {}
            }
            peer.siblings = Some(peer.siblings.unwrap_or_default() + 20);
            apply(&mut peer, step);
            let deadline = peer.shard.poll_timeout();
            if deadline.is_some_and(|deadline| deadline <= peer.now) {
                peer.step();
            }
            let is_abandoned = peer.shard.phase() == Phase::Connecting && paused_since.is_some();
            let waits_for_time = is_abandoned || matches!(
                peer.shard.phase(),
                Phase::Waiting | Phase::AwaitingHello | Phase::AwaitingPermit | Phase::Identifying | Phase::Resuming | Phase::Active
            );
            prop_assert_eq!(peer.shard.poll_timeout().is_some(), waits_for_time, "nothing waits for ever");
            let connects = peer.log.iter().skip(before).any(|(_, action)| matches!(action, Action::Connect(_)));
            prop_assert!(!paused || !connects, "nobody would read");
            prop_assert!(paused_since.is_some() || peer.shard.phase() != Phase::Parked, "it comes back");
            if peer.shard.phase() == Phase::Identifying {
                paused_since = paused_since.map(|_| peer.now);
            }
            if paused_since.is_some_and(|since| peer.now > since + PATIENCE) {
                let bears_it = matches!(peer.shard.phase(), Phase::Waiting | Phase::Parked | Phase::Identifying | Phase::Finished);
                prop_assert!(bears_it, "{:?} while nothing is read", peer.shard.phase());
            }
        }
        check(&peer)?;
    }
}
