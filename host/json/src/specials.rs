//! Finds the bytes at which a JSON string may end, 64 at a time.
//!
//! Looking for each string's end from its start would make every step wait for the one before. A mask of a whole block depends
//! on nothing, so the processor computes it ahead.

use wide::u8x16;

/// Bytes that a mask stands for.
pub(crate) const BLOCK: usize = u64::BITS as usize;

/// Which bytes are quotes, backslashes or control characters, the first one in the lowest bit.
#[inline(always)]
pub(crate) fn specials(block: &[u8; BLOCK]) -> u64 {
    let (parts, _) = block.as_chunks::<LANES>();
    parts.iter().rev().fold(0, |mask, part| mask << LANES | u64::from(specials_of_part(*part)))
}

/// The same for the last bytes of a text. What is missing counts as special, so that no string goes on behind the end.
pub(crate) fn specials_of_tail(tail: &[u8]) -> u64 {
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(tail) {
        *to = *from;
    }
    specials(&block)
}

#[inline(always)]
fn specials_of_part(part: [u8; LANES]) -> u16 {
    let bytes = u8x16::new(part);
    let quotes = bytes.simd_eq(u8x16::splat(b'"'));
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
    let controls = bytes.simd_eq(bytes.min(u8x16::splat(0x1f)));
    (quotes | backslashes | controls).to_bitmask() as u16
}

const LANES: usize = u8x16::LANES as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_special_byte_is_marked_at_its_place() {
        for byte in 0..=u8::MAX {
            let is_special = matches!(byte, b'"' | b'\\' | 0..=0x1f);
            for place in 0..BLOCK {
                let mut block = [b'a'; BLOCK];
                block[place] = byte;
                assert_eq!(specials(&block), u64::from(is_special) << place, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_special() {
        assert_eq!(specials_of_tail(b"ab\"c"), !0b1011);
        assert_eq!(specials_of_tail(b""), u64::MAX);
    }
}
