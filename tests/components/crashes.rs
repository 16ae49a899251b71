//! What a lane does when the adapter, or the gateway itself, crashes on what it works on.

use gateway_protocol::{Sequence, Session};
use spectacles_gateway::delivery::{Checkpoint, Gap, GapReason};

use crate::lane::{LaneSetup, until};

#[tokio::test]
async fn an_event_that_crashes_the_adapter_becomes_a_dead_letter_and_holds_up_no_other() {
    let mut lane = LaneSetup::new([]).adapter_mode("trap-on-poison").start().await;
    for number in 1..=100 {
        let name = if number == 42 { "POISON" } else { "EVENT" };
        lane.event(0, name, &number.to_string());
    }
    lane.finish().await.unwrap();
    let others = (1..=100).filter(|number| *number != 42).map(|number| format!("EVENT 0 {number} {number}"));
    assert_eq!(lane.lines(), others.collect::<Vec<_>>(), "in order, and each once");
    let letters = lane.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["target"], "component hostile_adapter, POISON of shard 0");
    assert!(letters[0]["reason"].as_str().unwrap().starts_with("it crashed:"), "{letters:?}");
    assert_eq!((lane.checkpoint(0), lane.queued(0)), (Some(100), 0), "it is settled");
}

#[tokio::test]
async fn an_adapter_that_crashes_on_everything_does_not_turn_everything_into_dead_letters() {
    let mut lane = LaneSetup::new([]).adapter_mode("past-the-end").start().await;
    for _ in 0..10 {
        lane.event(0, "EVENT", "{}");
    }
    let crashes = || lane.failures("hostile_adapter", "trap");
    until(|| lane.dead_letters().len() == 3).await;
    let before = crashes();
    until(|| crashes() >= before + 3.0).await;
    assert_eq!(lane.dead_letters().len(), 3, "the fourth is tried again and again");
    assert_eq!((lane.lines(), lane.checkpoint(0)), (vec![], None));
}

#[tokio::test]
async fn a_lane_that_crashes_goes_on_with_what_it_had() {
    // When the session begins, with all events behind it; when the first events are settled.
    for sequence in [0, 1] {
        let mut lane = LaneSetup::new([]).crashes_at(sequence).start().await;
        for number in 1..=100 {
            lane.event(0, "EVENT", &number.to_string());
        }
        lane.finish().await.unwrap();
        assert_eq!(lane.lines(), (1..=100).map(|number| format!("EVENT 0 {number} {number}")).collect::<Vec<_>>());
        assert_eq!(lane.figure("gateway_lane_crashes_total{lane=\"0\"}"), 1.0);
        assert_eq!((lane.checkpoint(0), lane.queued(0)), (Some(100), 0));
    }
}

#[tokio::test]
async fn gaps_that_an_earlier_run_left_are_published_first_and_then_forgotten() {
    let gap = Gap { session: "old".into(), from: Sequence(7), to: Some(Sequence(9)), reason: GapReason::NotDelivered };
    let session = Session { id: "test".into(), resume_url: None, sequence: Sequence(0) };
    let found = Checkpoint { session: Some(session), gaps: vec![gap] };
    let mut lane = LaneSetup::new([]).found(found).start().await;
    lane.event(0, "EVENT", "{}");
    lane.finish().await.unwrap();
    let told = r#"GATEWAY_GAP 0 0 {"shard":0,"session":"old","from":7,"to":9,"reason":"not_delivered"}"#;
    assert_eq!(lane.lines(), [told, "EVENT 0 1 {}"]);
    assert_eq!(lane.figure(r#"gateway_gaps_total{reason="not_delivered",shard="0"}"#), 1.0);
    assert_eq!((lane.gaps(0), lane.checkpoint(0)), (vec![], Some(1)));
}

#[tokio::test]
async fn what_is_owed_of_a_lost_session_is_kept_until_the_broker_has_it() {
    let mut lane = LaneSetup::new([]).found(Checkpoint::default()).start().await;
    lane.output.block();
    lane.event(0, "EVENT", "{}");
    let gap = Gap { session: "test".into(), from: Sequence(2), to: None, reason: GapReason::SessionLost };
    lane.next_session(0, gap.clone());
    lane.event(0, "EVENT", "{}");
    let undelivered =
        Gap { session: "test".into(), from: Sequence(1), to: Some(Sequence(1)), reason: GapReason::NotDelivered };
    until(|| lane.gaps(0) == [gap.clone(), undelivered.clone()]).await;
    lane.output.unblock();
    lane.finish().await.unwrap();
    let told = r#"GATEWAY_GAP 0 0 {"shard":0,"session":"test","from":2,"to":null,"reason":"session_lost"}"#;
    assert_eq!(lane.lines(), ["EVENT 0 1 {}", told, "EVENT 0 1 {}"]);
    assert_eq!((lane.gaps(0), lane.checkpoint(0)), (vec![], Some(1)));
}
