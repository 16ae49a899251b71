//! What nobody may read stays out of log and metrics.

use gateway_simulator::{FaultKind, Happening};

use crate::support::{busy, count, setup, start};

#[tokio::test]
async fn token_and_session_never_appear_in_log_or_metrics_at_any_level() {
    for format in ["text", "json"] {
        let simulator = start(busy(200.0)).await;
        let control = simulator.control();
        let setup = setup(&simulator).with_metrics().variable("GATEWAY_LOG_FORMAT", format);
        let setup = setup.argument("-loglevel").argument("debug");
        let mut gateway = setup.start();
        let ready = gateway.next_named("READY").await;
        gateway.input(r#"["0",{"op":3,"d":{"since":null,"activities":[],"status":"idle","afk":false}}] garbage"#).await;
        gateway.input("\n[\"SEND\",5]").await;
        control.fault(FaultKind::Reset);
        gateway.next_named("RESUMED").await;
        let figures = gateway.figures().await;
        let readiness = gateway.get("/readyz").await.body;
        gateway.drain().await;
        let mut log = gateway.whole_log().await;
        // The next run reads the session from its file.
        let mut gateway = setup.start();
        gateway.next_named("RESUMED").await;
        gateway.drain().await;
        log += &gateway.whole_log().await;
        assert!(log.contains("DEBUG"), "{log}");
        assert_eq!(count(&control, |happening| matches!(happening, Happening::Resumed { .. })), 2);
        let session = ready.data["session_id"].as_str().unwrap();
        for secret in ["test.token", session] {
            for (place, text) in [("log", &log), ("metrics", &figures.0), ("readiness", &readiness)] {
                let line = text.lines().find(|line| line.contains(secret));
                assert_eq!(line, None, "a secret is in the {place}");
            }
        }
    }
}
