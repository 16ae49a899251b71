//! `gateway demo`.

use gateway_tests::Setup;

use crate::GATEWAY;

#[tokio::test]
async fn the_demo_prints_as_many_events_as_asked_for_and_ends() {
    let output = Setup::new(GATEWAY).argument("demo").argument("--events").argument("25").output().await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect();
    assert_eq!(names.len(), 25);
    assert_eq!(names[0]["event"], "READY");
}
