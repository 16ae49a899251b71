//! One event that breaks a filter, among others that do not.

use std::time::Duration;

use spectacles_gateway::config::OnError;

use crate::lane::{LaneSetup, TestFilter};

#[tokio::test]
async fn an_event_that_traps_is_dropped_alone() {
    let filter = TestFilter::hostile("trap-on-marked").on_error(OnError::Drop);
    assert_eq!(names_after(filter, "trap").await, ["FIRST", "SECOND", "THIRD", "FOURTH"]);
}

#[tokio::test]
async fn an_event_that_traps_passes_in_its_place() {
    let filter = TestFilter::hostile("trap-on-marked").on_error(OnError::Pass);
    assert_eq!(names_after(filter, "trap").await, ["FIRST", "SECOND", "POISON", "THIRD", "FOURTH"]);
}

#[tokio::test]
async fn an_event_that_loops_is_dropped_alone() {
    // Its neighbours must have decided by then, on a busy machine too.
    let filter = TestFilter::hostile("loop-on-marked").on_error(OnError::Drop).time(Duration::from_secs(1));
    assert_eq!(names_after(filter, "timeout").await, ["FIRST", "SECOND", "THIRD", "FOURTH"]);
}

#[tokio::test]
async fn a_verdict_that_breaks_the_contract_leaves_the_other_replacements_applied_once() {
    let mut lane = LaneSetup::new([TestFilter::hostile("replace-marked-with-garbage")]).start().await;
    for payload in ["1", r#"{"marked":true}"#, "3"] {
        lane.event(0, "EVENT", payload);
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), ["EVENT 0 1 [1]", r#"EVENT 0 2 {"marked":true}"#, "EVENT 0 3 [3]"]);
    assert_eq!(lane.failures("hostile_filter", "contract"), 2.0);
}

/// The events that come out of two batches, the first of which holds the poison.
async fn names_after(filter: TestFilter, reason: &str) -> Vec<String> {
    let mut lane = LaneSetup::new([filter]).start().await;
    for (name, payload) in [("FIRST", "{}"), ("SECOND", "{}"), ("POISON", r#"{"marked":1}"#), ("THIRD", "{}")] {
        lane.event(0, name, payload);
    }
    lane.settled().await;
    lane.event(0, "FOURTH", "{}");
    lane.finish().await.unwrap();
    assert_eq!(lane.failures("hostile_filter", reason), 2.0, "the batch, and the poison alone");
    assert_eq!(lane.checkpoint(0), Some(5));
    lane.lines().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}
