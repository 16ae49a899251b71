//! A filter that asks for much: it gets it or not, and its events go on.

use crate::lane::{LaneSetup, TestFilter, TestLane};

#[tokio::test]
async fn twenty_thousand_made_up_pointers_find_nothing_and_break_nothing() {
    assert_passes("pointers", r#"{"author":{"id":"1"}}"#).await;
}

#[tokio::test]
async fn reading_everything_often_breaks_nothing() {
    assert_passes("read-everything-often", &format!("\"{}\"", "x".repeat(1 << 20))).await;
}

#[tokio::test]
async fn a_flood_of_metrics_leaves_the_allowed_number_of_names() {
    let lane = assert_passes("metric-flood", "{}").await;
    assert_eq!(own_counters(&lane), 64);
}

#[tokio::test]
async fn instances_that_trap_do_not_get_new_names_for_metrics() {
    let mut lane = LaneSetup::new([TestFilter::hostile("metric-flood-and-trap")]).start().await;
    for _ in 0..20 {
        lane.event(0, "EVENT", "{}");
        lane.settled().await;
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.failures("hostile_filter", "trap"), 20.0);
    assert_eq!(own_counters(&lane), 64);
}

#[tokio::test]
async fn malformed_metrics_are_left_out() {
    let lane = assert_passes("metric-malformed", "{}").await;
    assert_eq!(own_counters(&lane), 1, "`asked` alone");
    assert!(!lane.figures().contains("\ngateway_component_gauge{"));
}

/// Two events in two batches go through, and no call fails.
async fn assert_passes(mode: &str, payload: &str) -> TestLane {
    let mut lane = LaneSetup::new([TestFilter::hostile(mode)]).start().await;
    lane.event(0, "EVENT", payload);
    lane.settled().await;
    lane.event(0, "EVENT", payload);
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), [format!("EVENT 0 1 {payload}"), format!("EVENT 0 2 {payload}")]);
    assert!(!lane.figures().contains("gateway_component_failures_total{"), "{}", lane.figures());
    lane
}

fn own_counters(lane: &TestLane) -> usize {
    lane.figures().lines().filter(|line| line.starts_with("gateway_component_counter{")).count()
}
