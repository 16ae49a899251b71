//! Frames of Discord: what serde_json reads is read alike, and what is let through cannot break the text around it
//! (docs/decisions/0004).
#![no_main]

use std::collections::BTreeMap;

use gateway_protocol::{Envelope, EnvelopeError};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

fuzz_target!(|message: &[u8]| {
    let mut rest = message;
    while !rest.is_empty() {
        let outcome = Envelope::parse(rest);
        if let Some(members) = members(rest) {
            compare(outcome.as_ref().map(|(envelope, _)| envelope), &members);
        }
        let Ok((envelope, behind)) = outcome else { return };
        assert!(behind.len() < rest.len(), "each payload takes something");
        assert_eq!(envelope.data_range.clone().map(|range| &rest[range]), envelope.data.map(str::as_bytes));
        if let Some(data) = envelope.data {
            check_data(data);
        }
        rest = behind;
    }
});

/// The members of the first value, if it is an object of JSON.
fn members(text: &[u8]) -> Option<BTreeMap<String, &RawValue>> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter();
    values.next()?.ok()
}

fn compare(outcome: Result<&Envelope<'_>, &EnvelopeError>, members: &BTreeMap<String, &RawValue>) {
    fn read<'a, T: Deserialize<'a>>(members: &BTreeMap<String, &'a RawValue>, name: &str) -> Option<T> {
        serde_json::from_str(members.get(name)?.get()).ok()
    }
    let opcode: Option<u64> = read(members, "op");
    match outcome {
        Ok(envelope) => {
            assert_eq!(Some(envelope.opcode), opcode);
            assert_eq!(envelope.sequence.map(|sequence| sequence.0), read(members, "s"));
            assert_eq!(envelope.name.as_deref(), read::<String>(members, "t").as_deref());
            assert_eq!(envelope.data, members.get("d").map(|data| data.get()));
        }
        Err(EnvelopeError::Opcode) => assert_eq!(opcode, None),
        Err(EnvelopeError::TooDeep) => {
            assert!(members.values().any(|value| depth(value.get()) >= gateway_json::MAX_DEPTH), "not so deep");
        }
        Err(error) => panic!("serde_json takes what is refused: {error}"),
    }
}

/// What a consumer relies on that has the text in a frame of its own.
fn check_data(data: &str) {
    assert!(depth(data) < gateway_json::MAX_DEPTH, "with the envelope around it");
    let frame = format!(r#"{{"d":{data},"op":0}}"#);
    let (envelope, rest) = Envelope::parse(frame.as_bytes()).expect("the text fits into another frame");
    assert_eq!((envelope.data, rest), (Some(data), &b""[..]));
    if has_white_space(data) {
        serde_json::from_str::<IgnoredAny>(data).expect("a text with white space is checked in full");
    }
}

/// Containers that are open at a time. Checks that they are closed, and that strings are.
fn depth(json: &str) -> u32 {
    let (mut open, mut deepest) = (0_u32, 0);
    for byte in outside_strings(json) {
        match byte {
            b'{' | b'[' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' => open = open.checked_sub(1).expect("each closing bracket has an opening one"),
            _ => {}
        }
    }
    assert_eq!(open, 0, "each opening bracket has a closing one");
    deepest
}

fn has_white_space(json: &str) -> bool {
    outside_strings(json).iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

fn outside_strings(json: &str) -> Vec<u8> {
    let (mut outside, mut in_string, mut is_escaped) = (Vec::new(), false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => assert!(byte >= 0x20, "no control character in a string"),
            _ => outside.push(byte),
        }
    }
    assert!(!in_string, "strings are closed");
    outside
}
