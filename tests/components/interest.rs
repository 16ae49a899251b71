//! A filter is asked about what it and the operator want, and about no name again when it has decided for ever.

use serde_json::json;
use spectacles_gateway::config::OnError;

use crate::lane::{LaneSetup, TestFilter};

#[tokio::test]
async fn a_filter_is_asked_only_about_the_names_that_it_is_interested_in() {
    let mut lane = LaneSetup::new([TestFilter::hostile("interested-in-wanted")]).start().await;
    for name in ["OTHER", "WANTED", "OTHER", "WANTED"] {
        lane.event(0, name, "{}");
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.asked(), 2.0);
    assert_eq!(lane.lines().len(), 4);
}

#[tokio::test]
async fn a_filter_is_asked_only_about_the_names_that_the_operator_lists() {
    let mut lane = LaneSetup::new([TestFilter::hostile("").events(&["LISTED"])]).start().await;
    for name in ["OTHER", "LISTED", "ANOTHER"] {
        lane.event(0, name, "{}");
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.asked(), 1.0);
    assert_eq!(lane.lines().len(), 3);
}

#[tokio::test]
async fn the_operators_list_holds_after_a_failure_too() {
    let filter = TestFilter::hostile("trap").events(&["LISTED"]).on_error(OnError::Drop);
    let mut lane = LaneSetup::new([filter]).start().await;
    lane.event(0, "LISTED", "{}");
    lane.settled().await;
    lane.event(0, "OTHER", "{}");
    lane.finish().await.unwrap();
    assert_eq!(lane.failures("hostile_filter", "trap"), 1.0);
    assert_eq!(lane.lines(), ["OTHER 0 2 {}"]);
}

#[tokio::test]
async fn a_name_that_passes_for_ever_is_asked_about_once() {
    let mut lane = LaneSetup::new([TestFilter::hostile("pass-always")]).start().await;
    for _ in 0..3 {
        lane.event(0, "ONE", "{}");
        lane.settled().await;
    }
    lane.event(0, "TWO", "{}");
    lane.finish().await.unwrap();
    assert_eq!(lane.asked(), 2.0);
    assert_eq!(lane.lines().len(), 4);
}

#[tokio::test]
async fn a_name_that_is_dropped_for_ever_is_asked_about_once() {
    let mut lane = LaneSetup::new([TestFilter::hostile("drop-always")]).start().await;
    for _ in 0..3 {
        lane.event(0, "ONE", "{}");
        lane.settled().await;
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.asked(), 1.0);
    assert!(lane.lines().is_empty());
    assert_eq!(lane.checkpoint(0), Some(3), "dropped events count as delivered");
}

#[tokio::test]
async fn the_bundled_filter_is_asked_once_about_each_name() {
    let filter = TestFilter::component("filter-events", json!({ "events": ["LISTED"] }));
    let mut lane = LaneSetup::new([filter]).start().await;
    for _ in 0..2 {
        for name in ["LISTED", "OTHER"] {
            lane.event(0, name, "{}");
        }
        lane.settled().await;
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), ["LISTED 0 1 {}", "LISTED 0 3 {}"]);
    assert_eq!(lane.figure("gateway_component_events_total{component=\"filter-events\"}"), 2.0);
}
