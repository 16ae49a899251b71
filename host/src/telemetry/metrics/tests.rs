use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gateway_protocol::{IdentifyHold, IdentifyReason, LossReason};

use super::*;
use crate::capability::Outcome;

#[track_caller]
fn assert_shown(metrics: &Metrics, lines: &str) {
    let text = metrics.render().unwrap();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(text.lines().any(|shown| shown == line), "`{line}` is missing in:\n{text}");
    }
}

#[test]
fn the_families_of_the_original_are_unchanged() {
    let metrics = Metrics::new().unwrap();
    metrics.running_shards(4);
    let mut shard = metrics.shard(ShardId(3));
    shard.alive(true);
    shard.packet_received("", 10);
    shard.packet_received("MESSAGE_CREATE", 0);
    shard.packet_received("MESSAGE_CREATE", 0);
    shard.packet_sent(2);
    shard.ping(std::time::Duration::from_micros(41_500));
    assert_shown(
        &metrics,
        r#"
        # HELP gateway_packets_received Counter of packets received over all gateway connections.
        # TYPE gateway_packets_received counter
        gateway_packets_received{op="10",shard="3",t=""} 1
        gateway_packets_received{op="0",shard="3",t="MESSAGE_CREATE"} 2
        # HELP gateway_packets_sent Counter of packets sent over all gateway connections.
        # TYPE gateway_packets_sent counter
        gateway_packets_sent{op="2",shard="3",t=""} 1
        # HELP gateway_shards_alive Number of shards that are online
        # TYPE gateway_shards_alive gauge
        gateway_shards_alive{id="3"} 1
        # HELP gateway_total_shards Total number of shards that should be online.
        # TYPE gateway_total_shards gauge
        gateway_total_shards 4
        # HELP gateway_ping Latency between heartbeat and acknowledgement (in milliseconds).
        # TYPE gateway_ping summary
        gateway_ping{id="3",quantile="0.5"} 41.5
        gateway_ping{id="3",quantile="0.9"} 41.5
        gateway_ping{id="3",quantile="0.95"} 41.5
        gateway_ping{id="3",quantile="0.99"} 41.5
        gateway_ping_sum{id="3"} 41.5
        gateway_ping_count{id="3"} 1
        "#,
    );
}

#[test]
fn series_of_a_shard_that_never_connected_are_not_shown_as_alive() {
    let metrics = Metrics::new().unwrap();
    let shard = metrics.shard(ShardId(0));
    assert!(!metrics.render().unwrap().contains("gateway_shards_alive{"));
    shard.alive(true);
    drop(shard);
    assert_shown(&metrics, r#"gateway_shards_alive{id="0"} 0"#);
}

#[test]
fn hostile_event_names_and_opcodes_share_one_series() {
    let metrics = Metrics::new().unwrap();
    let mut shard = metrics.shard(ShardId(0));
    for number in 0..10_000 {
        shard.packet_received(&format!("EVENT_{number}"), 0);
        shard.packet_received("", number + 1000);
    }
    shard.packet_received("bad\"}\nname", 0);
    shard.packet_received(&"A".repeat(65), 0);
    shard.packet_received("EVENT_1", 0);
    let series = metrics.render().unwrap().lines().filter(|line| line.starts_with("gateway_packets_received{")).count();
    assert_eq!(series, 256 + 2);
    assert_shown(
        &metrics,
        r#"
        gateway_packets_received{op="0",shard="0",t="EVENT_1"} 2
        gateway_packets_received{op="0",shard="0",t="other"} 9746
        gateway_packets_received{op="other",shard="0",t=""} 10000
        "#,
    );
}

#[test]
fn a_name_beside_another_opcode_than_dispatch_is_not_a_label() {
    let metrics = Metrics::new().unwrap();
    metrics.shard(ShardId(0)).packet_received("READY", 11);
    assert_shown(&metrics, r#"gateway_packets_received{op="11",shard="0",t=""} 1"#);
}

#[test]
fn a_repeated_pause_counts_once_and_ends_with_the_shard() {
    let metrics = Metrics::new().unwrap();
    let mut shard = metrics.shard(ShardId(0));
    shard.paused(true);
    shard.paused(true);
    assert_shown(&metrics, "gateway_shard_paused{shard=\"0\"} 1\ngateway_shard_pauses_total{shard=\"0\"} 1");
    drop(shard);
    assert_shown(&metrics, "gateway_shard_paused{shard=\"0\"} 0\ngateway_shard_pauses_total{shard=\"0\"} 1");
    assert!(metrics.render().unwrap().contains("gateway_shard_pause_seconds_total{shard=\"0\"} "));
}

#[test]
fn what_goes_wrong_with_a_session_is_counted() {
    let metrics = Metrics::new().unwrap();
    let shard = metrics.shard(ShardId(1));
    assert_shown(&metrics, r#"gateway_sessions_lost_total{shard="1"} 0"#);
    shard.session_started();
    shard.reconnecting("heartbeat");
    shard.session_resumed();
    shard.session_lost();
    shard.sequence_gap(3);
    shard.duplicate();
    shard.inflate_failed();
    shard.packet_malformed();
    assert_shown(
        &metrics,
        r#"
        gateway_sessions_total{kind="new",shard="1"} 1
        gateway_sessions_total{kind="resumed",shard="1"} 1
        gateway_reconnects_total{cause="heartbeat",shard="1"} 1
        gateway_sessions_lost_total{shard="1"} 1
        gateway_sequence_gaps_total{shard="1"} 1
        gateway_events_missing_total{shard="1"} 3
        gateway_events_duplicate_total{shard="1"} 1
        gateway_inflate_errors_total{shard="1"} 1
        gateway_packets_malformed_total{shard="1"} 1
        "#,
    );
}

#[test]
fn memory_is_the_sum_over_the_lanes_instances() {
    let metrics = Metrics::new().unwrap();
    let (one, two) = (metrics.component("filter"), metrics.component("filter"));
    one.memory(100);
    two.memory(50);
    one.memory(70);
    assert_shown(&metrics, r#"gateway_component_memory_bytes{component="filter"} 120"#);
    drop(one);
    assert_shown(&metrics, r#"gateway_component_memory_bytes{component="filter"} 50"#);
    two.memory(0);
    assert_shown(&metrics, r#"gateway_component_memory_bytes{component="filter"} 0"#);
}

#[test]
fn calls_verdicts_and_failures_are_counted_by_component() {
    let metrics = Metrics::new().unwrap();
    let component = metrics.component("filter");
    component.called(64, std::time::Duration::from_micros(20));
    component.decided(true);
    component.decided(false);
    component.failed("trap");
    assert_shown(
        &metrics,
        r#"
        gateway_component_call_seconds_bucket{component="filter",le="0.00001"} 0
        gateway_component_call_seconds_bucket{component="filter",le="0.00005"} 1
        gateway_component_call_seconds_count{component="filter"} 1
        gateway_component_events_total{component="filter"} 64
        gateway_component_verdicts_total{component="filter",verdict="pass"} 1
        gateway_component_verdicts_total{component="filter",verdict="drop"} 1
        gateway_component_failures_total{component="filter",reason="trap"} 1
        "#,
    );
}

#[test]
fn a_lane_that_ended_holds_nothing_open() {
    let metrics = Metrics::new().unwrap();
    let lane = metrics.lane(1);
    lane.batch(10);
    lane.open(10, None);
    lane.settled(false);
    lane.settled(true);
    lane.message_refused();
    assert_shown(
        &metrics,
        r#"
        gateway_lane_batches_total{lane="1"} 1
        gateway_lane_events_total{lane="1"} 10
        gateway_lane_events_settled_total{lane="1"} 1
        gateway_lane_open_events{lane="1"} 10
        gateway_messages_refused_total 1
        "#,
    );
    drop(lane);
    assert_shown(&metrics, r#"gateway_lane_open_events{lane="1"} 0"#);
}

#[test]
fn queues_are_looked_up_at_the_scrape() {
    let metrics = Metrics::new().unwrap();
    let used = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&used);
    metrics.watch_queue(ShardId(2), move || asked.load(Ordering::Relaxed));
    metrics.queue_limits(100, 1000);
    used.store(77, Ordering::Relaxed);
    assert_shown(
        &metrics,
        r#"
        gateway_queue_bytes{shard="2"} 77
        gateway_queue_limit_bytes{scope="shard"} 100
        gateway_queue_limit_bytes{scope="process"} 1000
        "#,
    );
}

#[test]
fn identifies_commands_checkpoints_and_guests_are_shown() {
    let metrics = Metrics::new().unwrap();
    let identifies = metrics.identifies();
    assert!(!metrics.render().unwrap().contains("gateway_identifies_left_age_seconds "), "nobody has told yet");
    identifies.refreshed();
    identifies.left(999, 50);
    identifies.granted(IdentifyReason::Start);
    identifies.granted(IdentifyReason::Lost(LossReason::Invalidated));
    identifies.waiting(IdentifyHold::Breaker, 2);
    identifies.unrecorded(3);
    metrics.commands().sent();
    metrics.commands().republished();
    metrics.commands().refused("opcode");
    metrics.checkpoints().saved();
    metrics.checkpoints().failed();
    metrics.checkpoints().unsaved(2);
    metrics.guests().gauges.with_label_values(&["filter", "depth"]).set(1.5);
    assert_shown(
        &metrics,
        r#"
        gateway_identifies_left 999
        gateway_identify_reserve 50
        gateway_identifies_total{reason="start"} 1
        gateway_identifies_total{reason="invalidated"} 1
        gateway_identifies_waiting{cause="breaker"} 2
        gateway_identifies_unrecorded_total 3
        gateway_commands_sent_total 1
        gateway_commands_republished_total 1
        gateway_commands_refused_total{reason="opcode"} 1
        gateway_checkpoints_total 1
        gateway_checkpoint_failures_total 1
        gateway_checkpoints_unsaved 2
        gateway_component_gauge{component="filter",name="depth"} 1.5
        "#,
    );
    let age = |text: String| {
        text.lines().find_map(|line| line.strip_prefix("gateway_identifies_left_age_seconds ")?.parse().ok())
    };
    let ages: [Option<f64>; 2] = [(); 2].map(|()| age(metrics.render().unwrap()));
    assert!(ages[0] >= Some(0.0) && ages[1] > ages[0], "the age is of the scrape's time: {ages:?}");
    assert_shown(&metrics, &format!("gateway_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_goes_to_a_broker_and_comes_from_it_is_counted() {
    let metrics = Metrics::new().unwrap();
    let broker = metrics.broker("amqp");
    assert_shown(&metrics, r#"gateway_broker_connected{broker="amqp"} 0"#);
    broker.connect_failed();
    broker.connected(true);
    broker.blocked(true);
    let (lane, other_lane) = (broker.clone(), broker.clone());
    lane.published(5);
    other_lane.published(2);
    lane.unroutable(2);
    lane.retried(3);
    lane.refused_by_broker("too_large");
    broker.received();
    broker.skipped("too_old");
    broker.settled(Outcome::Done);
    broker.settled(Outcome::Refused);
    broker.settled(Outcome::Returned);
    assert_shown(
        &metrics,
        r#"
        gateway_broker_connected{broker="amqp"} 1
        gateway_broker_blocked{broker="amqp"} 1
        gateway_broker_connect_failures_total{broker="amqp"} 1
        gateway_broker_messages_published_total{broker="amqp"} 7
        gateway_broker_messages_unroutable_total{broker="amqp"} 2
        gateway_broker_messages_retried_total{broker="amqp"} 3
        gateway_broker_messages_refused_total{broker="amqp",reason="too_large"} 1
        gateway_broker_messages_received_total{broker="amqp"} 1
        gateway_broker_messages_skipped_total{broker="amqp",reason="too_old"} 1
        gateway_broker_messages_settled_total{broker="amqp",outcome="done"} 1
        gateway_broker_messages_settled_total{broker="amqp",outcome="refused"} 1
        gateway_broker_messages_settled_total{broker="amqp",outcome="returned"} 1
        "#,
    );
    broker.connected(false);
    assert_shown(
        &metrics,
        r#"
        gateway_broker_connected{broker="amqp"} 0
        gateway_broker_blocked{broker="amqp"} 0
        "#,
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_shown_and_its_time_never_goes_back() {
    let value = |text: &str, name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).expect(name);
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let metrics = Metrics::new().unwrap();
    let (first, second) = (metrics.render().unwrap(), metrics.render().unwrap());
    assert!(value(&second, "process_cpu_seconds_total ") >= value(&first, "process_cpu_seconds_total "));
    for name in
        ["process_open_fds ", "process_max_fds ", "process_resident_memory_bytes ", "process_start_time_seconds "]
    {
        assert!(value(&first, name) > 0.0, "{name}");
    }
    assert!(value(&first, "process_virtual_memory_bytes ") >= value(&first, "process_resident_memory_bytes "));
}

#[test]
fn every_family_is_documented() {
    let documentation = include_str!("../../../../docs/metrics.md");
    let families = families();
    assert!(families.len() > 40, "{families:?}");
    for family in families {
        assert!(documentation.contains(&format!("`{family}`")), "docs/metrics.md does not explain `{family}`");
    }
}

#[test]
fn every_alert_asks_for_figures_that_exist_and_says_what_to_do() {
    let alerts = include_str!("../../../../docs/alerts.yml");
    let operations = include_str!("../../../../docs/operations.md");
    let anchors: Vec<String> = operations.lines().filter_map(|line| Some(anchor(line.strip_prefix("### ")?))).collect();
    let families = families();
    let mut used = Vec::new();
    for alert in alerts.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap();
        let (_, expression) = alert.split_once("expr: ").unwrap();
        let (expression, rest) = expression.split_once(" for: ").expect("an alert says how long it waits");
        let word = |text: char| text.is_ascii_alphanumeric() || text == '_';
        let figures = expression.split(|text| !word(text)).filter(is_family).collect::<Vec<_>>();
        assert!(!figures.is_empty(), "{name} asks for no figure");
        for figure in figures {
            assert!(families.contains(&figure), "{name} asks for {figure}, which does not exist");
        }
        assert!(
            ["critical", "warning", "info"].iter().any(|severity| rest.contains(&format!("severity: {severity}\n")))
        );
        assert!(rest.contains("summary: "), "{name} has no summary");
        let (_, runbook) = rest.split_once("runbook_url: ").expect("an alert says where to read what to do");
        let (page, anchor) = runbook.lines().next().unwrap().split_once('#').unwrap();
        assert!(
            page.ends_with("/docs/operations.md") && anchors.iter().any(|known| known == anchor),
            "{name}: {anchor}"
        );
        used.push(anchor.to_owned());
    }
    for anchor in anchors {
        assert!(used.contains(&anchor), "no alert leads to docs/operations.md#{anchor}");
    }
}

/// As GitHub makes it from a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|text| text.is_alphanumeric() || matches!(text, ' ' | '-'));
    kept.map(|text| if text == ' ' { '-' } else { text.to_ascii_lowercase() }).collect()
}

/// All families that the sources name.
fn families() -> Vec<&'static str> {
    let sources = [
        include_str!("broker.rs"),
        include_str!("checkpoint.rs"),
        include_str!("command.rs"),
        include_str!("component.rs"),
        include_str!("dead_letter.rs"),
        include_str!("gap.rs"),
        include_str!("identify.rs"),
        include_str!("lane.rs"),
        include_str!("mod.rs"),
        include_str!("ping.rs"),
        include_str!("process.rs"),
        include_str!("queue.rs"),
        include_str!("shard.rs"),
    ];
    sources.iter().flat_map(|source| source.split('"')).filter(is_family).collect()
}

fn is_family(text: &&str) -> bool {
    (text.starts_with("gateway_") || text.starts_with("process_"))
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
