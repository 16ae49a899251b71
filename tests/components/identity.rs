//! An event has one identity, whoever asks for it and however often it is published.

use gateway_protocol::Sequence;
use spectacles_gateway::capability::Claim;
use spectacles_gateway::config::OnError;
use spectacles_gateway::delivery::{Gap, GapReason};

use crate::lane::{LaneSetup, TestFilter};

#[tokio::test]
async fn an_adapter_sees_session_and_sequence_of_each_event() {
    let mut lane = LaneSetup::new([]).adapter_mode("identities").shards(2).start().await;
    lane.event(0, "A", "{}");
    lane.event(1, "B", "{}");
    lane.event(0, "C", "{}");
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), ["A 0 1 test:1 {}", "B 1 1 test:1 {}", "C 0 2 test:2 {}"]);
}

#[tokio::test]
async fn what_no_session_brought_has_no_identity() {
    let mut lane = LaneSetup::new([]).adapter_mode("identities").found(Default::default()).start().await;
    lane.event(0, "A", "{}");
    lane.next_session(0, gap());
    lane.event(0, "B", "{}");
    lane.republish("5", "{}", Claim::unasked());
    lane.finish().await.unwrap();
    let identities: Vec<_> = lane.lines().iter().map(|line| line.split(' ').nth(3).unwrap().to_owned()).collect();
    assert_eq!(identities, ["test:1", "none", "next:1", "none"], "{:?}", lane.lines());
}

#[tokio::test]
async fn a_filter_sees_the_identity_among_all_events_and_among_those_it_is_asked_about() {
    for events in [&["A", "B"][..], &["B"]] {
        let filter = TestFilter::hostile("drop-what-is-not-test-2").events(events);
        let mut lane = LaneSetup::new([filter]).start().await;
        for name in ["A", "B", "B"] {
            lane.event(0, name, "{}");
        }
        lane.finish().await.unwrap();
        let passed: Vec<_> = lane.lines().into_iter().filter(|line| line.starts_with('B')).collect();
        assert_eq!(passed, ["B 0 2 {}"], "{events:?}");
    }
}

#[tokio::test]
async fn an_event_keeps_its_identity_when_it_is_replaced_and_when_it_comes_again() {
    let filters = [TestFilter::hostile("wrap"), TestFilter::hostile("trap-on-marked").on_error(OnError::Pass)];
    let mut lane = LaneSetup::new(filters).adapter_mode("identities").crashes_at(1).start().await;
    lane.event(0, "A", "1");
    lane.settled().await;
    lane.event(0, "B", "2");
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), ["A 0 1 test:1 [1]", "B 0 2 test:2 [2]"]);
}

fn gap() -> Gap {
    Gap { session: "test".into(), from: Sequence(2), to: None, reason: GapReason::SessionLost }
}
