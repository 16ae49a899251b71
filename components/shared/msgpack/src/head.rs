//! Where a value ends.

use std::error::Error;
use std::fmt;

/// The beginning of a value, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head itself, from 1 to 5.
    pub length: usize,
    /// Bytes of content that follow the head. 0 for an array or a map.
    pub bytes: u64,
    /// Values that follow the head: the elements of an array, or the keys and values of a map.
    pub values: u64,
}

impl Head {
    /// Reads the head at the start of `bytes`. `None` if they end within it.
    ///
    /// # Errors
    /// If the first byte is the one that MessagePack never uses.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, ReservedByte> {
        let Some(first) = bytes.first() else { return Ok(None) };
        let head = match first {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Self::content(1, Some(0)),
            0x80..=0x8f => Self::children(1, Some(u64::from(first & 0x0f) * 2)),
            0x90..=0x9f => Self::children(1, Some(u64::from(first & 0x0f))),
            0xa0..=0xbf => Self::content(1, Some(u64::from(first & 0x1f))),
            0xc1 => return Err(ReservedByte),
            0xc4 | 0xd9 => Self::content(2, number::<1>(bytes)),
            0xc5 | 0xda => Self::content(3, number::<2>(bytes)),
            0xc6 | 0xdb => Self::content(5, number::<4>(bytes)),
            // An extension's type is one more byte of content.
            0xc7 => Self::content(2, number::<1>(bytes).map(|length| length + 1)),
            0xc8 => Self::content(3, number::<2>(bytes).map(|length| length + 1)),
            0xc9 => Self::content(5, number::<4>(bytes).map(|length| length + 1)),
            0xcc | 0xd0 => Self::content(1, Some(1)),
            0xcd | 0xd1 => Self::content(1, Some(2)),
            0xca | 0xce | 0xd2 => Self::content(1, Some(4)),
            0xcb | 0xcf | 0xd3 => Self::content(1, Some(8)),
            0xd4 => Self::content(1, Some(2)),
            0xd5 => Self::content(1, Some(3)),
            0xd6 => Self::content(1, Some(5)),
            0xd7 => Self::content(1, Some(9)),
            0xd8 => Self::content(1, Some(17)),
            0xdc => Self::children(3, number::<2>(bytes)),
            0xdd => Self::children(5, number::<4>(bytes)),
            0xde => Self::children(3, number::<2>(bytes).map(|pairs| pairs * 2)),
            0xdf => Self::children(5, number::<4>(bytes).map(|pairs| pairs * 2)),
        };
        Ok(head)
    }

    fn content(length: usize, bytes: Option<u64>) -> Option<Self> {
        Some(Self { length, bytes: bytes?, values: 0 })
    }

    fn children(length: usize, values: Option<u64>) -> Option<Self> {
        Some(Self { length, bytes: 0, values: values? })
    }
}

/// The byte `c1`, which begins no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservedByte;

impl fmt::Display for ReservedByte {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the byte c1 begins no MessagePack value")
    }
}

impl Error for ReservedByte {}

/// The `N` bytes after the first one, as a big-endian number.
fn number<const N: usize>(bytes: &[u8]) -> Option<u64> {
    let digits: &[u8; N] = bytes.get(1..)?.first_chunk()?;
    Some(digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_but_one_has_a_head() {
        for first in 0..=u8::MAX {
            let bytes = [first, 0, 0, 0, 1, 0];
            assert_eq!(Head::read(&bytes).is_err(), first == 0xc1, "{first:x}");
        }
    }

    #[test]
    fn an_incomplete_head_waits_for_more() {
        for (head, length) in [(0xdb, 5), (0xda, 3), (0xd9, 2), (0xc9, 5), (0xdf, 5), (0xde, 3)] {
            let bytes = [head, 0, 0, 0, 0];
            for end in 0..length {
                assert_eq!(Head::read(&bytes[..end]), Ok(None));
            }
            assert_eq!(Head::read(&bytes[..length]).unwrap().unwrap().length, length);
        }
    }

    #[test]
    fn announced_lengths_are_counted_in_full() {
        let read = |bytes: &[u8]| Head::read(bytes).unwrap().unwrap();
        assert_eq!(read(b"\xdf\xff\xff\xff\xff").values, 2 * u64::from(u32::MAX));
        assert_eq!(read(b"\xdb\x00\x01\x00\x02").bytes, 65_538);
        assert_eq!(read(b"\xc9\xff\xff\xff\xff").bytes, u64::from(u32::MAX) + 1);
        assert_eq!(read(b"\x8f").values, 30);
    }
}
