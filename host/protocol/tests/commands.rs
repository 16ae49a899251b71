//! Commands and their limits.

mod peer;

use std::time::{Duration, Instant};

use gateway_protocol::{Action, Command, Input, Purpose, ReconnectCause};
use peer::{Peer, cause, commands, seconds, sent};

fn request_members(peer: &mut Peer, token: u64, nonce: &str) -> Vec<Action> {
    peer.command_of(token, 8, &format!(r#"{{"guild_id":"1","query":"","limit":0,"nonce":"{nonce}"}}"#))
}

/// Conformance case 20.
#[test]
fn five_hundred_commands_stay_within_the_limit_and_never_starve_heartbeats() {
    let mut peer = Peer::active();
    let mut token = 0;
    let mut feed = |peer: &mut Peer| {
        while token < 500 && peer.shard.wants_command() {
            token += 1;
            peer.command(token);
        }
    };
    feed(&mut peer);
    peer.advance_with(Duration::from_secs(600), |peer| {
        peer.acknowledge();
        feed(peer);
    });
    let actions: Vec<_> = peer.log.iter().map(|(_, action)| action.clone()).collect();
    assert_eq!(commands(&actions), (1..=500).collect::<Vec<_>>(), "all, in order");
    let times: Vec<Instant> =
        peer.log.iter().filter(|(_, action)| matches!(action, Action::Send { .. })).map(|(at, _)| *at).collect();
    for (index, start) in times.iter().enumerate() {
        let in_window = times[index..].iter().take_while(|time| **time - *start <= seconds(60.0)).count();
        assert!(in_window <= 120, "{in_window}");
    }
    let beats = peer.times_of(1);
    assert!(beats.len() >= 14);
    assert!(beats.windows(2).all(|pair| pair[1] - pair[0] == peer::HEARTBEAT_INTERVAL));
}

#[test]
fn a_full_queue_refuses() {
    let mut peer = Peer::resuming();
    let mut token = 0;
    while peer.shard.wants_command() {
        token += 1;
        assert_eq!(peer.command(token), []);
    }
    assert_eq!(peer.command(1000), [Action::CommandRefused(1000)]);
    assert_eq!(commands(&peer.resumed("101")).len() as u64, token);
}

#[test]
fn what_a_lost_connection_did_not_take_is_sent_first_and_in_order_on_the_next_one() {
    let mut peer = Peer::active();
    let lost: Vec<_> = [1, 2].into_iter().flat_map(|token| peer.command(token)).collect();
    peer.close(1006);
    peer.command(3);
    for action in lost.into_iter().rev() {
        let Action::Send { opcode, text, purpose: Purpose::Command(token) } = action else { panic!("{action:?}") };
        peer.input(Input::Unsent(Command::restored(token, opcode, text.into_string())));
    }
    peer.open();
    assert_eq!(commands(&peer.resumed("101")), [1, 2, 3]);
}

#[test]
fn a_shard_that_has_ended_gives_unsent_commands_back() {
    let mut peer = Peer::active();
    peer.close(4004);
    let command = Command::restored(7, 3, r#"{"op":3,"d":null}"#.to_owned());
    assert_eq!(peer.input(Input::Unsent(command)), [Action::CommandRefused(7)]);
}

#[test]
fn commands_wait_for_the_next_connection() {
    let mut peer = Peer::active();
    peer.reconnect();
    assert_eq!(peer.command(5), []);
    assert_eq!(commands(&peer.open()), [0; 0]);
    assert_eq!(commands(&peer.resumed("2")), [5]);
}

#[test]
fn every_connection_has_its_own_limit() {
    let mut peer = Peer::active();
    let fill = |peer: &mut Peer| (0..).take_while(|token| !commands(&peer.command(*token)).is_empty()).count();
    let first = fill(&mut peer);
    assert!((110..=117).contains(&first), "{first}");
    peer.close(4000);
    peer.open();
    let rest = commands(&peer.resumed("2")).len();
    assert_eq!(rest + fill(&mut peer), first);

    peer.close(4008);
    peer.open();
    let rest = commands(&peer.resumed("3")).len();
    let cautious = rest + fill(&mut peer);
    assert!(cautious <= first / 2 + 1, "{cautious} after being told to slow down");
}

/// Conformance case 21.
#[test]
fn a_command_that_is_too_long_is_refused_where_it_is_made() {
    let mut peer = Peer::active();
    assert!(Command::new(1, 3, &format!("\"{}\"", "a".repeat(4096 - 14))).is_err());
    assert_eq!(commands(&peer.command(2)), [2]);
}

/// Conformance case 22.
#[test]
fn a_rate_limited_request_is_repeated_when_allowed() {
    let mut peer = Peer::active();
    for (token, nonce) in [(1, "a"), (2, "b"), (3, "c")] {
        request_members(&mut peer, token, nonce);
    }
    let start = peer.now;
    let actions = peer.receive(
        r#"{"t":"RATE_LIMITED","s":2,"op":0,"d":{"opcode":8,"retry_after":29.4,"meta":{"guild_id":"1","nonce":"b"}}}"#,
    );
    assert_eq!((actions.len(), cause(&actions)), (1, None), "it is forwarded, and nothing else");
    let mut repeats = Vec::new();
    while repeats.is_empty() && peer.now - start < seconds(40.0) {
        let actions = peer.step();
        peer.acknowledge();
        repeats.extend(
            actions.into_iter().filter(|action| matches!(action, Action::Send { purpose: Purpose::Repeat, .. })),
        );
    }
    assert!((seconds(29.4)..=seconds(30.0)).contains(&(peer.now - start)));
    assert_eq!(sent(&repeats), [r#"{"op":8,"d":{"guild_id":"1","query":"","limit":0,"nonce":"b"}}"#]);
    let later = peer.advance_with(seconds(120.0), |peer| {
        peer.acknowledge();
    });
    assert_eq!(cause(&later), None);
    assert!(!sent(&later).iter().any(|text| text.contains("nonce")));
}

#[test]
fn a_repeat_that_is_due_while_disconnected_waits_for_the_next_connection() {
    let mut peer = Peer::active();
    request_members(&mut peer, 1, "a");
    peer.receive(
        r#"{"t":"RATE_LIMITED","s":2,"op":0,"d":{"opcode":8,"retry_after":1,"meta":{"guild_id":"1","nonce":"a"}}}"#,
    );
    assert_eq!(cause(&peer.reconnect()), Some(ReconnectCause::Requested));
    peer.open();
    peer.advance(seconds(2.0));
    assert!(sent(&peer.resumed("3"))[0].contains(r#""nonce":"a""#));
}
