//! Commands that can never work.

use serde_json::json;

use crate::support::{Inlet, commands_come, discord, family, figure, numbers, on_redis, packet, ready, redis, send};

#[tokio::test]
async fn what_can_never_work_is_gone_and_counted_and_the_next_command_works() {
    for inlet in Inlet::both().await {
        let simulator = discord(1).await;
        let control = simulator.control();
        let mut gateway = inlet.gateway(&simulator).start();
        ready(&control, 1).await;
        let mut client = inlet.client().await;
        let poison: [Vec<u8>; 14] = [
            json!({"guild_id": "0", "packet": null}).to_string().into(),
            json!({"guild_id": "0"}).to_string().into(),
            json!({"guild_id": "x", "packet": packet(0)}).to_string().into(),
            json!({"guild_id": 1.5, "packet": packet(0)}).to_string().into(),
            json!({"packet": {"op": 2, "d": {}}}).to_string().into(),
            json!({"packet": {"op": 6, "d": {}}}).to_string().into(),
            json!({"packet": {"op": "3", "d": {}}}).to_string().into(),
            json!({"packet": {"op": 3, "d": "x".repeat(5000)}}).to_string().into(),
            "5".into(),
            "[]".into(),
            "{".into(),
            "".into(),
            vec![0xff],
            // A map that ends too early.
            vec![0x82, 0xa1],
        ];
        for body in &poison {
            client.publish_bytes("SEND", body).await;
        }
        client.publish("SEND", send(1)).await;
        commands_come(&control, 1).await;
        inlet.settles("SEND", 0).await;
        assert_eq!(numbers(&control), [1]);
        assert_eq!(family(&mut gateway, "gateway_commands_refused_total").await as usize, poison.len());
        // It lives, and still publishes.
        gateway.drain().await;
    }
}

#[tokio::test]
async fn an_entry_without_the_field_is_skipped_and_counted() {
    let redis = redis().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    let mut gateway = on_redis(&simulator, &redis).start();
    ready(&control, 1).await;
    let _: String = redis.command(&["XADD", "SEND", "*", "other", "1"]).await;
    let _: String =
        redis.command(&["XADD", "SEND", "*", "before", "1", "data", &send(1).to_string(), "after", "2"]).await;
    commands_come(&control, 1).await;
    let skipped = r#"gateway_broker_messages_skipped_total{broker="redis",reason="no_field"}"#;
    assert_eq!(figure(&mut gateway, skipped).await as usize, 1);
    Inlet::Redis(Box::new(redis)).settles("SEND", 0).await;
}
