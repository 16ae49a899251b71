//! What comes in on STDIN: an event's name and its data, as a JSON object `{"event": …, "data": …}`, or as the same map in
//! MessagePack, or as an array `[event, data]` in either. Other members are skipped.

use std::borrow::Cow;
use std::fmt;

use msgpack_scan::{Invalid, Reader, Token};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A message from STDIN.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inbound<'a> {
    /// The event's name.
    pub(crate) event: Cow<'a, str>,
    /// The bytes of `data`, as they came: a JSON text, or a MessagePack value.
    pub(crate) data: &'a [u8],
}

impl<'a> Inbound<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// If it has none of the forms.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, InvalidMessage> {
        match body.first() {
            Some(0x80..) => Self::parse_msgpack(body),
            _ => Self::parse_json(body),
        }
    }

    fn parse_json(body: &'a [u8]) -> Result<Self, InvalidMessage> {
        let Members { event, data } =
            serde_json::from_slice(body).map_err(|error| InvalidMessage(error.to_string()))?;
        Ok(Self { event, data: data.get().as_bytes() })
    }

    fn parse_msgpack(body: &'a [u8]) -> Result<Self, InvalidMessage> {
        let mut reader = Reader::new(body);
        let inbound = match reader.token()? {
            Token::Map(pairs) => Self::members(&mut reader, pairs)?,
            Token::Array(2) => Self { event: text(&mut reader)?.into(), data: reader.value()? },
            _ => return Err(InvalidMessage("it is neither a map nor an array of two elements".into())),
        };
        if !reader.is_at_end() {
            return Err(InvalidMessage("something follows the MessagePack value".into()));
        }
        Ok(inbound)
    }

    fn members(reader: &mut Reader<'a>, pairs: u32) -> Result<Self, InvalidMessage> {
        let (mut event, mut data) = (None, None);
        for _ in 0..pairs {
            let is_duplicate = match Reader::new(reader.value()?).token()? {
                Token::String(b"event") => event.replace(text(reader)?).is_some(),
                Token::String(b"data") => data.replace(reader.value()?).is_some(),
                _ => {
                    reader.value()?;
                    false
                }
            };
            if is_duplicate {
                return Err(InvalidMessage("it has `event` or `data` twice".into()));
            }
        }
        let missing = |key| move || InvalidMessage(format!("it has no `{key}`"));
        Ok(Self { event: event.ok_or_else(missing("event"))?.into(), data: data.ok_or_else(missing("data"))? })
    }
}

/// Why a message is not understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidMessage(String);

impl fmt::Display for InvalidMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(reason) = self;
        write!(formatter, "not a command of the form {{\"event\": name, \"data\": …}} in JSON or MessagePack: {reason}")
    }
}

impl From<Invalid> for InvalidMessage {
    fn from(invalid: Invalid) -> Self {
        Self(invalid.to_string())
    }
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, InvalidMessage> {
    match reader.token()? {
        Token::String(text) => str::from_utf8(text).map_err(|_| InvalidMessage("the event's name is not UTF-8".into())),
        _ => Err(InvalidMessage("the event's name is not a string".into())),
    }
}

#[cfg(test)]
mod tests;
