//! The frame around every payload: <https://docs.discord.com/developers/events/gateway-events#payload-structure>.

use std::borrow::Cow;
use std::ops::Range;

use gateway_json::{Fault, MAX_DEPTH, Scanner, Text, is_whitespace};

use crate::session::Sequence;

/// A payload whose `d` has been checked but not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What kind of payload it is (`op`).
    pub opcode: u64,
    /// A dispatch's number in its session (`s`); `None` if it is absent, null or anything but an unsigned integer of 64 bits.
    pub sequence: Option<Sequence>,
    /// A dispatch's name (`t`); `None` if it is absent or no string.
    pub name: Option<Cow<'a, str>>,
    /// The JSON text of `d`, exactly as received; `None` if there is no `d`.
    pub data: Option<&'a str>,
    /// Where `data` is in the text that was parsed.
    pub data_range: Option<Range<usize>>,
}

/// Why a text is no payload. What the stream's state is after this is unknown: reconnect and resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or no JSON object.
    #[error("the payload is no JSON object (byte {at})")]
    Syntax {
        /// Offset of the first byte that is wrong.
        at: usize,
    },
    /// More than 128 containers inside one another.
    #[error("the payload is nested deeper than {} levels", MAX_DEPTH)]
    TooDeep,
    /// A string is not UTF-8.
    #[error("the payload is not UTF-8")]
    Encoding,
    /// `op` is absent or no unsigned integer.
    #[error("the payload has no valid opcode")]
    Opcode,
}

impl<'a> Envelope<'a> {
    /// The first JSON value of `text`, and the text behind it (several payloads may come in one message; whitespace alone is no
    /// rest). Its members may have any order; unknown ones are skipped, and of equal ones the last counts.
    ///
    /// # Errors
    ///
    /// If the value is no JSON object in UTF-8, has no opcode, or is nested deeper than 128 levels. Objects and arrays among its
    /// members are checked for what would break a frame around them: see [`gateway_json::container_end`].
    pub fn parse(text: &'a [u8]) -> Result<(Self, &'a [u8]), EnvelopeError> {
        let mut scanner = Scanner::new(text);
        let members = Members::scan(text, &mut scanner).map_err(|fault| match fault {
            Fault::Syntax => EnvelopeError::Syntax { at: scanner.position().saturating_sub(1) },
            Fault::TooDeep => EnvelopeError::TooDeep,
        })?;
        let (object, rest) = text.split_at_checked(scanner.position()).unwrap_or((text, &[]));
        let json = simdutf8::basic::from_utf8(object).map_err(|_| EnvelopeError::Encoding)?;
        let opcode = members.opcode.and_then(|range| json.get(range)?.parse().ok()).ok_or(EnvelopeError::Opcode)?;
        let sequence = members.sequence.and_then(|range| json.get(range)?.parse().ok()).map(Sequence);
        let name = members.name.and_then(|range| string(json.get(range)?));
        let data = members.data.clone().and_then(|range| json.get(range));
        Ok((Self { opcode, sequence, name, data, data_range: members.data }, trim_start(rest)))
    }
}

/// Where the values of the members are.
#[derive(Default)]
struct Members {
    opcode: Option<Range<usize>>,
    sequence: Option<Range<usize>>,
    name: Option<Range<usize>>,
    data: Option<Range<usize>>,
}

impl Members {
    fn scan(text: &[u8], scanner: &mut Scanner<'_>) -> Result<Self, Fault> {
        let mut members = Self::default();
        if scanner.token()? != b'{' {
            return Err(Fault::Syntax);
        }
        let mut token = scanner.token()?;
        while token != b'}' {
            if token != b'"' {
                return Err(Fault::Syntax);
            }
            let key = scanner.string()?;
            scanner.colon()?;
            let value = scanner.skip_value(1)?;
            if let Some(member) = members.named(text, scanner, &key) {
                *member = Some(value);
            }
            token = match scanner.token()? {
                // A comma promises another member.
                b',' => match scanner.token()? {
                    b'}' => return Err(Fault::Syntax),
                    token => token,
                },
                b'}' => break,
                _ => return Err(Fault::Syntax),
            };
        }
        Ok(members)
    }

    fn named(&mut self, text: &[u8], scanner: &Scanner<'_>, key: &Text) -> Option<&mut Option<Range<usize>>> {
        let spelling = text.get(key.range.clone())?;
        let decoded = if key.has_escapes { scanner.decoded(key) } else { None };
        match decoded.as_deref().map_or(spelling, str::as_bytes) {
            b"op" => Some(&mut self.opcode),
            b"s" => Some(&mut self.sequence),
            b"t" => Some(&mut self.name),
            b"d" => Some(&mut self.data),
            _ => None,
        }
    }
}

fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { decode(json.as_bytes()).map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

fn decode(quoted: &[u8]) -> Option<String> {
    serde_json::from_slice(quoted).ok()
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_whitespace(*byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Envelope<'_> {
        let (envelope, rest) = Envelope::parse(text.as_bytes()).unwrap();
        assert_eq!(rest, b"");
        assert_eq!(envelope.data_range.clone().map(|range| &text[range]), envelope.data);
        envelope
    }

    #[test]
    fn members_come_in_any_order() {
        let expected = r#"{"a":[1]}"#;
        for text in [
            r#"{"t":"X","s":3,"op":0,"d":{"a":[1]}}"#,
            r#"{"d":{"a":[1]},"op":0,"s":3,"t":"X"}"#,
            r#" { "op" : 0 , "d" : {"a":[1]} , "extra" : [{"op":9}] , "t" : "X" , "s" : 3 } "#,
            r#"{"op":7,"op":0,"t":null,"t":"X","s":1,"s":3,"d":0,"d":{"a":[1]}}"#,
            r#"{"\u006fp":0,"t":"\u0058","s":3,"d":{"a":[1]}}"#,
        ] {
            let envelope = parse(text);
            assert_eq!(envelope.opcode, 0, "{text}");
            assert_eq!(envelope.sequence, Some(Sequence(3)), "{text}");
            assert_eq!(envelope.name.as_deref(), Some("X"), "{text}");
            assert_eq!(envelope.data, Some(expected), "{text}");
        }
    }

    #[test]
    fn a_plain_name_is_borrowed() {
        assert!(matches!(parse(r#"{"op":0,"t":"READY"}"#).name, Some(Cow::Borrowed("READY"))));
    }

    #[test]
    fn a_sequence_that_is_no_unsigned_integer_is_none() {
        for spelling in ["null", "-1", "1.5", "1e3", "\"4\"", "18446744073709551616", "[]"] {
            assert_eq!(parse(&format!(r#"{{"op":0,"s":{spelling}}}"#)).sequence, None, "{spelling}");
        }
        assert_eq!(parse(r#"{"op":0}"#).sequence, None);
        assert_eq!(parse(r#"{"op":0,"s":18446744073709551615}"#).sequence, Some(Sequence(u64::MAX)));
    }

    #[test]
    fn numbers_in_the_data_keep_their_spelling() {
        let text = r#"{"op":0,"d":{"id":175928847299117063,"x":1.50e+400}}"#;
        assert_eq!(parse(text).data, Some(r#"{"id":175928847299117063,"x":1.50e+400}"#));
    }

    #[test]
    fn an_opcode_is_required() {
        for text in
            ["{}", r#"{"op":null}"#, r#"{"op":-1}"#, r#"{"op":"0"}"#, r#"{"op":1.0}"#, r#"{"op":99999999999999999999}"#]
        {
            assert_eq!(Envelope::parse(text.as_bytes()), Err(EnvelopeError::Opcode), "{text}");
        }
    }

    #[test]
    fn faults_that_would_break_a_frame_are_found() {
        for text in [
            r#"{"op":0,"d":{"a":1}"#,
            r#"{"op":0,"d":{"a":"1}}"#,
            r#"{"op":0,"d":[[1}"#,
            "{\"op\":0,\"d\":{\"a\":\"\n\"}}",
            r#"{"op":0,"d":01}"#,
            r#"{"op":0,"d":x}"#,
            r#"{"op":0,"d":}"#,
            r#"{"op":0,"d":"\q"}"#,
            r#"{"op":0,}"#,
            r#"{"op":0 "d":1}"#,
            "[]",
            "null",
            "",
        ] {
            assert!(matches!(Envelope::parse(text.as_bytes()), Err(EnvelopeError::Syntax { .. })), "{text}");
        }
        assert_eq!(Envelope::parse(b"{\"op\":0,\"d\":\"\xff\"}"), Err(EnvelopeError::Encoding));
        assert_eq!(Envelope::parse(b"{\"op\":0,\"d\":\"\xed\xa0\x80\"}"), Err(EnvelopeError::Encoding));
    }

    #[test]
    fn a_million_brackets_are_refused() {
        let text = format!(r#"{{"op":0,"d":{}"#, "[".repeat(1_000_000));
        assert_eq!(Envelope::parse(text.as_bytes()), Err(EnvelopeError::TooDeep));
    }

    #[test]
    fn merged_payloads_are_parsed_one_by_one() {
        let (first, rest) = Envelope::parse(b" {\"op\":11}\n{\"op\":7,\"d\":null}  ").unwrap();
        let (second, rest) = Envelope::parse(rest).map(|(second, end)| (second, end.to_vec())).unwrap();
        assert_eq!((first.opcode, second.opcode, second.data), (11, 7, Some("null")));
        assert_eq!(rest, b"");
    }

    proptest! {
        #[test]
        fn no_input_panics(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Envelope::parse(&text);
        }

        #[test]
        fn a_damaged_payload_never_panics(place in 0_usize..70, byte in any::<u8>()) {
            let mut text = br#"{"t":"MESSAGE_CREATE","s":12,"op":0,"d":{"id":"1","content":"\u00e9"}}"#.to_vec();
            if let Some(damaged) = text.get_mut(place) {
                *damaged = byte;
            }
            if let Ok((envelope, _)) = Envelope::parse(&text) {
                let data = envelope.data.unwrap_or("null").as_bytes();
                if data.starts_with(b"{") {
                    prop_assert_eq!(gateway_json::container_end(data, 0, 1), Ok(data.len()));
                }
            }
        }
    }
}
