//! Saving on a cluster of which any command may be lost.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use gateway_protocol::{Sequence, Session, ShardId};
use proptest::prelude::*;
use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, Pipeline, RedisFuture, RedisResult, Value};

use super::save::{Details, in_order};
use super::{Keys, Stored};
use crate::delivery::{Checkpoint, Gap, GapReason};

const DETAILS: Details = Details { count: 4, saved_at: 1 };

/// A cluster: single commands in the order that they come in, nothing that spans keys.
#[derive(Clone, Default)]
struct Cluster {
    values: Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>,
    /// What becomes of the next writes.
    fates: Arc<Mutex<VecDeque<Fate>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// It never arrived.
    Lost,
    /// It was done, and the answer never arrived.
    Unanswered,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    /// The session goes on, by so many events.
    Advance(u64),
    /// A new session, at that sequence. What was not delivered of the one before is owed.
    Begin(u64),
    /// What was owed is told.
    Tell,
    Forget,
}

impl Cluster {
    fn run(&self, command: &Cmd) -> RedisResult<Value> {
        let bytes = |argument| if let Arg::Simple(bytes) = argument { bytes } else { panic!("no argument of a write") };
        let arguments: Vec<&[u8]> = command.args_iter().map(bytes).collect();
        let mut values = self.values.lock().unwrap();
        if let [b"GET", key] = arguments[..] {
            return Ok(values.get(key).map_or(Value::Nil, |value| Value::BulkString(value.clone())));
        }
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Done);
        if fate != Fate::Lost {
            match arguments[..] {
                [b"SET", key, value] => drop(values.insert(key.to_vec(), value.to_vec())),
                [b"DEL", key] => drop(values.remove(key)),
                [b"EVALSHA", _, b"1", key, value] => {
                    let number = |value: &[u8]| str::from_utf8(value).unwrap().parse::<u64>().unwrap();
                    if values.get(key).is_none_or(|stored| number(stored) < number(value)) {
                        values.insert(key.to_vec(), value.to_vec());
                    }
                }
                _ => panic!("no node can do {arguments:?} alone"),
            }
        }
        if fate == Fate::Done { Ok(Value::Okay) } else { Err(io::Error::from(io::ErrorKind::BrokenPipe).into()) }
    }
}

impl ConnectionLike for Cluster {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move { self.run(command) })
    }

    fn req_packed_commands<'a>(&'a mut self, _: &'a Pipeline, _: usize, _: usize) -> RedisFuture<'a, Vec<Value>> {
        panic!("a pipeline does not span nodes")
    }

    fn get_db(&self) -> i64 {
        0
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![4 => Just(Fate::Done), 1 => Just(Fate::Lost), 1 => Just(Fate::Unanswered)];
    prop::collection::vec(fate, 0..8)
}

fn operations() -> impl Strategy<Value = Vec<(Operation, Vec<Fate>)>> {
    let operation = prop_oneof![
        3 => (1..100_u64).prop_map(Operation::Advance),
        2 => (1..1000_u64).prop_map(Operation::Begin),
        1 => Just(Operation::Tell),
        1 => Just(Operation::Forget),
    ];
    prop::collection::vec((operation, fates()), 1..12)
}

proptest! {
    #[test]
    fn whatever_is_lost_no_session_gets_the_sequence_of_another(operations in operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let keys = Keys::new("", ShardId(1));
        let cluster = Cluster::default();
        let (mut current, mut gaps, mut number, mut sent) = (None::<Session>, Vec::new(), 0, HashSet::new());
        for (operation, fates) in operations {
            match operation {
                Operation::Begin(_) => gaps.extend(current.as_ref().map(|session| Gap::after(session, GapReason::NotDelivered))),
                Operation::Tell => gaps.clear(),
                Operation::Advance(_) | Operation::Forget => {}
            }
            current = match (operation, current) {
                (Operation::Tell, session) => session,
                (Operation::Advance(events), Some(session)) => {
                    Some(Session { sequence: Sequence(session.sequence.0 + events), ..session })
                }
                (Operation::Advance(sequence) | Operation::Begin(sequence), _) => {
                    number += 1;
                    let resume_url = Some(format!("wss://{number}"));
                    Some(Session { id: number.to_string(), resume_url, sequence: Sequence(sequence) })
                }
                (Operation::Forget, _) => None,
            };
            sent.extend(current.clone().map(|session| (session.id, session.sequence, session.resume_url)));
            let checkpoint = Checkpoint { session: current.clone(), gaps: gaps.clone() };
            let save = || in_order(cluster.clone(), &keys, &checkpoint, DETAILS);
            let read = || runtime.block_on(Stored::read_consistently(&cluster, &keys)).unwrap().checkpoint(&keys, DETAILS.count).0;

            let is_cut_short = fates.iter().any(|fate| *fate != Fate::Done);
            cluster.fates.lock().unwrap().extend(fates);
            let saved = runtime.block_on(save()).is_ok();
            cluster.fates.lock().unwrap().clear();
            prop_assert!(saved || is_cut_short);
            let before = read();
            if let Some(found) = before.session {
                // Nobody resumes the new session without knowing what is owed for the one before.
                let is_new = current.as_ref().is_some_and(|session| session.id == found.id);
                prop_assert!(!is_new || gaps.iter().all(|gap| before.gaps.contains(gap)));
                prop_assert!(sent.contains(&(found.id, found.sequence, found.resume_url)));
            }
            if saved {
                prop_assert_eq!(read(), checkpoint);
            }
        }
        let checkpoint = Checkpoint { session: current, gaps };
        runtime.block_on(in_order(cluster.clone(), &keys, &checkpoint, DETAILS)).unwrap();
        let found = runtime.block_on(Stored::read_consistently(&cluster, &keys)).unwrap();
        prop_assert_eq!(found.checkpoint(&keys, DETAILS.count).0, checkpoint);
    }
}
