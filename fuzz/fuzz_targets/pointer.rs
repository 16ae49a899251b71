//! Look-ups of components: a JSON Pointer in the first line, and the payload behind it.
#![no_main]

use std::collections::BTreeMap;

use gateway_json::Pointer;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|input: &[u8]| {
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (Ok(pointer), json) = (std::str::from_utf8(&input[..at]), &input[at + 1..]) else { return };
    let Some(parsed) = Pointer::parse(pointer) else { return };
    let found = parsed.find(json);
    if let Some(range) = &found {
        assert!(range.start < range.end && range.end <= json.len());
    }
    // Of equal keys the first counts here, and the last for serde_json.
    let Ok(value) = serde_json::from_slice::<Value>(json) else { return };
    if has_equal_keys(json) {
        return;
    }
    let found = found.map(|range| serde_json::from_slice::<Value>(&json[range]).expect("what is found is JSON"));
    assert_eq!(found.as_ref(), value.pointer(pointer));
});

fn has_equal_keys(json: &[u8]) -> bool {
    if let Ok(members) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(json) {
        return members.len() != count_of_keys(json)
            || members.values().any(|member| has_equal_keys(member.get().as_bytes()));
    }
    serde_json::from_slice::<Vec<&RawValue>>(json)
        .is_ok_and(|elements| elements.iter().any(|element| has_equal_keys(element.get().as_bytes())))
}

fn count_of_keys(object: &[u8]) -> usize {
    struct Count;
    impl<'de> serde::de::Visitor<'de> for Count {
        type Value = usize;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<usize, A::Error> {
            let mut count = 0;
            while members.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok(count)
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_slice(object), Count).unwrap_or_default()
}
