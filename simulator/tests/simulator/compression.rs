use gateway_simulator::{FaultKind, GuildShape, Knobs, Limits, Mangling, Options, Raw, ZstdFraming};
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, QUERY, identify, quiet, start};

async fn connected(simulator: &gateway_simulator::Simulator, compress: &str) -> (Client, Vec<u8>) {
    let mut client = Client::connect(simulator, &format!("{QUERY}&compress={compress}")).await;
    let first = client.next_message().await;
    let Message::Binary(bytes) = &first else { panic!("{first:?}") };
    let bytes = bytes.to_vec();
    assert!(client.decode(&first).starts_with(br#"{"t":null,"s":null,"op":10"#));
    (client, bytes)
}

async fn next_binary(client: &mut Client) -> (Vec<u8>, Vec<u8>) {
    let message = client.next_message().await;
    let Message::Binary(bytes) = &message else { panic!("{message:?}") };
    let bytes = bytes.to_vec();
    (bytes, client.decode(&message))
}

#[tokio::test]
async fn a_zstd_stream_is_one_frame_with_a_window_of_256_kib() {
    let simulator = quiet().await;
    let (mut client, hello) = connected(&simulator, "zstd-stream").await;
    assert_eq!(hello[..6], [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x40]);
    client.send(identify(0, 1, 0)).await;
    let (ready, text) = next_binary(&mut client).await;
    assert!(text.starts_with(br#"{"t":"READY","s":1,"op":0"#));
    assert_ne!(ready[..4], hello[..4], "the frame goes on");
    // The block header's lowest bit would end the frame.
    assert_eq!(hello[6] & 1, 0);
}

#[tokio::test]
async fn a_zstd_message_can_be_a_frame_of_its_own() {
    let knobs = Knobs { zstd_framing: ZstdFraming::PerMessage, ..Knobs::default() };
    let simulator = start(Options { guilds_per_shard: 0, knobs, ..Options::default() }).await;
    let (mut client, hello) = connected(&simulator, "zstd-stream").await;
    client.send(identify(0, 1, 0)).await;
    let (ready, text) = next_binary(&mut client).await;
    assert_eq!(ready[..6], hello[..6]);
    assert_eq!(zstd::decode_all(ready.as_slice()).unwrap(), text);
}

#[tokio::test]
async fn a_zlib_stream_is_flushed_after_each_payload() {
    let simulator = quiet().await;
    let (mut client, hello) = connected(&simulator, "zlib-stream").await;
    assert_eq!(hello[..2], [0x78, 0x9c]);
    assert!(hello.ends_with(&[0, 0, 0xff, 0xff]));
    client.send(identify(0, 1, 0)).await;
    let (ready, text) = next_binary(&mut client).await;
    assert!(ready.ends_with(&[0, 0, 0xff, 0xff]) && ready[..2] != [0x78, 0x9c]);
    assert!(text.starts_with(br#"{"t":"READY","s":1,"op":0"#));
}

#[tokio::test]
async fn payload_compression_begins_after_identify_and_takes_large_payloads_alone() {
    let simulator = start(Options { guilds_per_shard: 1, ..Options::default() }).await;
    let mut client = Client::connect(&simulator, QUERY).await;
    assert!(client.next_message().await.is_text());
    let mut identify = identify(0, 1, 1);
    identify["d"]["compress"] = json!(true);
    client.send(identify).await;
    assert!(client.next_message().await.is_text(), "READY is small here");
    let (guild, text) = next_binary(&mut client).await;
    assert_eq!(guild[0], 0x78);
    assert!(text.starts_with(br#"{"t":"GUILD_CREATE","s":2"#));
    simulator.control().send_event(0, "SMALL", "1");
    assert!(client.next_message().await.is_text());
}

#[tokio::test]
async fn huge_guilds_survive_every_compression() {
    let guild = GuildShape::default().scaled(250);
    let limits = Limits { identify_interval: Duration::ZERO, ..Limits::default() };
    let simulator = start(Options { guilds_per_shard: 1, guild, limits, ..Options::default() }).await;
    let mut texts = Vec::new();
    for compress in ["", "&compress=zlib-stream", "&compress=zstd-stream"] {
        let mut client = Client::connect(&simulator, &format!("{QUERY}{compress}")).await;
        client.hello().await;
        client.send(identify(0, 1, 1)).await;
        client.event("READY").await;
        texts.push(client.next_text().await);
    }
    assert!(texts[0].len() > 2_000_000);
    assert!(texts.iter().all(|text| *text == texts[0]));
}

#[tokio::test]
async fn injected_payloads_arrive_byte_for_byte() {
    let simulator = quiet().await;
    for compress in ["", "&compress=zlib-stream", "&compress=zstd-stream"] {
        let mut client = Client::connect(&simulator, &format!("{QUERY}{compress}")).await;
        client.hello().await;
        simulator.control().send_raw(None, Raw::payload(r#"{"op":7,"d":  12345678901234567890123 }"#));
        assert_eq!(client.next_text().await, r#"{"op":7,"d":  12345678901234567890123 }"#);
        simulator.control().send_raw(None, Raw::Bomb { bytes: 1_000_000 });
        let bomb = client.next_text().await;
        assert!(bomb.len() > 1_000_000 && bomb.ends_with(r#"0"}"#));
        client.close(4000).await;
    }
}

#[tokio::test]
async fn payloads_are_split_merged_and_damaged_on_demand() {
    let simulator = quiet().await;
    let control = simulator.control();
    let (mut client, _) = connected(&simulator, "zlib-stream").await;
    let payload = || "a payload that is longer than its parts".as_bytes().into();
    control.send_raw(None, Raw::Mangled(payload(), Mangling::Split(3)));
    let mut text = Vec::new();
    for part in 0..3 {
        let (bytes, decoded) = next_binary(&mut client).await;
        assert_eq!(bytes.ends_with(&[0, 0, 0xff, 0xff]), part == 2);
        text.extend(decoded);
    }
    assert_eq!(text, b"a payload that is longer than its parts");

    control.send_raw(None, Raw::Mangled(payload(), Mangling::Fragment(4)));
    assert_eq!(next_binary(&mut client).await.1, b"a payload that is longer than its parts");

    control.send_raw(None, Raw::Merged(vec!["[1]".into(), "[2]".into()]));
    assert_eq!(next_binary(&mut client).await.1, b"[1][2]");

    control.send_raw(None, Raw::Text("plain".into()));
    assert!(client.next_message().await.is_text());

    control.send_raw(None, Raw::Mangled(payload(), Mangling::Truncate(4)));
    let message = client.next_message().await;
    assert!(matches!(message, Message::Binary(bytes) if !bytes.ends_with(&[0, 0, 0xff, 0xff])));
}

#[tokio::test]
async fn a_mangled_dispatch_is_whole_in_the_replay() {
    let simulator = quiet().await;
    let control = simulator.control();
    let (mut client, ready) = Client::ready(&simulator, 0).await;
    control.fault(FaultKind::Mangle(Mangling::Truncate(3)).on_shard(0));
    control.send_event(0, "VICTIM", r#"{"number":1}"#);
    assert_eq!(client.next_text().await, r#"{"t":"VICTIM","s":2,"op":0,"d":{"number":"#);
    client.close(4000).await;
    let mut client = Client::connect(&simulator, QUERY).await;
    client.hello().await;
    client.send(crate::client::resume(&ready, 1)).await;
    assert_eq!(client.next_text().await, r#"{"t":"VICTIM","s":2,"op":0,"d":{"number":1}}"#);
}
