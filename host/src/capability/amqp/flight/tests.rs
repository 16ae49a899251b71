use std::future::{pending, ready};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lapin::ErrorKind;
use lapin::protocol::{AMQPError, AMQPSoftError};
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;
use crate::capability::PayloadForm;
use crate::config::Unroutable;
use crate::delivery::DeadLetters;
use crate::telemetry::Metrics;

fn channel(kind: ErrorKind) -> Broken {
    Broken::Channel(kind.into())
}

#[test]
fn of_two_faults_the_one_that_the_server_told_counts() {
    let told =
        || channel(ErrorKind::ProtocolError(AMQPError::new(AMQPSoftError::NOTFOUND.into(), "no exchange".into())));
    let state = || channel(ErrorKind::InvalidChannel(1));
    let is_told = |broken: Broken| matches!(broken, Broken::Channel(error) if answer(&error).is_some());
    assert!(is_told(told().or(state())));
    assert!(is_told(state().or(told())));
    assert!(matches!(Broken::Connection.or(told()), Broken::Connection));
    assert!(matches!(state().or(Broken::Connection), Broken::Connection));
}

fn flight<C: Future<Output = lapin::Result<Confirmation>> + Unpin>(messages: u32) -> Flight<u32, C> {
    let mut parcel = Messages::default();
    for index in 0..messages {
        parcel.contents.push(index, b"body", bytes::Bytes::new(), PayloadForm::Verbatim, b"");
        parcel.route("exchange", "key", None, None);
    }
    Flight::new(Job::new(parcel, 7, mpsc::channel(1).0))
}

#[test]
fn a_parcel_begins_with_all_its_messages_open() {
    let flight = flight::<PublisherConfirm>(3);
    assert_eq!(flight.open(), 3);
    assert!(flight.open.iter().all(|open| matches!(open.state, State::Unsent)));
}

/// What a server answers to one message.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Ack,
    Nack,
    Broken,
    /// Nothing, until the connection is lost.
    Silence,
}

impl Answer {
    fn confirm(self) -> BoxFuture<'static, lapin::Result<Confirmation>> {
        match self {
            Self::Ack => ready(Ok(Confirmation::Ack(None))).boxed(),
            Self::Nack => ready(Ok(Confirmation::Nack(None))).boxed(),
            Self::Broken => ready(Err(ErrorKind::InvalidChannel(1).into())).boxed(),
            Self::Silence => pending().boxed(),
        }
    }
}

/// In each round so many messages are sent, and this is answered to them.
fn rounds() -> impl Strategy<Value = Vec<Vec<Answer>>> {
    let answer = prop_oneof![
        6 => Just(Answer::Ack),
        2 => Just(Answer::Nack),
        1 => Just(Answer::Broken),
        1 => Just(Answer::Silence),
    ];
    prop::collection::vec(prop::collection::vec(answer, 1..8), 0..20)
}

fn open(flight: &Flight<u32, BoxFuture<'static, lapin::Result<Confirmation>>>) -> Vec<usize> {
    flight.open.iter().map(|open| open.index).collect()
}

proptest! {
    #[test]
    fn what_is_not_confirmed_stays_open_in_order_and_what_is_confirmed_never_goes_out_again(
        count in 1..8_u32, rounds in rounds(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Metrics::new().unwrap();
        let policy = Undeliverable {
            unroutable: Unroutable::Drop,
            dead_letters: DeadLetters::start(folder.path().join("letters"), metrics.dead_letters()).unwrap(),
            metrics: metrics.broker("amqp"),
        };
        let mut flight = flight(count);
        let mut missing: Vec<usize> = (0..count as usize).collect();
        for answers in rounds {
            let answered: Vec<(usize, Answer)> = missing.iter().copied().zip(answers).collect();
            for (open, (_, answer)) in flight.open.iter_mut().zip(&answered) {
                open.state = State::Sent(answer.confirm());
            }
            let lost = CancellationToken::new();
            let is_lost = answered.iter().any(|(_, answer)| *answer == Answer::Silence);
            if is_lost {
                lost.cancel();
            }
            let outcome = flight.confirmed(&lost, &policy).now_or_never().expect("a lost line is not waited for");
            let is_broken = answered.iter().any(|(_, answer)| *answer == Answer::Broken);
            prop_assert_eq!(outcome.is_err(), is_lost || is_broken);
            let confirmed = |index: &usize| answered.contains(&(*index, Answer::Ack));
            let now_open = open(&flight);
            // When a connection is lost, some confirmations that had come may not have been looked at.
            let is_kept = |index: &usize| !confirmed(index) || (is_lost && now_open.contains(index));
            missing.retain(is_kept);
            prop_assert_eq!(&now_open, &missing);
            prop_assert!(flight.open.iter().all(|open| matches!(open.state, State::Unsent)));
        }
        for open in &mut flight.open {
            open.state = State::Sent(Answer::Ack.confirm());
        }
        let outcome = flight.confirmed(&CancellationToken::new(), &policy).now_or_never();
        prop_assert!(matches!(outcome, Some(Ok(()))) && flight.open() == 0);
    }
}
