use gateway_simulator::{Compression, Flood, FloodOptions, ZstdFraming};
use serde_json::{Value, json};
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use crate::client::{Client, QUERY, get, identify};

const EVENTS: u64 = 2_000;

/// Everything that one shard gets: events and their JSON in bytes.
async fn drain(flood: &Flood, compress: &str) -> (u64, u64) {
    let mut client = Client::connect_to(&format!("ws://{}", flood.address()), &format!("{QUERY}{compress}")).await;
    client.hello().await;
    client.send(identify(0, 1, 0)).await;
    client.send(json!({"op": 1, "d": null})).await;
    let (mut events, mut bytes) = (0, 0);
    loop {
        let text = client.next_text().await;
        let payload: Value = serde_json::from_str(&text).unwrap();
        match payload["t"].as_str() {
            Some("READY") => assert_eq!(payload["s"], 1),
            Some("END") => {
                assert_eq!(payload["s"], EVENTS + 2);
                break;
            }
            _ => {
                events += 1;
                bytes += text.len() as u64;
                assert_eq!(payload["s"], events + 1);
            }
        }
    }
    assert_eq!(client.next().await["op"], 11);
    (events, bytes)
}

#[tokio::test]
async fn every_shard_gets_every_event_and_then_the_marker() {
    let cases = [
        ("", Compression::None, ZstdFraming::Continuing),
        ("&compress=zlib-stream", Compression::Zlib, ZstdFraming::Continuing),
        ("&compress=zstd-stream", Compression::Zstd, ZstdFraming::Continuing),
        ("&compress=zstd-stream", Compression::Zstd, ZstdFraming::PerMessage),
    ];
    for (query, compression, zstd_framing) in cases {
        let options = FloodOptions {
            shards: 2,
            events_per_shard: EVENTS,
            compression,
            zstd_framing,
            marker: "END".to_owned(),
            ..FloodOptions::default()
        };
        let flood = Flood::start(options).await.unwrap();
        let (first, second) = tokio::join!(drain(&flood, query), drain(&flood, query));
        assert_eq!(first, second);
        assert_eq!((flood.events(), flood.payload_bytes()), (2 * first.0, 2 * first.1));
        let average = first.1 / first.0;
        assert!((1_400..2_100).contains(&average), "{average} bytes on average");
        flood.shutdown().await;
    }
}

#[tokio::test]
async fn a_flood_tells_its_shards_and_refuses_to_resume() {
    let flood = Flood::start(FloodOptions { shards: 4, events_per_shard: 1, ..FloodOptions::default() }).await.unwrap();
    let body: Value = serde_json::from_str(&get(flood.address(), "/api/v10/gateway/bot", "").await.1).unwrap();
    assert_eq!((&body["shards"], &body["session_start_limit"]["max_concurrency"]), (&json!(4), &json!(4)));
    let query = format!("{QUERY}&compress=zstd-stream");
    let mut client = Client::connect_to(&format!("ws://{}", flood.address()), &query).await;
    client.hello().await;
    client.send(json!({"op": 6, "d": {"token": "x", "session_id": "y", "seq": 5}})).await;
    let answer = client.next().await;
    assert_eq!((&answer["op"], &answer["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn a_paced_flood_numbers_its_events_and_notes_when_it_writes_them() {
    let options = FloodOptions {
        events_per_shard: 100,
        compression: Compression::None,
        pace: NonZeroU32::new(1000),
        ..FloodOptions::default()
    };
    let flood = Flood::start(options).await.unwrap();
    let mut client = Client::connect_to(&format!("ws://{}", flood.address()), QUERY).await;
    client.hello().await;
    let begin = Instant::now();
    client.send(identify(0, 1, 0)).await;
    let mut names = vec![client.next().await["t"].clone()];
    for number in 0..100 {
        let event = client.next().await;
        assert_eq!(event["d"]["flood_number"], number);
        names.push(event["t"].clone());
    }
    names.push(client.next().await["t"].clone());
    let written = flood.written();
    assert_eq!(written.len(), 100);
    assert!(written.is_sorted());
    // The last one is due a hundred milliseconds behind READY.
    assert!(written[99].duration_since(begin) >= Duration::from_millis(100), "{written:?}");
    let known: Vec<&str> = flood.event_names().collect();
    assert!(names.iter().all(|name| known.contains(&name.as_str().unwrap())), "{names:?} beside {known:?}");
}
