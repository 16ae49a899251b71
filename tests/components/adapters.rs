//! An adapter that fails: its events are published again, and what it had handed over before does not go out.

use std::sync::mpsc;
use std::time::Duration;

use spectacles_gateway::capability::{Claim, Incoming, Outcome};
use spectacles_gateway::command::Claimed;
use spectacles_gateway::component::Command;

use crate::lane::{LaneSetup, until};

const ADAPTER: &str = "hostile_adapter";

#[tokio::test]
async fn events_of_a_call_that_traps_go_out_once_and_in_order() {
    assert_third_call_is_repeated(LaneSetup::new([]).adapter_mode("trap-on-third-call"), "trap").await;
}

#[tokio::test]
async fn events_of_a_call_that_errs_go_out_once_and_in_order() {
    assert_third_call_is_repeated(LaneSetup::new([]).adapter_mode("error-on-third-call"), "error").await;
}

#[tokio::test]
async fn events_of_a_call_that_loops_go_out_once_and_in_order() {
    // Long enough for calls that do not loop, on a busy machine too.
    let setup = LaneSetup::new([]).adapter_mode("loop-on-third-call").adapter_time(Duration::from_secs(1));
    assert_third_call_is_repeated(setup, "timeout").await;
}

#[tokio::test]
async fn an_adapter_that_hands_over_without_end_traps() {
    let mut lane = LaneSetup::new([]).adapter_mode("hand-over-without-end").start().await;
    lane.event(0, "EVENT", "{}");
    until(|| lane.failures(ADAPTER, "trap") >= 1.0).await;
    assert!(lane.lines().is_empty());
}

#[tokio::test]
async fn writing_in_open_traps() {
    let error = LaneSetup::new([]).adapter_mode("write-in-open").try_start().await.err().unwrap();
    let error = format!("{error:#}");
    assert!(error.contains(ADAPTER) && error.contains("outside a call that has events"), "{error}");
}

#[tokio::test]
async fn a_message_that_traps_the_adapter_is_dropped_alone() {
    let mut lane = LaneSetup::new([]).adapter_mode("well-behaved").start().await;
    let (sender, outcomes) = mpsc::sync_channel(16);
    for value in ["trap", "{\"packet\":1}"] {
        let sender = sender.clone();
        let claim = Claim::new(move |outcome| sender.send(outcome).unwrap());
        let message = Incoming::Message { source: "stdin".into(), body: value.into(), claim };
        lane.incoming.send(message).await.unwrap();
    }
    let Some(Claimed { command: Command::Send(body), claim }) = lane.commands.recv().await else {
        panic!("no command came")
    };
    assert_eq!(body, b"{\"packet\":1}");
    assert_eq!(outcomes.try_recv(), Ok(Outcome::Refused), "what can never be understood does not come again");
    assert!(outcomes.try_recv().is_err(), "the command is not done yet");
    claim.finish(Outcome::Done);
    assert_eq!(outcomes.try_recv(), Ok(Outcome::Done));
    assert_eq!(lane.failures(ADAPTER, "trap"), 1.0);
    assert_eq!(lane.figure("gateway_messages_refused_total"), 1.0);
    lane.event(0, "EVENT", "{}");
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), ["EVENT 0 1 {}"]);
}

/// Two calls with one event each, and a third with three.
async fn assert_third_call_is_repeated(setup: LaneSetup, reason: &str) {
    let mut lane = setup.start().await;
    for _ in 0..2 {
        lane.event(0, "EVENT", "{}");
        lane.settled().await;
    }
    for _ in 0..3 {
        lane.event(0, "EVENT", "{}");
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), (1..=5).map(|number| format!("EVENT 0 {number} {{}}")).collect::<Vec<_>>());
    assert_eq!(lane.failures(ADAPTER, reason), 1.0);
    assert_eq!(lane.checkpoint(0), Some(5));
    assert_eq!(lane.queued(0), 0);
}
