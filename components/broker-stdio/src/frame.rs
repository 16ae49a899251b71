//! What stands around a payload on STDOUT.

use msgpack_scan::push_string_head;

use crate::bindings::spectacles::gateway::content::PayloadForm;
use spectacles_adapter::Encoding;

/// Writes what stands before the payload of an event.
pub(crate) fn begin(out: &mut Vec<u8>, encoding: Encoding, name: &str) {
    match encoding {
        Encoding::Json => {
            out.extend_from_slice(b"{\"event\":\"");
            push_escaped(out, name);
            out.extend_from_slice(b"\",\"data\":");
        }
        Encoding::Msgpack | Encoding::MsgpackObject => {
            out.extend_from_slice(b"\x82\xa5event");
            push_string_head(out, u32::try_from(name.len()).unwrap_or(u32::MAX));
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\xa4data");
        }
    }
}

/// How the payload is written.
pub(crate) fn payload_form(encoding: Encoding) -> PayloadForm {
    match encoding {
        Encoding::Json => PayloadForm::SingleLine,
        Encoding::Msgpack => PayloadForm::MsgpackString,
        Encoding::MsgpackObject => PayloadForm::MsgpackObject,
    }
}

/// What stands after the payload.
pub(crate) fn end(encoding: Encoding) -> &'static [u8] {
    match encoding {
        Encoding::Json => b"}\n",
        Encoding::Msgpack | Encoding::MsgpackObject => b"",
    }
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
        begin(&mut frame, Encoding::Json, name);
        frame.extend_from_slice(payload.as_bytes());
        frame.extend_from_slice(end(Encoding::Json));
        String::from_utf8(frame).unwrap()
    }

    #[test]
    fn a_json_frame_is_one_line_with_the_payload_as_it_is() {
        assert_eq!(json("READY", r#"{"v": 1e3}"#), "{\"event\":\"READY\",\"data\":{\"v\": 1e3}}\n");
        assert_eq!(payload_form(Encoding::Json), PayloadForm::SingleLine);
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
    fn a_msgpack_frame_is_a_map_of_the_name_and_the_payload_in_its_form() {
        for (encoding, form) in
            [(Encoding::Msgpack, PayloadForm::MsgpackString), (Encoding::MsgpackObject, PayloadForm::MsgpackObject)]
        {
            let mut frame = Vec::new();
            begin(&mut frame, encoding, "READY");
            assert_eq!(frame, b"\x82\xa5event\xa5READY\xa4data");
            assert_eq!((payload_form(encoding), end(encoding)), (form, &b""[..]));
        }
    }

    #[test]
    fn the_head_of_a_long_name_follows_its_length() {
        let mut frame = Vec::new();
        begin(&mut frame, Encoding::Msgpack, &"N".repeat(32));
        assert!(frame.starts_with(b"\x82\xa5event\xda\x00\x20NN"));
    }
}
