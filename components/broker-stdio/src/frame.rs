//! What stands around a payload on STDOUT.

use msgpack_scan::push_string_head;

/// Writes what stands before the payload in a JSON frame.
pub(crate) fn begin_json(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"{\"event\":\"");
    push_escaped(out, name);
    out.extend_from_slice(b"\",\"data\":");
}

/// What stands after the payload in a JSON frame.
pub(crate) const END_OF_JSON: &[u8] = b"}\n";

/// Writes what stands before the payload in a MessagePack frame. Nothing stands after it.
pub(crate) fn begin_msgpack(out: &mut Vec<u8>, name: &str, payload_size: u32) {
    out.extend_from_slice(b"\x82\xa5event");
    push_string_head(out, u32::try_from(name.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\xa4data");
    push_string_head(out, payload_size);
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend(
                    [byte >> 4, byte & 0x0f].map(|digit| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }),
                );
            }
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(name: &str, payload: &str) -> String {
        let mut frame = Vec::new();
        begin_json(&mut frame, name);
        frame.extend_from_slice(payload.as_bytes());
        frame.extend_from_slice(END_OF_JSON);
        String::from_utf8(frame).unwrap()
    }

    #[test]
    fn a_json_frame_is_one_line_with_the_payload_as_it_is() {
        assert_eq!(json("READY", r#"{"v": 1e3}"#), "{\"event\":\"READY\",\"data\":{\"v\": 1e3}}\n");
    }

    #[test]
    fn any_name_reads_back_as_it_was() {
        for name in ["", "a\"b\\c", "line\nbreak\u{1f}\u{0}\t", "späť", "\u{7f}\u{2028}"] {
            let frame = json(name, "null");
            let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
            assert_eq!(frame["event"], name);
        }
    }

    #[test]
    fn a_msgpack_frame_is_a_map_of_two_strings() {
        let mut frame = Vec::new();
        begin_msgpack(&mut frame, "READY", 4);
        assert_eq!(frame, b"\x82\xa5event\xa5READY\xa4data\xa4");
    }

    #[test]
    fn msgpack_heads_follow_the_length() {
        let head = |size| {
            let mut frame = Vec::new();
            begin_msgpack(&mut frame, &"N".repeat(32), size);
            frame.split_off(b"\x82\xa5event\xda\x00\x20".len() + 32 + b"\xa4data".len())
        };
        assert_eq!(head(31), [0xbf]);
        assert_eq!(head(32), [0xda, 0, 32]);
        assert_eq!(head(256), [0xda, 1, 0]);
        assert_eq!(head(65_535), [0xda, 0xff, 0xff]);
        assert_eq!(head(65_536), [0xdb, 0, 1, 0, 0]);
    }
}
