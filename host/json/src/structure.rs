//! Where an object or array ends, from a look at 64 bytes at a time.
//!
//! A bit mask of each kind of byte that matters is made; the quotes that no backslash escapes become a mask of what is inside
//! strings; the brackets outside of them are counted, and what may not stand beside each other is found by shifting masks. This
//! runs over every payload, so on x86-64 it uses AVX2 where the processor has it (docs/decisions/0004).

use crate::scanner::{Fault, MAX_DEPTH, Scanner};

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// The offset behind the object or array whose opening bracket is at `start`.
///
/// Checks that strings are closed and hold no control characters, that backslashes stand in strings only, that as many brackets are closed as were opened, that no more
/// than [`MAX_DEPTH`] less `depth` are open at a time, and that a comma or a colon, and only one,
/// stands between a closing quote or bracket and what follows. Whether numbers, literals and escapes are spelt rightly is not
/// checked, nor which kind of bracket closes. A text with white space between its
/// tokens, which is rare, is checked in full.
///
/// # Errors
/// If the text ends before, or breaks one of these rules.
pub fn container_end(text: &[u8], start: usize, depth: u32) -> Result<usize, Fault> {
    match dispatch(text, start, depth) {
        Ok(end) => Ok(end),
        Err(Stop::Fault(fault)) => Err(fault),
        Err(Stop::WhiteSpace) => {
            let mut scanner = Scanner::new(text.get(start..).unwrap_or_default());
            scanner.value(depth).map(|range| start + range.end)
        }
    }
}

fn dispatch(text: &[u8], start: usize, depth: u32) -> Result<usize, Stop> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("popcnt")
    {
        // SAFETY: the processor has the features that the function is compiled for. Measured: half of the time of the strict
        // scanner for a whole envelope (`cargo run --release -p gateway-protocol --example envelope_speed`).
        return unsafe { avx2::container_end(text, start, depth) };
    }
    end(text, start, depth, portable::masks)
}

/// Why the quick way does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Fault(Fault),
    WhiteSpace,
}

/// One bit for each byte of a block.
struct Masks {
    backslash: u64,
    quote: u64,
    /// `{` and `[`.
    open: u64,
    /// `}` and `]`.
    close: u64,
    comma: u64,
    colon: u64,
    control: u64,
    /// Control characters and the space.
    blank: u64,
}

#[inline(always)]
fn end(text: &[u8], start: usize, depth: u32, masks: impl Fn(&[u8; BLOCK]) -> Masks) -> Result<usize, Stop> {
    let mut walk = Walk::new(MAX_DEPTH.saturating_sub(depth));
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
    walk.block(&masks(&last))?.map(|end| at + end).ok_or(Stop::Fault(Fault::Syntax))
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
    /// What the last byte was.
    last: Kinds,
}

/// Bytes outside of strings by what they are, one bit each.
#[derive(Clone, Copy, Default)]
struct Kinds {
    /// Commas and colons.
    separator: u64,
    open: u64,
    /// Closing brackets and closing quotes.
    end: u64,
}

impl Walk {
    #[inline(always)]
    fn new(limit: u32) -> Self {
        Self { open: 0, limit, escaped: 0, in_string: 0, last: Kinds::default() }
    }

    /// Where in the block the outermost bracket closes, if it does.
    #[inline(always)]
    fn block(&mut self, masks: &Masks) -> Result<Option<usize>, Stop> {
        let quotes = masks.quote & !self.escaped(masks.backslash);
        // From each opening quote on to before the closing one.
        let strings = prefix_xor(quotes) ^ self.in_string;
        self.in_string = if strings >> 63 == 1 { u64::MAX } else { 0 };
        let (open, close) = (masks.open & !strings, masks.close & !strings);
        let separator = (masks.comma | masks.colon) & !strings;
        let kinds = Kinds { separator, open, end: close | (quotes & !strings) };
        let after = |kind: u64, last: u64| kind << 1 | last >> 63;
        let after_separator = after(separator, self.last.separator);
        let misplaced = ((after_separator | after(open, self.last.open)) & separator)
            | (after_separator & close)
            | (after(kinds.end, self.last.end) & !(separator | close))
            | (masks.control & strings)
            | (masks.backslash & !strings);
        self.last = kinds;
        let blank = masks.blank & !strings;
        let (opened, closed) = (open.count_ones(), close.count_ones());
        // Usually neither the end nor the limit can be in this block.
        if self.open > closed && self.open + opened <= self.limit {
            self.open = self.open + opened - closed;
            return if blank | misplaced == 0 { Ok(None) } else { Err(stop_at(blank)) };
        }
        self.brackets(open, close, blank, misplaced)
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

    /// Bracket by bracket. What lies behind the end is none of this container's.
    #[cold]
    fn brackets(&mut self, open: u64, close: u64, blank: u64, misplaced: u64) -> Result<Option<usize>, Stop> {
        let mut rest = open | close;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            let behind = u64::MAX.checked_shl(at + 1).unwrap_or_default();
            if open >> at & 1 == 1 {
                self.open += 1;
                if self.open > self.limit {
                    let is_blank = blank & !behind != 0;
                    return Err(if is_blank { Stop::WhiteSpace } else { Stop::Fault(Fault::TooDeep) });
                }
                continue;
            }
            self.open = self.open.checked_sub(1).ok_or(Stop::Fault(Fault::Syntax))?;
            if self.open == 0 {
                let (blank, misplaced) = (blank & !behind, misplaced & !behind);
                return if blank | misplaced == 0 { Ok(Some(at as usize + 1)) } else { Err(stop_at(blank)) };
            }
        }
        if blank | misplaced == 0 { Ok(None) } else { Err(stop_at(blank)) }
    }
}

/// White space comes first: with it, nothing can be said of what stands beside each other.
#[cold]
fn stop_at(blank: u64) -> Stop {
    if blank == 0 { Stop::Fault(Fault::Syntax) } else { Stop::WhiteSpace }
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
const SPACE: u8 = 0x20;

mod portable {
    use wide::u8x16;

    use super::{BLOCK, BRACKET_BIT, LAST_CONTROL, Masks, SPACE};

    /// With what every processor of the platform has.
    #[inline(always)]
    pub(super) fn masks(block: &[u8; BLOCK]) -> Masks {
        let mut masks = Masks { backslash: 0, quote: 0, open: 0, close: 0, comma: 0, colon: 0, control: 0, blank: 0 };
        let (parts, _) = block.as_chunks::<16>();
        for (part, shift) in parts.iter().zip([0, 16, 32, 48]) {
            let bytes = u8x16::new(*part);
            let brackets = bytes | u8x16::splat(BRACKET_BIT);
            let bits = |matches: u8x16| (u64::from(matches.to_bitmask())) << shift;
            masks.backslash |= bits(bytes.simd_eq(u8x16::splat(b'\\')));
            masks.quote |= bits(bytes.simd_eq(u8x16::splat(b'"')));
            masks.open |= bits(brackets.simd_eq(u8x16::splat(b'{')));
            masks.close |= bits(brackets.simd_eq(u8x16::splat(b'}')));
            masks.comma |= bits(bytes.simd_eq(u8x16::splat(b',')));
            masks.colon |= bits(bytes.simd_eq(u8x16::splat(b':')));
            masks.control |= bits(bytes.min(u8x16::splat(LAST_CONTROL)).simd_eq(bytes));
            masks.blank |= bits(bytes.min(u8x16::splat(SPACE)).simd_eq(bytes));
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

    use super::{BLOCK, BRACKET_BIT, LAST_CONTROL, Masks, SPACE, Stop};

    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn container_end(text: &[u8], start: usize, depth: u32) -> Result<usize, Stop> {
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
        let up_to = |last: u8, low: __m256i, high: __m256i| {
            let last = _mm256_set1_epi8(last.cast_signed());
            let is_in = |bytes: __m256i| _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, last), bytes);
            bits(is_in(low), is_in(high))
        };
        Masks {
            backslash: equal(b'\\', low, high),
            quote: equal(b'"', low, high),
            open: equal(b'{', low_brackets, high_brackets),
            close: equal(b'}', low_brackets, high_brackets),
            comma: equal(b',', low, high),
            colon: equal(b':', low, high),
            control: up_to(LAST_CONTROL, low, high),
            blank: up_to(SPACE, low, high),
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
