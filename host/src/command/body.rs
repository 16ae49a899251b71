//! The forms of a command's body, told apart by the first byte. All of them end as JSON text.

use std::borrow::Cow;

use msgpack_scan::{Reader, Token};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Refusal;
use super::transcode;

/// The JSON text that a body is or holds: JSON itself, the text in a JSON string, a MessagePack map, or the text in a MessagePack
/// string or binary.
///
/// # Errors
/// If it is none of these.
pub(super) fn json_text(body: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    match body.first().copied() {
        None => Err(Refusal::Empty),
        Some(0x80..=0x8f | 0xde | 0xdf) => transcode::to_json(body).map(Cow::Owned),
        Some(0xa0..=0xbf | 0xc4..=0xc6 | 0xd9..=0xdb) => held_text(body).map(Cow::Borrowed),
        Some(first @ 0x80..) => Err(Refusal::UnknownForm { first }),
        // What a client sends that was given a text, and turns all that it is given into JSON.
        Some(_) if body.trim_ascii_start().starts_with(b"\"") => {
            let text: String = serde_json::from_slice(body).map_err(invalid_json)?;
            Ok(Cow::Owned(text.into_bytes()))
        }
        Some(_) => Ok(Cow::Borrowed(body)),
    }
}

/// Reads a JSON object. `what` names it in errors.
///
/// # Errors
/// If it is not JSON, or another kind of value.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a [u8], what: &'static str) -> Result<T, Refusal> {
    // Arrays would do for the deserializer.
    if text.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice(text).map_err(invalid_json);
    }
    let _: IgnoredAny = serde_json::from_slice(text).map_err(invalid_json)?;
    Err(Refusal::NotAnObject(what))
}

fn held_text(body: &[u8]) -> Result<&[u8], Refusal> {
    let mut reader = Reader::new(body);
    let token = reader.token()?;
    if !reader.is_at_end() {
        return Err(Refusal::TrailingBytes);
    }
    match (token, body.first()) {
        (Token::String(text) | Token::Binary(text), _) => Ok(text),
        (_, first) => Err(Refusal::UnknownForm { first: first.copied().unwrap_or_default() }),
    }
}

fn invalid_json(error: serde_json::Error) -> Refusal {
    Refusal::InvalidJson(error.to_string())
}
