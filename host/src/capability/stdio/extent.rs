//! How far a value on STDIN goes, found out bit by bit and without looking at any byte twice.

use memchr::memchr3;
use msgpack_scan::Head;

/// A value that has begun.
#[derive(Debug)]
pub(super) enum Extent {
    /// A JSON object, array or string.
    Json(JsonExtent),
    /// `true`, `false` or `null`: what is still to come of it.
    JsonLiteral(&'static [u8]),
    /// A JSON number.
    JsonNumber,
    /// A MessagePack value.
    MessagePack(MessagePackExtent),
}

/// What some bytes of a value mean for its extent. All figures count from the start of these bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The first so many bytes belong to the value, which goes on.
    GoesOn(usize),
    /// The value ends after so many bytes.
    Ends(usize),
    /// The byte here cannot be part of the value.
    Breaks(usize),
}

impl Extent {
    /// The extent of a value that begins with `first`. `None` if none does.
    pub(super) fn begin(first: u8) -> Option<Self> {
        Some(match first {
            b'{' | b'[' | b'"' => Self::Json(JsonExtent::default()),
            b't' => Self::JsonLiteral(b"true"),
            b'f' => Self::JsonLiteral(b"false"),
            b'n' => Self::JsonLiteral(b"null"),
            b'-' | b'0'..=b'9' => Self::JsonNumber,
            0x80..=0x9f | 0xdc..=0xdf => Self::MessagePack(MessagePackExtent::default()),
            _ => return None,
        })
    }

    /// Goes on with further bytes: those after the ones that it has counted as the value's.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Progress {
        match self {
            Self::Json(json) => json.advance(bytes),
            Self::JsonLiteral(rest) => literal(rest, bytes),
            Self::JsonNumber => match bytes.iter().position(|byte| !is_of_number(*byte)) {
                Some(end) => Progress::Ends(end),
                None => Progress::GoesOn(bytes.len()),
            },
            Self::MessagePack(msgpack) => msgpack.advance(bytes),
        }
    }

    /// Whether the end of all input may end the value.
    pub(super) fn may_end(&self) -> bool {
        matches!(self, Self::JsonNumber)
    }

    /// At least so many bytes are still to come.
    pub(super) fn least_rest(&self) -> u64 {
        match self {
            Self::MessagePack(msgpack) => msgpack.open.saturating_add(msgpack.content),
            _ => 0,
        }
    }
}

/// A JSON object, array or string.
#[derive(Debug, Default)]
pub(super) struct JsonExtent {
    /// Objects and arrays that are open.
    depth: u64,
    is_in_string: bool,
    is_escaped: bool,
}

impl JsonExtent {
    fn advance(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            if self.is_in_string && byte == b'\n' {
                return Progress::Breaks(at);
            }
            self.take(byte);
            at += 1;
            if self.depth == 0 && !self.is_in_string {
                return Progress::Ends(at);
            }
            if self.is_in_string && !self.is_escaped {
                let rest = bytes.get(at..).unwrap_or_default();
                at += memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len());
            }
        }
        Progress::GoesOn(bytes.len())
    }

    fn take(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_in_string => self.is_escaped = true,
            b'"' => self.is_in_string = !self.is_in_string,
            _ if self.is_in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
    }
}

/// A MessagePack value.
#[derive(Debug)]
pub(super) struct MessagePackExtent {
    /// Values that are still to come, within the one that began.
    open: u64,
    /// Bytes of content that are still to come.
    content: u64,
}

impl Default for MessagePackExtent {
    fn default() -> Self {
        Self { open: 1, content: 0 }
    }
}

impl MessagePackExtent {
    fn advance(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let content = usize::try_from(self.content).unwrap_or(usize::MAX).min(rest.len());
            self.content -= content as u64;
            at += content;
            if self.content > 0 {
                return Progress::GoesOn(at);
            }
            if self.open == 0 {
                return Progress::Ends(at);
            }
            match Head::read(rest.get(content..).unwrap_or_default()) {
                Ok(Some(head)) => {
                    at += head.length;
                    self.content = head.bytes;
                    self.open = (self.open - 1).saturating_add(head.values);
                }
                // The few bytes of a head that is not whole are looked at again.
                Ok(None) => return Progress::GoesOn(at),
                Err(_) => return Progress::Breaks(at),
            }
        }
    }
}

fn literal(rest: &mut &'static [u8], bytes: &[u8]) -> Progress {
    for (at, byte) in bytes.iter().enumerate() {
        match rest.split_first() {
            Some((expected, tail)) if expected == byte => *rest = tail,
            Some(_) => return Progress::Breaks(at),
            None => return Progress::Ends(at),
        }
    }
    if rest.is_empty() { Progress::Ends(bytes.len()) } else { Progress::GoesOn(bytes.len()) }
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}
