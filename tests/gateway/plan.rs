//! `gateway plan`.

use std::time::Duration;

use gateway_simulator::{Happening, Options, SessionStarts, Simulator};
use gateway_tests::Setup;
use serde_json::{Value, json};

use crate::support::{count, identifies, setup, shards, start};

#[tokio::test]
async fn a_first_start_identifies_every_shard_and_nothing_is_started_by_asking() {
    let simulator = start(Options { max_concurrency: 2, ..shards(5) }).await;
    let output = plan(&simulator).output().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let expected = "\
shards              5 of 5
  resume            0
  identify          5
session starts      1000 of 1000 left, 995 after this start; all again in 24h
  reserve           50 (identify.reserve)
waves               3, the last after 11s (max_concurrency is 2)
last 24 hours       no identifies on record
verdict             ready to start
";
    // The clock runs.
    assert_eq!(text.replace("23h59m59s", "24h"), expected);
    assert_eq!(count(&simulator.control(), |happening| !matches!(happening, Happening::Rest { .. })), 0);
}

#[tokio::test]
async fn it_works_beside_a_running_gateway() {
    let simulator = start(shards(2)).await;
    let stored = setup(&simulator).variable("SHARD_STORE_PATH", "store");
    let mut gateway = stored.start();
    gateway.next_named("READY").await;
    gateway.next_named("READY").await;
    gateway.drain().await;
    let mut gateway = stored.start();
    gateway.next_named("RESUMED").await;
    gateway.next_named("RESUMED").await;

    let asking = stored.argument("plan");
    let text = String::from_utf8(asking.output().await.stdout).unwrap();
    assert!(text.contains("  resume            2, saved ") && text.contains("  identify          0\n"), "{text}");
    assert!(text.contains("2 identifies on record: start 2"), "{text}");
    let found = answer(&asking.argument("--json"), 0).await;
    assert_eq!(found["resuming"], json!({ "count": 2, "ids": [0, 1] }));
    assert_eq!(found["identifying"], json!({ "count": 0, "ids": [] }));
    assert_eq!(found["recorded"], json!({ "start": 2 }));
    assert_eq!((&found["waves"], &found["last_identify_seconds"]), (&json!(0), &json!(0.0)));
    assert_eq!(identifies(&simulator.control()), 2);
    gateway.drain().await;
}

#[tokio::test]
async fn a_start_that_would_need_the_reserve_has_an_exit_code_of_its_own() {
    let session_starts = SessionStarts { total: 1000, remaining: 51, reset_after: Duration::from_secs(86_400) };
    let simulator = start(Options { session_starts, ..shards(3) }).await;
    let output = plan(&simulator).output().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("2 shards would wait ") && text.contains("`gateway --spend-reserve` takes it"), "{text}");
    assert!(text.contains("51 of 1000 left, 50 after this start"), "{text}");

    let found = answer(&plan(&simulator).argument("--json"), 3).await;
    let starts = &found["session_starts"];
    assert_eq!(
        (&starts["remaining"], &starts["remaining_after"], &starts["reserve"]),
        (&json!(51), &json!(50), &json!(50))
    );
    assert_eq!((&found["affordable"], &found["waiting_for_session_starts"]), (&json!(false), &json!(2)));
    let spending = answer(&plan(&simulator).argument("--json").argument("--spend-reserve"), 0).await;
    assert_eq!((&spending["affordable"], &spending["session_starts"]["reserve"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn a_discord_that_cannot_be_asked_is_an_error() {
    let simulator = start(shards(1)).await;
    let error = plan(&simulator).variable("DISCORD_API_HOST", "127.0.0.1:1").failure().await;
    assert!(error.contains("gateway: ") && error.contains("127.0.0.1:1"), "{error}");
}

fn plan(simulator: &Simulator) -> Setup {
    setup(simulator).argument("plan")
}

async fn answer(setup: &Setup, code: i32) -> Value {
    let output = setup.output().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    serde_json::from_str(&text).unwrap()
}
