//! Where an object or array ends, from its quotes and brackets alone.
//!
//! 64 bytes are looked at together: a bit mask of each kind of byte that matters, the quotes that no backslash escapes turned
//! into a mask of what is inside strings, and the brackets outside of them counted. This runs over every payload, so on x86-64
//! it uses AVX2 where the processor has it (docs/decisions/0004).

use crate::scanner::{Fault, MAX_DEPTH};

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// The offset behind the object or array whose opening bracket is at `start`.
///
/// Checks what could break the text around it: that strings are closed and hold no control characters, that as many brackets
/// are closed as were opened, and that no more than [`MAX_DEPTH`] less `depth` are open at a time. Whether commas, colons,
/// numbers and literals stand where they should is not checked.
///
/// # Errors
/// If the text ends before, or breaks one of these rules.
pub fn container_end(text: &[u8], start: usize, depth: u32) -> Result<usize, Fault> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("popcnt")
    {
        // SAFETY: the processor has the features that the function is compiled for. Measured: a fifth of the time of the
        // portable way (`cargo run --release -p gateway-protocol --example envelope_speed`).
        return unsafe { avx2::container_end(text, start, depth) };
    }
    end(text, start, depth, portable::masks)
}

/// One bit for each byte of a block.
struct Masks {
    backslash: u64,
    quote: u64,
    /// `{` and `[`.
    open: u64,
    /// `}` and `]`.
    close: u64,
    control: u64,
}

#[inline(always)]
fn end(text: &[u8], start: usize, depth: u32, masks: impl Fn(&[u8; BLOCK]) -> Masks) -> Result<usize, Fault> {
    let mut walk = Walk { open: 0, limit: MAX_DEPTH.saturating_sub(depth), escaped: 0, in_string: 0 };
    let (blocks, tail) = text.get(start..).unwrap_or_default().as_chunks::<BLOCK>();
    let mut at = start;
    for block in blocks {
        if let Some(end) = walk.block(&masks(block))? {
            return Ok(at + end);
        }
        at += BLOCK;
    }
    // Padded with what means nothing.
    let mut last = [b' '; BLOCK];
    for (padded, byte) in last.iter_mut().zip(tail) {
        *padded = *byte;
    }
    walk.block(&masks(&last))?.map(|end| at + end).ok_or(Fault::Syntax)
}

/// What is carried from block to block.
struct Walk {
    /// Brackets that are open.
    open: u32,
    limit: u32,
    /// 1 if the next byte is escaped.
    escaped: u64,
    /// All bits if the next byte is in a string.
    in_string: u64,
}

impl Walk {
    /// Where in the block the outermost bracket closes, if it does.
    #[inline(always)]
    fn block(&mut self, masks: &Masks) -> Result<Option<usize>, Fault> {
        let quotes = masks.quote & !self.escaped(masks.backslash);
        let strings = prefix_xor(quotes) ^ self.in_string;
        self.in_string = if strings >> 63 == 1 { u64::MAX } else { 0 };
        if masks.control & strings != 0 {
            return Err(Fault::Syntax);
        }
        let (open, close) = (masks.open & !strings, masks.close & !strings);
        let (opened, closed) = (open.count_ones(), close.count_ones());
        // Usually neither the end nor the limit can be in this block.
        if self.open > closed && self.open + opened <= self.limit {
            self.open = self.open + opened - closed;
            return Ok(None);
        }
        self.brackets(open, close)
    }

    /// The bytes that a backslash escapes: those behind an odd number of backslashes.
    #[inline(always)]
    fn escaped(&mut self, backslash: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let backslash = backslash & !self.escaped;
        let follows = backslash << 1 | self.escaped;
        // Adding carries through each run of backslashes; a run that starts at an odd place ends the other way round.
        let odd_starts = backslash & !EVEN & !follows;
        let (runs, overflow) = odd_starts.overflowing_add(backslash);
        self.escaped = u64::from(overflow);
        (EVEN ^ (runs << 1)) & follows
    }

    /// Bracket by bracket.
    #[cold]
    fn brackets(&mut self, open: u64, close: u64) -> Result<Option<usize>, Fault> {
        let mut rest = open | close;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            if open >> at & 1 == 1 {
                self.open += 1;
                if self.open > self.limit {
                    return Err(Fault::TooDeep);
                }
            } else {
                self.open = self.open.checked_sub(1).ok_or(Fault::Syntax)?;
                if self.open == 0 {
                    return Ok(Some(at as usize + 1));
                }
            }
        }
        Ok(None)
    }
}

/// Each bit becomes the exclusive or of itself and all lower ones: from quotes to what is between them.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// `{` and `[`, and likewise `}` and `]`, differ in this bit alone.
const BRACKET_BIT: u8 = 0x20;
/// The largest control character.
const LAST_CONTROL: u8 = 0x1f;

mod portable {
    use wide::u8x16;

    use super::{BLOCK, BRACKET_BIT, LAST_CONTROL, Masks};

    /// With what every processor of the platform has.
    #[inline(always)]
    pub(super) fn masks(block: &[u8; BLOCK]) -> Masks {
        let mut masks = Masks { backslash: 0, quote: 0, open: 0, close: 0, control: 0 };
        let (parts, _) = block.as_chunks::<16>();
        for (part, shift) in parts.iter().zip([0, 16, 32, 48]) {
            let bytes = u8x16::new(*part);
            let brackets = bytes | u8x16::splat(BRACKET_BIT);
            let bits = |matches: u8x16| (u64::from(matches.to_bitmask())) << shift;
            masks.backslash |= bits(bytes.simd_eq(u8x16::splat(b'\\')));
            masks.quote |= bits(bytes.simd_eq(u8x16::splat(b'"')));
            masks.open |= bits(brackets.simd_eq(u8x16::splat(b'{')));
            masks.close |= bits(brackets.simd_eq(u8x16::splat(b'}')));
            masks.control |= bits(bytes.min(u8x16::splat(LAST_CONTROL)).simd_eq(bytes));
        }
        masks
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8,
    };

    use super::{BLOCK, BRACKET_BIT, Fault, LAST_CONTROL, Masks};

    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn container_end(text: &[u8], start: usize, depth: u32) -> Result<usize, Fault> {
        super::end(text, start, depth, |block| masks(block))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn masks(block: &[u8; BLOCK]) -> Masks {
        let (low, high) = load(block);
        let equal = |byte: u8, low: __m256i, high: __m256i| {
            let wanted = _mm256_set1_epi8(byte.cast_signed());
            bits(_mm256_cmpeq_epi8(low, wanted), _mm256_cmpeq_epi8(high, wanted))
        };
        let bracket = _mm256_set1_epi8(BRACKET_BIT.cast_signed());
        let (low_brackets, high_brackets) = (_mm256_or_si256(low, bracket), _mm256_or_si256(high, bracket));
        let last = _mm256_set1_epi8(LAST_CONTROL.cast_signed());
        let is_control = |bytes: __m256i| _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, last), bytes);
        Masks {
            backslash: equal(b'\\', low, high),
            quote: equal(b'"', low, high),
            open: equal(b'{', low_brackets, high_brackets),
            close: equal(b'}', low_brackets, high_brackets),
            control: bits(is_control(low), is_control(high)),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(block: &[u8; BLOCK]) -> (__m256i, __m256i) {
        let first = block.as_ptr().cast::<__m256i>();
        // SAFETY: the block has 64 bytes, which is two of these, and they need no alignment.
        unsafe { (_mm256_loadu_si256(first), _mm256_loadu_si256(first.add(1))) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn bits(low: __m256i, high: __m256i) -> u64 {
        let half = |matches: __m256i| u64::from(_mm256_movemask_epi8(matches).cast_unsigned());
        half(high) << 32 | half(low)
    }
}

#[cfg(test)]
mod tests;
