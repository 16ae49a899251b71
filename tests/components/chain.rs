//! Filters one after another: each sees what the one before it has left.

use crate::lane::{LaneSetup, TestFilter};

#[tokio::test]
async fn a_replaced_payload_is_what_the_adapter_publishes() {
    let mut lane = LaneSetup::new([TestFilter::hostile("wrap")]).start().await;
    lane.event(0, "EVENT", r#"{"big":12345678901234567890}"#);
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), [r#"EVENT 0 1 [{"big":12345678901234567890}]"#]);
}

#[tokio::test]
async fn filters_run_in_the_order_of_the_configuration() {
    let mut lane = LaneSetup::new([TestFilter::hostile("wrap"), TestFilter::hostile("replace")]).start().await;
    lane.event(0, "EVENT", "1");
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), [r#"EVENT 0 1 {"replaced":1,"known":false}"#]);

    let mut lane = LaneSetup::new([TestFilter::hostile("replace"), TestFilter::hostile("wrap")]).start().await;
    lane.event(0, "EVENT", "1");
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), [r#"EVENT 0 1 [{"replaced":1,"known":false}]"#]);
}

#[tokio::test]
async fn what_one_filter_looked_up_is_not_found_after_its_replacement() {
    let filters = ["replace", "drop-what-is-not-replaced"].map(TestFilter::hostile);
    let mut lane = LaneSetup::new(filters).start().await;
    for _ in 0..3 {
        lane.event(0, "EVENT", "{}");
    }
    lane.finish().await.unwrap();
    assert_eq!(
        lane.lines(),
        (1..=3).map(|number| format!("EVENT 0 {number} {{\"replaced\":{number},\"known\":false}}")).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_one_filter_drops_the_next_is_not_asked_about() {
    let filters = [TestFilter::hostile("drop-marked"), TestFilter::guest("inspecting-filter")];
    let mut lane = LaneSetup::new(filters).start().await;
    for payload in [r#"{"marked":1}"#, "{}", r#"{"marked":2}"#] {
        lane.event(0, "EVENT", payload);
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), ["EVENT 0 2 {}"]);
    assert_eq!(lane.figure("gateway_component_events_total{component=\"inspecting_filter\"}"), 1.0);
    assert_eq!(lane.checkpoint(0), Some(3));
}
