//! A filter that breaks down in every call: the lane goes on, and `on_error` says what becomes of the events.

use std::time::Duration;

use spectacles_gateway::config::OnError;

use crate::lane::{LaneSetup, TestFilter, TestLane};

/// The time limit of filters that reach it.
const BRIEF: Duration = Duration::from_millis(30);
/// The failed calls that two batches of five events cost: each batch as a whole, and then three of its events alone.
const FAILURES: f64 = 8.0;

#[tokio::test]
async fn a_trap_costs_the_instance_and_no_event() {
    assert_costs_only_the_instance(TestFilter::hostile("trap"), "trap").await;
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_time_limit() {
    assert_costs_only_the_instance(TestFilter::hostile("loop").time(BRIEF), "timeout").await;
}

#[tokio::test]
async fn an_endless_wait_ends_at_the_time_limit() {
    assert_costs_only_the_instance(TestFilter::guest("waiting-filter").time(BRIEF), "timeout").await;
}

#[tokio::test]
async fn allocating_without_end_ends_at_the_memory_limit() {
    assert_costs_only_the_instance(TestFilter::hostile("allocate"), "memory").await;
}

#[tokio::test]
async fn recursing_without_end_ends_at_the_stack_limit() {
    assert_costs_only_the_instance(TestFilter::hostile("recurse"), "trap").await;
}

#[tokio::test]
async fn an_index_past_the_end_ends_the_instance() {
    for mode in ["past-the-end", "identity-past-the-end"] {
        assert_costs_only_the_instance(TestFilter::hostile(mode), "trap").await;
    }
}

#[tokio::test]
async fn too_few_verdicts_decide_nothing() {
    assert_costs_only_the_instance(TestFilter::hostile("too-few-verdicts"), "contract").await;
}

#[tokio::test]
async fn too_many_verdicts_decide_nothing() {
    assert_costs_only_the_instance(TestFilter::hostile("too-many-verdicts"), "contract").await;
}

#[tokio::test]
async fn a_replacement_that_is_no_json_reaches_nobody() {
    assert_costs_only_the_instance(TestFilter::hostile("replace-with-garbage"), "contract").await;
}

#[tokio::test]
async fn a_replacement_that_is_no_utf8_reaches_nobody() {
    assert_costs_only_the_instance(TestFilter::hostile("replace-with-invalid-utf8"), "contract").await;
}

/// With each `on_error`, two batches in a row: the second one meets the instance's replacement.
async fn assert_costs_only_the_instance(filter: TestFilter, reason: &str) {
    let component = filter.name();
    assert_events_pass(filter.clone().on_error(OnError::Pass), &component, reason).await;
    assert_events_are_dropped(filter.clone().on_error(OnError::Drop), &component, reason).await;
    assert_the_gateway_stops(filter.on_error(OnError::Stop), &component, reason).await;
}

async fn assert_events_pass(filter: TestFilter, component: &str, reason: &str) {
    let mut lane = LaneSetup::new([filter]).start().await;
    send_two_batches(&mut lane).await;
    lane.finish().await.unwrap();
    let expected: Vec<_> = (1..=10).map(|number| format!("EVENT 0 {number} {{\"number\":{number}}}")).collect();
    assert_eq!(lane.lines(), expected);
    assert_all_are_settled(&lane, component, reason);
}

async fn assert_events_are_dropped(filter: TestFilter, component: &str, reason: &str) {
    let mut lane = LaneSetup::new([filter]).start().await;
    send_two_batches(&mut lane).await;
    lane.finish().await.unwrap();
    assert!(lane.lines().is_empty());
    assert_all_are_settled(&lane, component, reason);
}

async fn assert_the_gateway_stops(filter: TestFilter, component: &str, reason: &str) {
    let mut lane = LaneSetup::new([filter]).start().await;
    lane.event(0, "EVENT", "{}");
    let error = format!("{:#}", lane.finish().await.unwrap_err());
    assert!(error.contains(component) && error.contains("`on_error` is `stop`"), "{error}");
    assert_eq!(lane.failures(component, reason), 1.0);
    assert!(lane.lines().is_empty());
    assert_eq!(lane.checkpoint(0), None, "the event must come again after a restart");
}

async fn send_two_batches(lane: &mut TestLane) {
    for batch in [1..=5, 6..=10] {
        for number in batch {
            lane.event(0, "EVENT", &format!("{{\"number\":{number}}}"));
        }
        lane.settled().await;
    }
}

fn assert_all_are_settled(lane: &TestLane, component: &str, reason: &str) {
    assert_eq!(lane.failures(component, reason), FAILURES);
    assert_eq!(lane.checkpoint(0), Some(10));
    assert_eq!(lane.queued(0), 0);
}
