//! What a lane says about delivery: nothing counts before STDOUT has it, and order holds.

use spectacles_gateway::capability::{Claim, Outcome};

use crate::lane::{LaneSetup, TestFilter, until};

#[tokio::test]
async fn an_idle_lane_does_not_wait_to_fill_a_batch() {
    let mut lane = LaneSetup::new([]).start().await;
    lane.event(0, "ALONE", "{}");
    until(|| lane.lines() == ["ALONE 0 1 {}"]).await;
    assert_eq!(lane.figure("gateway_lane_batches_total{lane=\"0\"}"), 1.0);
    lane.finish().await.unwrap();
}

#[tokio::test]
async fn what_arrives_together_is_one_batch() {
    let mut lane = LaneSetup::new([]).start().await;
    for _ in 0..50 {
        lane.event(0, "EVENT", "{}");
    }
    lane.finish().await.unwrap();
    assert_eq!(lane.figure("gateway_lane_batches_total{lane=\"0\"}"), 1.0);
    assert_eq!(lane.lines().len(), 50);
}

#[tokio::test]
async fn events_of_each_shard_stay_in_order() {
    let mut lane = LaneSetup::new([TestFilter::hostile("trap-on-marked")]).shards(5).start().await;
    for number in 0..1000_u32 {
        let payload = if number % 97 == 0 { r#"{"marked":1}"# } else { "{}" };
        lane.event(number % 5, "EVENT", payload);
    }
    lane.finish().await.unwrap();
    for shard in 0..5 {
        let numbers: Vec<_> = lane
            .lines()
            .iter()
            .map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
            .filter(|words| words[1] == shard.to_string())
            .map(|words| words[2].parse::<u64>().unwrap())
            .collect();
        assert_eq!(numbers, (1..=200).collect::<Vec<_>>(), "shard {shard}");
        assert_eq!(lane.checkpoint(shard), Some(200));
    }
}

#[tokio::test]
async fn nothing_counts_as_delivered_before_stdout_has_taken_it() {
    let mut lane = LaneSetup::new([]).shards(2).start().await;
    lane.output.block();
    for shard in [0, 1, 1] {
        lane.event(shard, "EVENT", "{}");
    }
    until(|| lane.figure("gateway_lane_open_events{lane=\"0\"}") == 3.0).await;
    assert_eq!((lane.checkpoint(0), lane.checkpoint(1)), (None, None));
    assert!(lane.queued(0) > 0 && lane.queued(1) > 0);
    lane.output.unblock();
    lane.finish().await.unwrap();
    assert_eq!((lane.checkpoint(0), lane.checkpoint(1)), (Some(1), Some(2)));
    assert_eq!((lane.queued(0), lane.queued(1)), (0, 0));
}

#[tokio::test]
async fn a_dropped_event_does_not_move_the_checkpoint_past_one_that_is_not_written() {
    let mut lane = LaneSetup::new([TestFilter::hostile("drop-marked")]).start().await;
    lane.output.block();
    lane.event(0, "WRITTEN", "{}");
    lane.event(0, "DROPPED", r#"{"marked":1}"#);
    until(|| lane.figure("gateway_lane_events_settled_total{lane=\"0\"}") == 1.0).await;
    assert_eq!(lane.checkpoint(0), None);
    lane.output.unblock();
    lane.finish().await.unwrap();
    assert_eq!(lane.checkpoint(0), Some(2));
}

#[tokio::test]
async fn a_blocked_output_stops_the_lane_and_loses_nothing() {
    let mut lane = LaneSetup::new([]).start().await;
    lane.output.block();
    // Each waits for the one before it to be taken, so that it is a batch of its own until the lane takes no more.
    for taken in 1..=4 {
        lane.event(0, "EVENT", "{}");
        until(|| lane.figure("gateway_lane_events_total{lane=\"0\"}") == f64::from(taken)).await;
    }
    for _ in 0..100 {
        lane.event(0, "EVENT", "{}");
    }
    lane.output.unblock();
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), (1..=104).map(|number| format!("EVENT 0 {number} {{}}")).collect::<Vec<_>>());
    assert_eq!(lane.checkpoint(0), Some(104));
}

#[tokio::test]
async fn a_closed_output_ends_the_lane_and_nothing_counts_as_delivered() {
    let mut lane = LaneSetup::new([]).start().await;
    lane.output.close();
    lane.event(0, "EVENT", "{}");
    let error = lane.finish().await.unwrap_err();
    assert!(format!("{error:#}").contains("STDOUT is closed"), "{error:#}");
    assert_eq!(lane.checkpoint(0), None);
}

#[tokio::test]
async fn a_command_for_another_gateway_goes_out_in_its_turn_and_past_all_filters() {
    let mut lane = LaneSetup::new([TestFilter::hostile("drop-marked")]).start().await;
    lane.event(0, "BEFORE", "{}");
    lane.republish("7", r#"{"marked":1}"#, Claim::unasked());
    lane.event(0, "AFTER", "{}");
    lane.finish().await.unwrap();
    assert_eq!(lane.lines(), ["BEFORE 0 1 {}", r#"7 0 0 {"marked":1}"#, "AFTER 0 2 {}"]);
    assert_eq!(lane.checkpoint(0), Some(2));
}

#[tokio::test]
async fn a_command_for_another_gateway_is_settled_when_it_has_gone_out() {
    let mut lane = LaneSetup::new([]).start().await;
    let (sender, outcomes) = std::sync::mpsc::sync_channel(1);
    lane.output.block();
    lane.event(0, "BEFORE", "{}");
    lane.republish("7", "{}", Claim::new(move |outcome| sender.send(outcome).unwrap()));
    lane.event(0, "BEHIND", "{}");
    // It was handed over: the lane has taken what lies behind it.
    until(|| lane.figure("gateway_lane_events_total{lane=\"0\"}") == 2.0).await;
    assert!(outcomes.try_recv().is_err());
    lane.output.unblock();
    lane.finish().await.unwrap();
    assert_eq!(outcomes.try_recv(), Ok(Outcome::Done));
}

#[tokio::test]
async fn a_command_for_another_gateway_that_cannot_go_out_is_given_back() {
    let mut lane = LaneSetup::new([]).start().await;
    let (sender, outcomes) = std::sync::mpsc::sync_channel(1);
    lane.output.close();
    lane.republish("7", "{}", Claim::new(move |outcome| sender.send(outcome).unwrap()));
    lane.finish().await.unwrap_err();
    assert_eq!(outcomes.try_recv(), Ok(Outcome::Returned));
}
