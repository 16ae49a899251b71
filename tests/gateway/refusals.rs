//! Commands that can never work: each is dropped with a line in the log and a count, and the next one works.

use gateway_simulator::Happening;
use gateway_tests::{Figures, Msgpack};
use serde_json::json;

use crate::support::{count, happens, quiet, setup};

const GOOD: &str = r#"{"event":"0","data":{"op":3,"d":{"since":null,"activities":[],"status":"idle","afk":false}}}"#;

#[tokio::test]
async fn what_can_never_work_is_refused_with_a_line_and_a_count_and_the_next_command_works() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).with_metrics().start();
    gateway.next_named("READY").await;
    let send = |data: &str| format!(r#"{{"event":"SEND","data":{data}}}"#).into_bytes();
    let packet = |packet: &str| send(&format!(r#"{{"packet":{packet}}}"#));
    let large = format!(r#"{{"op":3,"d":"{}"}}"#, "x".repeat(4096));
    let refused = |reason: &str| format!(r#"gateway_commands_refused_total{{reason="{reason}"}}"#);
    let cases = [
        (packet(r#"{"op":2,"d":{}}"#), "reserved_opcode", "opcode 2 is not for bots to send"),
        (packet(r#"{"op":1,"d":null}"#), "reserved_opcode", "opcode 1 is not for bots to send"),
        (packet("null"), "no_packet", "it has no `packet`"),
        (send(r#"{"guild_id":"1"}"#), "no_packet", "it has no `packet`"),
        (send("5"), "not_an_object", "it is not an object"),
        (packet("[]"), "not_an_object", "its `packet` is not an object"),
        (send(r#"{"guild_id":"x","packet":{"op":3,"d":null}}"#), "guild_id", "not a guild's id"),
        (packet(r#"{"d":{}}"#), "no_opcode", "no `op`"),
        (packet(r#"{"op":"3","d":{}}"#), "invalid_opcode", "not a whole number"),
        (packet(&large), "too_large", "but 4096 are allowed"),
        (send(r#""{\"packet\":""#), "invalid_json", "not valid JSON"),
        (
            br#"{"event":"7","data":{"op":3,"d":null}}"#.to_vec(),
            "foreign_shard",
            "shard 7 does not run in this gateway",
        ),
        (Msgpack::default().array(2).string("SEND").binary(b"").0, "invalid_json", "EOF while parsing a value"),
        (
            Msgpack::default().array(2).string("0").map(2).string("op").value(&json!(3)).string("d").binary(b"x").0,
            "no_json_form",
            "JSON cannot express",
        ),
    ];
    for (number, (input, reason, line)) in (1..).zip(cases) {
        let before = value(&gateway.figures().await, &refused(reason));
        gateway.input(input).await;
        gateway.input(GOOD).await;
        happens(&control, number, |entry| matches!(entry.happening, Happening::Command { .. })).await;
        let logged = gateway.logged(line).await;
        assert!(logged.contains("a command was refused"), "{logged}");
        assert_eq!(value(&gateway.figures().await, &refused(reason)), before + 1.0, "{reason}: {logged}");
    }
    assert_eq!(count(&control, |happening| matches!(happening, Happening::ServerClosed { .. })), 0);
}

#[tokio::test]
async fn garbage_is_skipped_with_a_line_and_a_count_and_the_next_command_works() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).with_metrics().start();
    gateway.next_named("READY").await;
    let too_large = format!(r#"{{"event":"0","data":"{}"}}"#, "x".repeat(2 << 20));
    let cases: [(&[u8], &str); 6] = [
        (b"what is this?\n", "begins neither a JSON text nor a MessagePack map or array"),
        (b"{\"event\": \"SE\n", "is misspelt or has a line break within a string"),
        (b"{\"event\": \"SEND\"}", "was dropped"),
        (b"{\"event\": 5, \"data\": {}}", "not a command of the form"),
        (b"\x93\x01\x02\x03", "neither a map nor an array of two elements"),
        (too_large.as_bytes(), "it has more than 1048576 bytes"),
    ];
    for (number, (input, line)) in (1_u32..).zip(cases) {
        gateway.input(input).await;
        gateway.input(GOOD).await;
        happens(&control, number.try_into().unwrap(), |entry| matches!(entry.happening, Happening::Command { .. }))
            .await;
        gateway.logged(line).await;
        assert_eq!(value(&gateway.figures().await, "gateway_messages_refused_total"), f64::from(number), "{line}");
    }
}

#[tokio::test]
async fn a_command_of_an_unknown_name_is_skipped_with_a_line() {
    let simulator = quiet().await;
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    gateway.input(r#"{"event":"SNED","data":{}}"#).await;
    gateway.input(GOOD).await;
    gateway.logged(r#"skipped a command for "SNED""#).await;
    happens(&simulator.control(), 1, |entry| matches!(entry.happening, Happening::Command { .. })).await;
}

fn value(figures: &Figures, series: &str) -> f64 {
    figures.of(series).unwrap_or_default()
}
