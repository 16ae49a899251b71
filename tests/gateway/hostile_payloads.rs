//! What no faithful Discord would send: it is counted, the shard recovers, and no event is lost by it.

use bytes::Bytes;
use gateway_simulator::{FaultKind, Happening, Mangling, Raw};
use gateway_tests::{Event, Figures, Gateway};

use crate::support::{assert_same, count, happens, identifies, quiet, setup, shards, start};

/// Sends each on a shard of its own, between two events, and expects that shard to count it in `family`, to resume, and to
/// deliver both events exactly once.
async fn each_is_counted_and_recovered(variables: &[(&str, &str)], family: &str, hostile: Vec<(&str, Raw)>) {
    let number = u32::try_from(hostile.len()).unwrap();
    let simulator = start(shards(number)).await;
    let control = simulator.control();
    let setup = variables.iter().fold(setup(&simulator), |setup, (name, value)| setup.variable(name, value));
    let mut gateway = setup.with_metrics().start();
    for _ in 0..number {
        gateway.next_named("READY").await;
    }
    for (shard, (_, raw)) in (0..).zip(&hostile) {
        control.send_event(shard, "BEFORE", shard.to_string());
        control.send_raw(Some(shard), raw.clone());
        control.send_event(shard, "BEHIND", shard.to_string());
    }
    let events = until_all_resumed(&mut gateway, number).await;
    let figures = gateway.figures().await;
    for (shard, (what, _)) in (0..).zip(&hostile) {
        for name in ["BEFORE", "BEHIND"] {
            let mine = |event: &&Event| event.name == name && event.data == shard;
            assert_eq!(events.iter().filter(mine).count(), 1, "{name} of {what}");
        }
        assert_eq!(figures.of(&format!(r#"{family}{{shard="{shard}"}}"#)), Some(1.0), "{what}");
        assert_eq!(reconnects(&figures, shard), Some(1.0), "{what}");
    }
    assert_eq!(identifies(&control), hostile.len());
}

fn reconnects(figures: &Figures, shard: u32) -> Option<f64> {
    figures.of(&format!(r#"gateway_reconnects_total{{cause="undecodable",shard="{shard}"}}"#))
}

async fn until_all_resumed(gateway: &mut Gateway, number: u32) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..number {
        events.extend(gateway.until("RESUMED").await);
    }
    // A replay comes before its RESUMED, so nothing is missing by now.
    events
}

fn nested(depth: usize) -> String {
    format!(r#"{{"t":"DEEP","s":null,"op":0,"d":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn packets_that_are_no_packets_are_counted_and_the_session_resumes() {
    let payload = |text: &str| Raw::payload(text);
    let bytes = |bytes: &'static [u8]| Bytes::from_static(bytes);
    let hostile = vec![
        ("cut off JSON", payload(r#"{"t":"X","s":9,"op":0,"d":{"a":"#)),
        ("no object", payload("[1,2,3]")),
        ("no JSON", payload("<html>")),
        ("nothing", payload("")),
        ("no opcode", payload(r#"{"t":"X","s":9,"d":{}}"#)),
        ("an opcode of text", payload(r#"{"t":"X","s":9,"op":"0","d":{}}"#)),
        ("JSON with a comma too many", payload(r#"{"t":"X","s":9,"op":0,"d":{"a":1,}}"#)),
        ("no UTF-8", Raw::Payload(bytes(b"{\"t\":\"X\",\"s\":9,\"op\":0,\"d\":\"\xff\xfe\"}"))),
        ("a text message that is no UTF-8", Raw::Text(bytes(b"{\"t\":\"X\",\"s\":9,\"op\":0,\"d\":\"\xff\"}"))),
        ("deep nesting", Raw::payload(nested(100_000))),
        ("bytes that are no WebSocket", Raw::Stream(bytes(&[0xff; 64]))),
    ];
    each_is_counted_and_recovered(&[], "gateway_packets_malformed_total", hostile).await;
}

/// Only what could break a frame is checked within `d` (docs/decisions/0004).
#[tokio::test]
async fn what_is_misspelt_within_the_data_goes_on_as_discord_wrote_it() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    let misspelt = r#"{"number":01,"literal":tru,"escape":"\q"}"#;
    control.send_event(0, "MISSPELT", misspelt);
    control.send_event(0, "BEHIND", "1");
    assert_eq!(gateway.next_line().await.unwrap(), format!(r#"{{"event":"MISSPELT","data":{misspelt}}}"#));
    assert_eq!(gateway.next_event().await.name, "BEHIND");
}

#[tokio::test]
async fn a_corrupt_stream_is_counted_and_the_session_resumes() {
    for compression in ["zstd-stream", "zlib-stream"] {
        let noise = vec![
            ("noise", Raw::Binary(Bytes::from_static(&[0xff; 32]))),
            // No reader of zlib looks at it before the end of a payload comes.
            (
                "noise with the end of a payload",
                Raw::Binary(Bytes::from_static(b"\xff\xff\xff\xff\xff\xff\0\0\xff\xff")),
            ),
        ];
        let variables = [("DISCORD_COMPRESSION", compression)];
        each_is_counted_and_recovered(&variables, "gateway_inflate_errors_total", noise).await;
    }
}

#[tokio::test]
async fn a_payload_beyond_the_limit_and_a_bomb_are_counted_and_the_session_resumes() {
    let large = format!(r#"{{"t":"LARGE","s":null,"op":0,"d":"{}"}}"#, "x".repeat(2 << 20));
    for compression in ["zstd-stream", "zlib-stream"] {
        let hostile =
            vec![("a large payload", Raw::payload(large.clone())), ("a bomb", Raw::Bomb { bytes: 256 << 20 })];
        let variables = [("DISCORD_COMPRESSION", compression), ("GATEWAY_LIMITS_MESSAGE_SIZE", "1MiB")];
        each_is_counted_and_recovered(&variables, "gateway_inflate_errors_total", hostile).await;
    }
    let hostile = vec![("a large message", Raw::payload(large))];
    let variables = [("DISCORD_COMPRESSION", "none"), ("GATEWAY_LIMITS_MESSAGE_SIZE", "1MiB")];
    each_is_counted_and_recovered(&variables, "gateway_packets_malformed_total", hostile).await;
}

#[tokio::test]
async fn a_truncated_message_is_noticed_and_its_event_comes_with_the_replay() {
    for compression in ["zstd-stream", "zlib-stream", "none"] {
        let simulator = quiet().await;
        let control = simulator.control();
        let mut gateway = setup(&simulator).variable("DISCORD_COMPRESSION", compression).with_metrics().start();
        let mut events = gateway.until("READY").await;
        control.send_event(0, "BEFORE", "{}");
        control.fault(FaultKind::Mangle(Mangling::Truncate(3)));
        control.send_event(0, "TRUNCATED", r#"{"text":"which is not all there"}"#);
        control.send_event(0, "BEHIND", r#"{"text":"which is another one"}"#);
        events.extend(gateway.until("RESUMED").await);
        assert_same(&events, &control.sent(0));
        assert_eq!(reconnects(&gateway.figures().await, 0), Some(1.0), "{compression}");
    }
}

#[tokio::test]
async fn unusual_packets_change_nothing() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).with_metrics().start();
    gateway.next_named("READY").await;
    let lines = [
        // Unknown opcodes are nobody's business.
        (r#"{"t":null,"s":null,"op":99,"d":{"x":1}}"#, None),
        (r#"{"op":18446744073709551615}"#, None),
        // Unknown events are forwarded, also without a number, and with members in any order and of any kind beside.
        (r#"{"t":"UNHEARD_OF","s":2,"op":0,"d":{"x":1}}"#, Some(r#"{"event":"UNHEARD_OF","data":{"x":1}}"#)),
        (r#"{"t":"NULL","s":null,"op":0,"d":[1]}"#, Some(r#"{"event":"NULL","data":[1]}"#)),
        (r#"{"d":{"op":7},"x":[{}],"op":0,"s":3,"t":"ORDER"}"#, Some(r#"{"event":"ORDER","data":{"op":7}}"#)),
        (" { \"op\" : 0 ,\r\n\t\"t\":\"SPACES\", \"d\" : 1e3 , \"s\" : 4 } ", Some(r#"{"event":"SPACES","data":1e3}"#)),
        (r#"{"t":"N\u0041ME","s":5,"op":0,"d":0}"#, Some(r#"{"event":"NAME","data":0}"#)),
        (r#"{"t":"NO_D","s":6,"op":0}"#, Some(r#"{"event":"NO_D","data":null}"#)),
        // A number that was there before is an event that was there before.
        (r#"{"t":"BACKWARDS","s":2,"op":0,"d":{}}"#, None),
        (r#"{"t":"SAME","s":6,"op":0,"d":{}}"#, None),
        // An event without a name cannot be published.
        (r#"{"t":null,"s":7,"op":0,"d":{}}"#, None),
        (
            r#"{"t":"NUMBERS","s":8,"op":0,"d":[18446744073709551616,-1e400,0.10]}"#,
            Some(r#"{"event":"NUMBERS","data":[18446744073709551616,-1e400,0.10]}"#),
        ),
        (r#"{"t":"LAST","s":9,"op":0,"d":{}}"#, Some(r#"{"event":"LAST","data":{}}"#)),
    ];
    for (payload, _) in lines {
        control.send_raw(Some(0), Raw::payload(payload));
    }
    for line in lines.iter().filter_map(|(_, line)| *line) {
        assert_eq!(gateway.next_event().await.line, line);
    }
    gateway.logged("an event was not taken: nameless").await;
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_events_duplicate_total{shard="0"}"#), Some(2.0));
    assert_eq!(figures.of(r#"gateway_packets_received{op="99",shard="0",t=""}"#), None);
    assert_eq!(figures.of(r#"gateway_packets_received{op="other",shard="0",t=""}"#), Some(2.0));
    assert_eq!(figures.of(r#"gateway_packets_received{op="0",shard="0",t="UNHEARD_OF"}"#), Some(1.0));
    assert_eq!(count(&control, |happening| matches!(happening, Happening::Opened { .. })), 1);
}

#[tokio::test]
async fn nesting_that_parsers_of_json_take_is_passed_on() {
    let simulator = quiet().await;
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    simulator.control().send_raw(Some(0), Raw::payload(nested(120)));
    let event = gateway.next_line().await.unwrap();
    assert_eq!(event, format!(r#"{{"event":"DEEP","data":{}{}}}"#, "[".repeat(120), "]".repeat(120)));
}

#[tokio::test]
async fn an_event_of_20_mb_passes() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    let mut events = gateway.until("READY").await;
    control.send_event(0, "HUGE", format!(r#"{{"text":"{}"}}"#, "twenty megabytes ".repeat(20_000_000 / 17)));
    control.send_event(0, "BEHIND", "{}");
    events.extend(gateway.until("BEHIND").await);
    assert_same(&events, &control.sent(0));
    assert_eq!(count(&control, |happening| matches!(happening, Happening::Opened { .. })), 1);
}

#[tokio::test]
async fn a_flood_of_made_up_names_does_not_flood_the_metrics() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).with_metrics().start();
    gateway.next_named("READY").await;
    for number in 0..2000 {
        control.send_event(0, &format!("NAME_{number}"), "{}");
    }
    gateway.next_named("NAME_1999").await;
    let figures = gateway.figures().await;
    assert!(figures.of(r#"gateway_packets_received{op="0",shard="0",t="other"}"#) > Some(1700.0));
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    assert!(figures.0.lines().count() < 1000);
}
