//! Metrics and health.

use std::time::Duration;

use gateway_simulator::{Answer, FaultKind, Happening, Limits, Options};
use serde_json::{Value, json};

use crate::support::{happens, quiet, setup, start, without_guilds};

#[tokio::test]
async fn the_originals_families_have_their_types_helps_and_labels() {
    let limits = Limits { heartbeat_tolerance: 60.0, ..Limits::default() };
    let options = Options { hello_interval: Duration::from_secs(1), limits, ..without_guilds() };
    let simulator = start(options).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).with_metrics().start();
    gateway.next_named("READY").await;
    control.send_event(0, "MESSAGE_CREATE", "{}");
    control.send_event(0, "MESSAGE_CREATE", "{}");
    gateway.next_events(2).await;
    // When the third heartbeat comes, the first acknowledgement has been read.
    happens(&control, 3, |entry| matches!(entry.happening, Happening::Heartbeat { .. })).await;
    let answer = gateway.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let figures = gateway.figures().await;
    for (name, kind, help) in [
        ("gateway_packets_received", "counter", "Counter of packets received over all gateway connections."),
        ("gateway_packets_sent", "counter", "Counter of packets sent over all gateway connections."),
        ("gateway_shards_alive", "gauge", "Number of shards that are online"),
        ("gateway_total_shards", "gauge", "Total number of shards that should be online."),
        ("gateway_ping", "summary", "Latency between heartbeat and acknowledgement (in milliseconds)."),
    ] {
        for line in [format!("# HELP {name} {help}"), format!("# TYPE {name} {kind}")] {
            assert!(figures.0.lines().any(|shown| shown == line), "{line} is not in\n{}", figures.0);
        }
    }
    for (series, value) in [
        (r#"gateway_packets_received{op="0",shard="0",t="MESSAGE_CREATE"}"#, 2.0),
        (r#"gateway_packets_received{op="0",shard="0",t="READY"}"#, 1.0),
        (r#"gateway_packets_received{op="10",shard="0",t=""}"#, 1.0),
        (r#"gateway_packets_sent{op="2",shard="0",t=""}"#, 1.0),
        (r#"gateway_shards_alive{id="0"}"#, 1.0),
        ("gateway_total_shards", 1.0),
    ] {
        assert_eq!(figures.of(series), Some(value), "{series}");
    }
    for quantile in ["0.5", "0.9", "0.95", "0.99"] {
        let ping = figures.of(&format!(r#"gateway_ping{{id="0",quantile="{quantile}"}}"#));
        assert!(ping.is_some_and(|ping| (0.0..60_000.0).contains(&ping)), "{ping:?}");
    }
    assert!(figures.of(r#"gateway_ping_count{id="0"}"#) >= Some(1.0));
    assert!(figures.of("process_resident_memory_bytes") > Some(1e6));
}

#[tokio::test]
async fn lanes_components_queues_and_checkpoints_have_figures() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator).variable("DISCORD_EVENTS", "WANTED").variable("GATEWAY_LANES_COUNT", "1");
    let mut gateway = setup.with_metrics().start();
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    for _ in 0..10 {
        control.send_event(0, "UNWANTED", "{}");
        control.send_event(0, "WANTED", "{}");
    }
    gateway.next_events(10).await;
    let figures = gateway.figures().await;
    for (series, value) in [
        (r#"gateway_lane_events_total{lane="0"}"#, 21.0),
        (r#"gateway_queue_limit_bytes{scope="shard"}"#, 16777216.0),
        (r#"gateway_queue_limit_bytes{scope="process"}"#, 268435456.0),
        (r#"gateway_sessions_total{kind="new",shard="0"}"#, 1.0),
        ("gateway_identifies_left", 999.0),
        (r#"gateway_identifies_total{reason="start"}"#, 1.0),
        ("gateway_checkpoints_unsaved", 0.0),
        ("gateway_checkpoint_failures_total", 0.0),
        (r#"gateway_build_info{version="0.1.0"}"#, 1.0),
    ] {
        assert_eq!(figures.of(series), Some(value), "{series}\n{}", figures.0);
    }
    for component in ["filter-events", "broker-stdio"] {
        let memory = figures.of(&format!(r#"gateway_component_memory_bytes{{component="{component}"}}"#));
        assert!(memory > Some(0.0), "{component}\n{}", figures.0);
        let calls = figures.of(&format!(r#"gateway_component_call_seconds_count{{component="{component}"}}"#));
        assert!(calls > Some(0.0), "{component}\n{}", figures.0);
    }
    // A verdict for ever is asked for once.
    let verdict = |verdict: &str| {
        figures.of(&format!(r#"gateway_component_verdicts_total{{component="filter-events",verdict="{verdict}"}}"#))
    };
    assert!(verdict("pass") >= Some(1.0) && verdict("drop") >= Some(2.0), "{}", figures.0);
}

#[tokio::test]
async fn readiness_follows_the_shards_and_health_is_good_all_along() {
    let simulator = quiet().await;
    let control = simulator.control();
    control.fault(FaultKind::AnswerIdentify(Answer::Silence));
    let mut gateway = setup(&simulator).with_metrics().start();
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Identify { .. })).await;
    let answer = gateway.get("/readyz").await;
    let readiness: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &readiness["ready"]), (503, &json!(false)), "{readiness}");
    assert_eq!(readiness["shards"], json!([{"shard": 0, "state": "identifying"}]));
    assert_eq!(gateway.get("/healthz").await.body, "ok\n");
    control.fault(FaultKind::Reset);
    gateway.next_named("READY").await;
    let answer = gateway.get("/readyz").await;
    let readiness: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, readiness), (200, json!({"ready": true, "shards": [{"shard": 0, "state": "ready"}]})));
    assert_eq!(gateway.get("/healthz").await.status, 200);
    control.fault(FaultKind::ResumeUrlDead);
    control.fault(FaultKind::Upgrade(502).until_cleared());
    control.fault(FaultKind::Drop);
    gateway.logged("connecting failed").await;
    assert_eq!(gateway.get("/readyz").await.status, 503);
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_shards_alive{id="0"}"#), Some(0.0));
}

#[tokio::test]
async fn an_endpoint_is_the_only_path_with_metrics() {
    let simulator = quiet().await;
    let mut gateway = setup(&simulator).with_metrics().variable("PROMETHEUS_ENDPOINT", "/stats").start();
    assert!(gateway.get("/stats").await.body.contains("gateway_total_shards"));
    assert_eq!(gateway.get("/metrics").await.status, 404);
    assert_eq!(gateway.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_taken_port_is_an_error_at_the_start() {
    let simulator = quiet().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = setup(&simulator).variable("PROMETHEUS_ADDRESS", &address).failure().await;
    let expected = format!("gateway: cannot listen on `{address}` for metrics: another program uses the port");
    assert!(error.lines().last().unwrap().starts_with(&expected), "{error}");
    let asked = |happening: &Happening| matches!(happening, Happening::Rest { .. });
    assert_eq!(crate::support::count(&simulator.control(), asked), 0);
}
