//! Bodies of commands from a broker: what is taken can be sent to Discord as it was meant, in whichever form it came.
#![no_main]

use gateway_fuzz::command::{GuildCommand, Packet, msgpack_to_json};
use gateway_protocol::MAX_PAYLOAD_BYTES;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    if let Ok(packet) = Packet::parse(body) {
        check_packet(&packet);
        if let Ok(given) = serde_json::from_slice::<Value>(body).as_ref().map(|given| given.get("d")) {
            let sent: Value = serde_json::from_str(packet.text()).expect("a packet is JSON");
            // A JSON string holds its command as text.
            assert!(body.trim_ascii_start().starts_with(b"\"") || sent.get("d") == given.or(Some(&Value::Null)));
        }
    }
    if let Ok(command) = GuildCommand::parse(body) {
        check_packet(&command.packet);
    }
    if let Ok(json) = msgpack_to_json(body) {
        serde_json::from_slice::<IgnoredAny>(&json).expect("what comes out is JSON");
        // Neither reader goes as deep.
        if let (Ok(json), Ok(value)) = (serde_json::from_slice(&json), rmp_serde::from_slice(body)) {
            assert!(is_alike(&json, &value), "{json} is {value}");
        }
    }
});

fn check_packet(packet: &Packet) {
    assert!(packet.text().len() <= MAX_PAYLOAD_BYTES);
    // Only what is nested deeper than serde_json goes is left to Discord.
    if let Ok(value) = serde_json::from_str::<Value>(packet.text()) {
        assert!(value["op"].is_u64() && value.get("d").is_some());
    }
}

/// Equal, but for fractions of 32 bits, which are written as the shortest that reads back.
fn is_alike(json: &Value, value: &Value) -> bool {
    match (json, value) {
        (Value::Number(json), Value::Number(value)) => {
            let fractions = json.as_f64().zip(value.as_f64());
            let least = f64::from(f32::MIN_POSITIVE);
            json == value
                || fractions.is_some_and(|(json, value)| (json - value).abs() <= value.abs().max(least) * 1e-6)
        }
        (Value::Array(json), Value::Array(value)) => {
            json.len() == value.len() && json.iter().zip(value).all(|(json, value)| is_alike(json, value))
        }
        (Value::Object(json), Value::Object(value)) => {
            json.len() == value.len()
                && json.iter().all(|(key, json)| value.get(key).is_some_and(|value| is_alike(json, value)))
        }
        _ => json == value,
    }
}
