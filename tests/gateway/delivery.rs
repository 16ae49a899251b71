//! What Discord sends comes out on STDOUT: all of it, in order, byte for byte.

use gateway_simulator::{Control, Happening, Knobs, Options, Simulator, ZstdFraming};
use gateway_tests::Event;
use tokio::io::AsyncReadExt as _;

use crate::support::{assert_same, busy, quiet, setup, start};

/// Whatever reads and writes JSON anew alters one of these.
const PAYLOADS: [&str; 9] = [
    r#"{"content":"\u00e9\ud83d\ude00\/ é😀 <>&\u2028","é":"\"\\"}"#,
    r#"{ "spaces" : [ 1e3 , 1E-07 , -0.0 , 1.0 , 12345678901234567890 ] }"#,
    r#"{"big":99999999999999999999,"z":1,"a":2,"z":3}"#,
    r#"{"lone":"\ud800","nul":"\u0000"}"#,
    "{}",
    "[]",
    "null",
    "\"text\"",
    "1e3",
];

#[tokio::test]
async fn every_event_comes_out_of_a_zstd_stream() {
    all_come_out(busy(500.0), "zstd-stream").await;
}

#[tokio::test]
async fn every_event_comes_out_of_a_zlib_stream() {
    all_come_out(busy(500.0), "zlib-stream").await;
}

#[tokio::test]
async fn every_event_comes_out_without_compression() {
    all_come_out(busy(500.0), "none").await;
}

#[tokio::test]
async fn every_event_comes_out_when_each_zstd_message_is_a_frame_of_its_own() {
    let knobs = Knobs { zstd_framing: ZstdFraming::PerMessage, ..Knobs::default() };
    all_come_out(Options { knobs, ..busy(500.0) }, "zstd-stream").await;
}

#[tokio::test]
async fn every_event_comes_out_over_tls() {
    all_come_out(Options { tls: true, ..busy(500.0) }, "zstd-stream").await;
}

#[tokio::test]
async fn a_server_with_an_unknown_certificate_gets_no_token() {
    let simulator = start(Options { tls: true, ..Options::default() }).await;
    let mut gateway = setup(&simulator).variable("SSL_CERT_FILE", "").start();
    let line = gateway.logged("Discord cannot be reached").await;
    assert!(line.contains("certificate"), "{line}");
    let asked = |happening: &Happening| matches!(happening, Happening::Rest { .. });
    assert_eq!(crate::support::count(&simulator.control(), asked), 0);
    gateway.drain().await;
}

#[tokio::test]
async fn line_breaks_between_tokens_become_spaces() {
    let simulator = quiet().await;
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    simulator.control().send_event(0, "LINES", "{\r\n\t\"a\\n\": [\n1e3,\n2]\n}");
    assert_eq!(gateway.next_event().await.line, "{\"event\":\"LINES\",\"data\":{  \t\"a\\n\": [ 1e3, 2] }}");
}

#[tokio::test]
async fn only_listed_events_are_published() {
    let simulator = start(busy(500.0)).await;
    let mut gateway = setup(&simulator).variable("DISCORD_EVENTS", "MESSAGE_CREATE, TYPING_START").start();
    let events = gateway.next_events(20).await;
    let wanted = |event: &Event| event.name == "MESSAGE_CREATE" || event.name == "TYPING_START";
    assert!(events.iter().all(wanted), "{events:?}");
    let sent: Vec<_> = simulator.control().sent(0);
    let sent: Vec<_> =
        sent.into_iter().filter(|sent| matches!(&*sent.name, "MESSAGE_CREATE" | "TYPING_START")).collect();
    assert_same(&events, &sent[..events.len()]);
}

#[tokio::test]
async fn msgpack_frames_hold_the_payloads_bytes_at_every_length_of_their_heads() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator).variable("BROKER_ENCODING", "msgpack").variable("DISCORD_EVENTS", "EXACT,SIZED");
    let mut gateway = setup.start_unread();
    let mut output = gateway.take_output();
    control.wait_for(|entry| matches!(entry.happening, Happening::Ready { .. })).await.unwrap();
    send_payloads(&control);
    for length in [31, 32, 255, 256, 65_535, 65_536] {
        control.send_event(0, "SIZED", format!("{:?}", "x".repeat(length - 2)));
    }
    for sent in control.sent(0).iter().skip(1) {
        let expected = [("event", &*sent.name), ("data", &*sent.payload)];
        assert_eq!(frame(&mut output).await, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}

#[tokio::test]
async fn msgpack_frames_have_the_identity_behind_the_data_if_it_is_wanted() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator).variable("BROKER_ENCODING", "msgpack").variable("BROKER_MESSAGE_IDS", "true");
    let mut gateway = setup.start_unread();
    let mut output = gateway.take_output();
    control.wait_for(|entry| matches!(entry.happening, Happening::Ready { .. })).await.unwrap();
    send_payloads(&control);
    for sent in control.sent(0) {
        let identity = format!("{}:{}", sent.session, sent.sequence);
        let expected = [("event", &*sent.name), ("data", &*sent.payload), ("id", &*identity)];
        assert_eq!(frame(&mut output).await, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}

async fn all_come_out(options: Options, compression: &str) {
    let simulator = start(options).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).variable("DISCORD_COMPRESSION", compression).start();
    let events = everything(&mut gateway, &simulator).await;
    assert_same(&events, &control.sent(0));
    let opened = control.journal().into_iter().find_map(|entry| match entry.happening {
        Happening::Opened { query, .. } => Some(query),
        _ => None,
    });
    assert_eq!(opened.unwrap().contains(&format!("compress={compression}")), compression != "none");
    assert_eq!(gateway.drain().await, []);
}

/// Some hundred events, the last of which is the last that was sent.
async fn everything(gateway: &mut gateway_tests::Gateway, simulator: &Simulator) -> Vec<Event> {
    let control: Control = simulator.control();
    let mut events = gateway.until("READY").await;
    send_payloads(&control);
    events.extend(gateway.next_events(300).await);
    control.pause();
    control.send_event(0, "LAST", "{}");
    events.extend(gateway.until("LAST").await);
    events
}

fn send_payloads(control: &Control) {
    for payload in PAYLOADS {
        control.send_event(0, "EXACT", payload);
    }
}

/// One frame: a map of that many strings, in order.
async fn frame<const MEMBERS: usize>(output: &mut tokio::process::ChildStdout) -> [(String, String); MEMBERS] {
    assert_eq!(usize::from(output.read_u8().await.unwrap()), 0x80 | MEMBERS);
    let mut members = [const { (String::new(), String::new()) }; MEMBERS];
    for member in &mut members {
        *member = (string(output).await, string(output).await);
    }
    members
}

async fn string(output: &mut tokio::process::ChildStdout) -> String {
    let length = match output.read_u8().await.unwrap() {
        short @ 0xa0..=0xbf => usize::from(short & 0x1f),
        0xd9 => output.read_u8().await.unwrap().into(),
        0xda => output.read_u16().await.unwrap().into(),
        0xdb => output.read_u32().await.unwrap().try_into().unwrap(),
        head => panic!("{head:#04x} begins no string"),
    };
    let mut text = vec![0; length];
    output.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}
