//! Payloads that come in unusual pieces (conformance cases 23 and 24).

use bytes::Bytes;
use gateway_simulator::{Control, FaultKind, Happening, Mangling, Raw};

use crate::support::{assert_same, count, happens, quiet, setup};

/// Of a size that no compression shrinks much.
fn noise(length: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let text: String = std::iter::repeat_with(|| random.alphanumeric()).take(length).collect();
    format!(r#"{{"noise":"{text}"}}"#)
}

fn openings(control: &Control) -> usize {
    count(control, |happening| matches!(happening, Happening::Opened { .. }))
}

#[tokio::test]
async fn a_zlib_payload_in_three_messages_comes_whole() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).variable("DISCORD_COMPRESSION", "zlib-stream").start();
    let mut events = gateway.until("READY").await;
    control.fault(FaultKind::Mangle(Mangling::Split(3)));
    control.send_event(0, "SPLIT", noise(300));
    control.send_event(0, "LARGE", noise(2 << 20));
    control.fault(FaultKind::Mangle(Mangling::Split(3)));
    control.send_event(0, "BOTH", noise(2 << 20));
    events.extend(gateway.until("BOTH").await);
    assert_same(&events, &control.sent(0));
    assert_eq!(openings(&control), 1);
}

#[tokio::test]
async fn payloads_merged_into_one_message_come_apart() {
    for compression in ["zlib-stream", "zstd-stream", "none"] {
        let simulator = quiet().await;
        let control = simulator.control();
        let mut gateway = setup(&simulator).variable("DISCORD_COMPRESSION", compression).start();
        gateway.next_named("READY").await;
        let payload =
            |number| Bytes::from(format!(r#"{{"t":"MERGED","s":{number},"op":0,"d":{{"number":{number}}}}}"#));
        control.send_raw(Some(0), Raw::Merged(vec![payload(2), payload(3), payload(4)]));
        for number in 2..=4 {
            let expected = format!(r#"{{"event":"MERGED","data":{{"number":{number}}}}}"#);
            assert_eq!(gateway.next_event().await.line, expected, "{compression}");
        }
        assert_eq!(openings(&control), 1);
    }
}

#[tokio::test]
async fn a_message_of_many_websocket_frames_comes_whole() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    let mut events = gateway.until("READY").await;
    control.fault(FaultKind::Mangle(Mangling::Fragment(5)));
    control.send_event(0, "FRAGMENTED", noise(200_000));
    events.extend(gateway.until("FRAGMENTED").await);
    assert_same(&events, &control.sent(0));
}

#[tokio::test]
async fn large_zstd_payloads_come_whole_also_on_the_fresh_decoder_of_a_resumed_connection() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    let mut events = gateway.until("READY").await;
    // The whole payload in multiples of a block's and of a buffer's size, and of Discord's worst.
    let around = r#"{"t":"GUILD_CREATE","s":2,"op":0,"d":{"noise":""}}"#.len();
    for length in [(128 << 10) - around, (256 << 10) - around, (1 << 20) - around, 5 << 20] {
        control.send_event(0, "GUILD_CREATE", noise(length));
    }
    for _ in 0..4 {
        events.extend(gateway.until("GUILD_CREATE").await);
    }
    control.fault(FaultKind::Drop);
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Lost | Happening::Resumed { .. })).await;
    control.send_event(0, "GUILD_CREATE", noise(5 << 20));
    control.send_event(0, "LAST", "{}");
    events.extend(gateway.until("LAST").await);
    if control.sent(0).last().is_some_and(|sent| &*sent.name == "RESUMED") {
        events.extend(gateway.until("RESUMED").await);
    }
    assert_same(&events, &control.sent(0));
    assert_eq!(openings(&control), 2);
}

#[tokio::test]
async fn a_text_message_amid_a_compressed_stream_is_taken_as_it_is() {
    for compression in ["zlib-stream", "zstd-stream"] {
        let simulator = quiet().await;
        let control = simulator.control();
        let mut gateway = setup(&simulator).variable("DISCORD_COMPRESSION", compression).start();
        gateway.next_named("READY").await;
        let text = r#"{"t":"PLAIN","s":null,"op":0,"d":{"é":1e3}}"#;
        control.send_raw(Some(0), Raw::Text(text.into()));
        control.send_event(0, "COMPRESSED", "{}");
        assert_eq!(gateway.next_event().await.line, r#"{"event":"PLAIN","data":{"é":1e3}}"#);
        assert_eq!(gateway.next_event().await.name, "COMPRESSED");
        assert_eq!(openings(&control), 1);
    }
}
