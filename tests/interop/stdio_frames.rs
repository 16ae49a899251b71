//! Frames on STDOUT, read by decoders that others wrote.

use std::process::Stdio;

use gateway_tests::{PATIENCE, Script, Setup};
use serde_json::Value;
use tokio::time::timeout;

use crate::GATEWAY;
use crate::support::{discord, ready, settled};

const SHARDS: u32 = 4;

/// Of each shard.
const EVENTS: u32 = 60;

#[tokio::test]
async fn msgpack_frames_of_several_shards_are_whole_for_a_streaming_decoder() {
    are_whole("msgpack", "msgpack").await;
}

#[tokio::test]
async fn json_frames_of_several_shards_are_whole_as_lines() {
    are_whole("json", "lines").await;
}

#[tokio::test]
async fn json_frames_of_several_shards_are_whole_as_values_one_after_another() {
    are_whole("json", "values").await;
}

/// The script prints a line for each frame: its event's name and the shard and number in its data.
async fn are_whole(encoding: &str, reading: &str) {
    let simulator = discord(SHARDS).await;
    let control = simulator.control();
    let setup = Setup::on(GATEWAY, &simulator).variable("BROKER_ENCODING", encoding);
    let mut gateway = setup.variable("DISCORD_EVENTS", "FRAME").with_metrics().start_unread();
    let output: Stdio = gateway.take_output().try_into().unwrap();
    let decoder = Script::frame_decoder(reading, output).spawn().expect("the decoder cannot be started");
    ready(&control, SHARDS as usize).await;
    let filler = "x".repeat(30_000);
    for number in 0..EVENTS {
        for shard in 0..SHARDS {
            control.send_event(shard, "FRAME", format!(r#"{{"shard":{shard},"number":{number},"filler":"{filler}"}}"#));
        }
    }
    settled(&mut gateway, SHARDS * (1 + EVENTS)).await;
    gateway.signal("TERM").await;
    let output = timeout(PATIENCE, decoder.wait_with_output()).await.expect("the decoder does not end").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let frames: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    for shard in 0..SHARDS {
        let own = frames.iter().filter(|frame| frame["shard"] == shard).map(|frame| frame["number"].as_u64().unwrap());
        assert_eq!(own.collect::<Vec<_>>(), (0..u64::from(EVENTS)).collect::<Vec<_>>());
    }
}
