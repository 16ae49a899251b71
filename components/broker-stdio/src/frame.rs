//! What stands around a payload on STDOUT.

use msgpack_scan::push_string_head;

use crate::bindings::spectacles::gateway::content::PayloadForm;
use spectacles_adapter::Encoding;

/// What stands before a payload, and after it.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) before: Vec<u8>,
    pub(crate) after: Vec<u8>,
}

impl Frame {
    /// Makes it the frame of an event of that name, and of that identity if frames shall have it.
    pub(crate) fn set(&mut self, encoding: Encoding, name: &str, id: Option<&str>) {
        self.before.clear();
        self.after.clear();
        match encoding {
            Encoding::Json => self.set_json(name, id),
            Encoding::Msgpack | Encoding::MsgpackObject => self.set_msgpack(name, id),
        }
    }

    fn set_json(&mut self, name: &str, id: Option<&str>) {
        self.before.extend_from_slice(b"{\"event\":\"");
        push_escaped(&mut self.before, name);
        self.before.extend_from_slice(b"\",\"data\":");
        if let Some(id) = id {
            self.after.extend_from_slice(b",\"id\":\"");
            push_escaped(&mut self.after, id);
            self.after.push(b'"');
        }
        self.after.extend_from_slice(b"}\n");
    }

    fn set_msgpack(&mut self, name: &str, id: Option<&str>) {
        let members = 2 + u8::from(id.is_some());
        self.before.push(MAP | members);
        push_string(&mut self.before, "event");
        push_string(&mut self.before, name);
        push_string(&mut self.before, "data");
        if let Some(id) = id {
            push_string(&mut self.after, "id");
            push_string(&mut self.after, id);
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

/// The head of a MessagePack map, less the number of its members.
const MAP: u8 = 0x80;

fn push_string(out: &mut Vec<u8>, text: &str) {
    push_string_head(out, u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(text.as_bytes());
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

    fn frame(encoding: Encoding, name: &str, payload: &str, id: Option<&str>) -> Vec<u8> {
        let mut frame = Frame { before: b"left over".to_vec(), after: b"left over".to_vec() };
        frame.set(encoding, name, id);
        [frame.before.as_slice(), payload.as_bytes(), &frame.after].concat()
    }

    fn json(name: &str, payload: &str, id: Option<&str>) -> String {
        String::from_utf8(frame(Encoding::Json, name, payload, id)).unwrap()
    }

    #[test]
    fn a_json_frame_is_one_line_with_the_payload_as_it_is() {
        assert_eq!(json("READY", r#"{"v": 1e3}"#, None), "{\"event\":\"READY\",\"data\":{\"v\": 1e3}}\n");
        assert_eq!(payload_form(Encoding::Json), PayloadForm::SingleLine);
    }

    #[test]
    fn an_id_stands_behind_the_data() {
        let id = Some("session:42");
        assert_eq!(json("A", "1", id), "{\"event\":\"A\",\"data\":1,\"id\":\"session:42\"}\n");
        assert_eq!(
            frame(Encoding::MsgpackObject, "A", "\x01", id),
            b"\x83\xa5event\xa1A\xa4data\x01\xa2id\xaasession:42"
        );
    }

    #[test]
    fn any_name_and_id_read_back_as_they_were() {
        for text in ["", "a\"b\\c", "line\nbreak\u{1f}\u{0}\t", "späť", "\u{7f}\u{2028}"] {
            let frame = json(text, "null", Some(text));
            let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
            assert_eq!((&frame["event"], &frame["id"]), (&text.into(), &text.into()));
        }
    }

    #[test]
    fn a_msgpack_frame_is_a_map_of_the_name_and_the_payload_in_its_form() {
        for (encoding, form) in
            [(Encoding::Msgpack, PayloadForm::MsgpackString), (Encoding::MsgpackObject, PayloadForm::MsgpackObject)]
        {
            assert_eq!(frame(encoding, "READY", "", None), b"\x82\xa5event\xa5READY\xa4data");
            assert_eq!(payload_form(encoding), form);
        }
    }

    #[test]
    fn the_head_of_a_long_name_follows_its_length() {
        let frame = frame(Encoding::Msgpack, &"N".repeat(32), "", None);
        assert!(frame.starts_with(b"\x82\xa5event\xda\x00\x20NN"));
    }
}
