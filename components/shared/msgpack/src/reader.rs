//! Reads one value.

use std::error::Error;
use std::fmt;

use crate::{Head, ReservedByte};

/// One piece of a value. The elements of an array or a map are the tokens that come after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// An array of so many elements.
    Array(u32),
    /// Bytes.
    Binary(&'a [u8]),
    /// A truth value.
    Bool(bool),
    /// A value of an application's own type.
    Extension,
    /// A number of 32 bits with a fraction.
    Float32(f32),
    /// A number of 64 bits with a fraction.
    Float64(f64),
    /// A map of so many pairs, each a key and its value.
    Map(u32),
    /// Nothing.
    Nil,
    /// A whole number below 0, or one that was written as if it could be.
    Signed(i64),
    /// Text. It is UTF-8, as far as the sender was honest.
    String(&'a [u8]),
    /// A whole number.
    Unsigned(u64),
}

/// Reads values from bytes.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all bytes are read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads the next piece.
    ///
    /// # Errors
    /// If the bytes end before it does, or begin no value.
    pub fn token(&mut self) -> Result<Token<'a>, Invalid> {
        let Piece { head, content, .. } = self.piece()?;
        let first = *head.first().ok_or(Invalid::CutOff)?;
        Ok(match first {
            0x00..=0x7f => Token::Unsigned(first.into()),
            0x80..=0x8f => Token::Map(u32::from(first & 0x0f)),
            0x90..=0x9f => Token::Array(u32::from(first & 0x0f)),
            0xa0..=0xbf | 0xd9..=0xdb => Token::String(content),
            0xc0 => Token::Nil,
            0xc1 => return Err(Invalid::Reserved),
            0xc2 | 0xc3 => Token::Bool(first == 0xc3),
            0xc4..=0xc6 => Token::Binary(content),
            0xc7..=0xc9 | 0xd4..=0xd8 => Token::Extension,
            0xca => Token::Float32(f32::from_be_bytes(array(content)?)),
            0xcb => Token::Float64(f64::from_be_bytes(array(content)?)),
            0xcc => Token::Unsigned(u8::from_be_bytes(array(content)?).into()),
            0xcd => Token::Unsigned(u16::from_be_bytes(array(content)?).into()),
            0xce => Token::Unsigned(u32::from_be_bytes(array(content)?).into()),
            0xcf => Token::Unsigned(u64::from_be_bytes(array(content)?)),
            0xd0 => Token::Signed(i8::from_be_bytes(array(content)?).into()),
            0xd1 => Token::Signed(i16::from_be_bytes(array(content)?).into()),
            0xd2 => Token::Signed(i32::from_be_bytes(array(content)?).into()),
            0xd3 => Token::Signed(i64::from_be_bytes(array(content)?)),
            0xdc => Token::Array(u16::from_be_bytes(array(tail(head))?).into()),
            0xdd => Token::Array(u32::from_be_bytes(array(tail(head))?)),
            0xde => Token::Map(u16::from_be_bytes(array(tail(head))?).into()),
            0xdf => Token::Map(u32::from_be_bytes(array(tail(head))?)),
            0xe0..=0xff => Token::Signed(i8::from_be_bytes([first]).into()),
        })
    }

    /// Reads over one whole value, and gives its bytes.
    ///
    /// # Errors
    /// If the bytes end before it does, or something in it begins no value.
    pub fn value(&mut self) -> Result<&'a [u8], Invalid> {
        let start = self.rest;
        let mut open: u64 = 1;
        while open > 0 {
            open = (open - 1).saturating_add(self.piece()?.values);
        }
        start.get(..start.len() - self.rest.len()).ok_or(Invalid::CutOff)
    }

    fn piece(&mut self) -> Result<Piece<'a>, Invalid> {
        let head = Head::read(self.rest)?.ok_or(Invalid::CutOff)?;
        let bytes = usize::try_from(head.bytes).map_err(|_| Invalid::CutOff)?;
        let (first, rest) = self.rest.split_at_checked(head.length).ok_or(Invalid::CutOff)?;
        let (content, rest) = rest.split_at_checked(bytes).ok_or(Invalid::CutOff)?;
        self.rest = rest;
        Ok(Piece { head: first, content, values: head.values })
    }
}

/// Why bytes are not MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// The bytes end within a value.
    CutOff,
    /// A byte that begins no value.
    Reserved,
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => formatter.write_str("the MessagePack value is cut off"),
            Self::Reserved => ReservedByte.fmt(formatter),
        }
    }
}

impl Error for Invalid {}

impl From<ReservedByte> for Invalid {
    fn from(_: ReservedByte) -> Self {
        Self::Reserved
    }
}

/// A head and its content.
struct Piece<'a> {
    head: &'a [u8],
    content: &'a [u8],
    /// Values that follow.
    values: u64,
}

fn tail(head: &[u8]) -> &[u8] {
    head.get(1..).unwrap_or_default()
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Invalid> {
    bytes.try_into().map_err(|_| Invalid::CutOff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(bytes: &[u8]) -> Token<'_> {
        let mut reader = Reader::new(bytes);
        let token = reader.token().unwrap();
        assert!(reader.is_at_end());
        token
    }

    #[test]
    fn numbers_keep_every_bit() {
        assert_eq!(token(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), Token::Unsigned(u64::MAX));
        assert_eq!(token(b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), Token::Signed(i64::MIN));
        assert_eq!(token(b"\xff"), Token::Signed(-1));
        assert_eq!(token(b"\xd0\x80"), Token::Signed(-128));
        assert_eq!(token(b"\xcd\x01\x00"), Token::Unsigned(256));
        assert_eq!(token(b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"), Token::Float64(1.5));
        assert_eq!(token(b"\xca\x3f\xc0\x00\x00"), Token::Float32(1.5));
    }

    #[test]
    fn texts_and_bytes_come_without_their_head() {
        assert_eq!(token(b"\xa2hi"), Token::String(b"hi"));
        assert_eq!(token(b"\xd9\x02hi"), Token::String(b"hi"));
        assert_eq!(token(b"\xda\x00\x02hi"), Token::String(b"hi"));
        assert_eq!(token(b"\xdb\x00\x00\x00\x02hi"), Token::String(b"hi"));
        assert_eq!(token(b"\xc5\x00\x02hi"), Token::Binary(b"hi"));
        assert_eq!(token(b"\xd5\x07hi"), Token::Extension);
    }

    #[test]
    fn a_value_ends_with_its_last_part() {
        let bytes = b"\x82\xa1a\x92\x01\xc0\xa1b\xde\x00\x01\xa0\xc4\x01x\x05";
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.value(), Ok(&bytes[..bytes.len() - 1]));
        assert_eq!(reader.token(), Ok(Token::Unsigned(5)));
        assert_eq!(reader.token(), Err(Invalid::CutOff));
    }

    #[test]
    fn deep_nesting_and_lying_lengths_end_in_an_error() {
        assert_eq!(Reader::new(&vec![0x91; 1_000_000]).value(), Err(Invalid::CutOff));
        assert_eq!(Reader::new(&[0xdf; 1_000_000]).value(), Err(Invalid::CutOff));
        assert_eq!(Reader::new(b"\xdb\xff\xff\xff\xff").token(), Err(Invalid::CutOff));
        assert_eq!(Reader::new(b"\x91\xc1").value(), Err(Invalid::Reserved));
    }

    #[test]
    fn every_prefix_of_a_value_is_cut_off() {
        let bytes =
            b"\x83\xa1a\xcf\0\0\0\0\0\0\0\0\xda\x00\x01b\xc9\0\0\0\x01\x05x\xa1c\xdc\x00\x01\xcb\0\0\0\0\0\0\0\0";
        assert_eq!(Reader::new(bytes).value(), Ok(&bytes[..]));
        for end in 0..bytes.len() {
            assert_eq!(Reader::new(&bytes[..end]).value(), Err(Invalid::CutOff), "{end}");
        }
    }
}
