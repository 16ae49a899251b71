//! Checks JSON syntax (RFC 8259) in one pass, without recursion and without building anything.
//!
//! Works on bytes: every byte that matters is ASCII, which never occurs inside a longer UTF-8 sequence. Whether the text is
//! UTF-8 is not checked here.

use std::ops::Range;

use crate::specials::{BLOCK, specials, specials_of_tail};
use crate::structure::container_end;

/// How deep containers may be nested, the outermost one included. serde_json, and so many a consumer, stops at the same depth.
pub const MAX_DEPTH: u32 = 128;

/// Why a text is not accepted. The place is the scanner's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It breaks the grammar, or ends too early.
    Syntax,
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// A string's place, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it is, without its quotes.
    pub range: Range<usize>,
    /// Whether it has backslashes.
    pub has_escapes: bool,
}

/// A position in a JSON text.
#[derive(Debug, Clone, Copy)]
pub struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// The specials of the block that ends here, from which `at` has not gone back.
    block_end: usize,
    specials: u64,
}

impl<'a> Scanner<'a> {
    /// At the start of a text.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, block_end: 0, specials: 0 }
    }

    /// The offset of the next byte.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next byte that is no whitespace, which is not taken.
    ///
    /// # Errors
    /// If there is none.
    pub fn peek(&mut self) -> Result<u8, Fault> {
        let token = self.token()?;
        self.at -= 1;
        Ok(token)
    }

    /// Whether a string says `name`.
    #[must_use]
    pub fn is(&self, string: &Text, name: &str) -> bool {
        match self.text.get(string.range.clone()) {
            Some(plain) if !string.has_escapes => plain == name.as_bytes(),
            _ => self.decoded(string).is_some_and(|decoded| decoded == name),
        }
    }

    /// What a string says. `None` if it is not UTF-8, or holds a lone surrogate.
    #[must_use]
    pub fn decoded(&self, string: &Text) -> Option<String> {
        let quoted = self.text.get(string.range.start.checked_sub(1)?..=string.range.end)?;
        serde_json::from_slice(quoted).ok()
    }

    /// The next value, which is inside of `depth` containers. Answers with its place. Unlike [`value`](Self::value), it looks at
    /// no more of an object or array than its strings and brackets.
    ///
    /// # Errors
    /// If no value comes, or its end cannot be found.
    pub fn skip_value(&mut self, depth: u32) -> Result<Range<usize>, Fault> {
        let token = self.token()?;
        let start = self.at - 1;
        match token {
            b'{' | b'[' => self.at = container_end(self.text, start, depth)?,
            scalar => self.rest_of_scalar(scalar)?,
        }
        Ok(start..self.at)
    }

    /// Takes the next byte that is no whitespace.
    ///
    /// # Errors
    /// If there is none.
    #[inline(always)]
    pub fn token(&mut self) -> Result<u8, Fault> {
        loop {
            let byte = self.byte()?;
            if !is_whitespace(byte) {
                return Ok(byte);
            }
        }
    }

    /// The rest of a string whose opening quote has been taken.
    ///
    /// # Errors
    /// If it does not end, or breaks the grammar.
    #[inline(always)]
    pub fn string(&mut self) -> Result<Text, Fault> {
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.skip_plain();
            match self.byte()? {
                b'"' => return Ok(Text { range: start..self.at - 1, has_escapes }),
                b'\\' => self.escape()?,
                _ => return Err(Fault::Syntax),
            }
            has_escapes = true;
        }
    }

    /// The next value, which is inside of `depth` containers. Answers with its place, whitespace around it left out.
    ///
    /// # Errors
    /// If it breaks the grammar, or is nested too deep.
    pub fn value(&mut self, depth: u32) -> Result<Range<usize>, Fault> {
        // A copy of its own stays in registers.
        let mut scanner = *self;
        let result = scanner.scan_value(depth);
        *self = scanner;
        result
    }

    #[inline(always)]
    fn scan_value(&mut self, depth: u32) -> Result<Range<usize>, Fault> {
        let mut containers = Containers { kinds: 0, open: 0, limit: MAX_DEPTH.saturating_sub(depth) };
        let mut token = self.token()?;
        let start = self.at - 1;
        loop {
            match token {
                b'{' => {
                    containers.open(Kind::Object)?;
                    match self.token()? {
                        b'}' => containers.close(),
                        b'"' => {
                            token = self.rest_of_key()?;
                            continue;
                        }
                        _ => return Err(Fault::Syntax),
                    }
                }
                b'[' => {
                    containers.open(Kind::Array)?;
                    token = self.token()?;
                    if token != b']' {
                        continue;
                    }
                    containers.close();
                }
                scalar => self.rest_of_scalar(scalar)?,
            }
            match self.next_element(&mut containers)? {
                Some(next) => token = next,
                None => return Ok(start..self.at),
            }
        }
    }

    /// After a complete value: the first token of the next one, or `None` if all containers are closed.
    #[inline(always)]
    fn next_element(&mut self, containers: &mut Containers) -> Result<Option<u8>, Fault> {
        loop {
            let Some(kind) = containers.innermost() else { return Ok(None) };
            match (self.token()?, kind) {
                (b',', Kind::Array) => return self.token().map(Some),
                (b',', Kind::Object) => {
                    return if self.token()? == b'"' { self.rest_of_key().map(Some) } else { Err(Fault::Syntax) };
                }
                (b']', Kind::Array) | (b'}', Kind::Object) => containers.close(),
                _ => return Err(Fault::Syntax),
            }
        }
    }

    /// A key whose opening quote has been taken, and its colon. Answers with the first token of its value.
    #[inline(always)]
    fn rest_of_key(&mut self) -> Result<u8, Fault> {
        self.string()?;
        self.colon()?;
        self.token()
    }

    /// The colon behind a key.
    ///
    /// # Errors
    /// If another token comes.
    #[inline(always)]
    pub fn colon(&mut self) -> Result<(), Fault> {
        if self.token()? == b':' { Ok(()) } else { Err(Fault::Syntax) }
    }

    #[inline(always)]
    fn rest_of_scalar(&mut self, first: u8) -> Result<(), Fault> {
        match first {
            b'"' => self.string().map(drop),
            b'-' => match self.byte()? {
                digit @ b'0'..=b'9' => self.rest_of_number(digit),
                _ => Err(Fault::Syntax),
            },
            b'0'..=b'9' => self.rest_of_number(first),
            b't' => self.literal(b"rue"),
            b'f' => self.literal(b"alse"),
            b'n' => self.literal(b"ull"),
            _ => Err(Fault::Syntax),
        }
    }

    #[inline(always)]
    fn rest_of_number(&mut self, first_digit: u8) -> Result<(), Fault> {
        if first_digit != b'0' {
            self.skip_digits();
        }
        if self.take(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.take(|byte| matches!(byte, b'e' | b'E')) {
            self.take(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.skip_digits();
        if self.at > start { Ok(()) } else { Err(Fault::Syntax) }
    }

    #[inline(always)]
    fn skip_digits(&mut self) {
        while self.take(|byte| byte.is_ascii_digit()) {}
    }

    #[inline(always)]
    fn literal(&mut self, rest: &[u8]) -> Result<(), Fault> {
        let matches = self.remaining().starts_with(rest);
        self.at += rest.len();
        if matches { Ok(()) } else { Err(Fault::Syntax) }
    }

    /// What follows a backslash. A lone surrogate is no fault of syntax.
    #[inline(always)]
    fn escape(&mut self) -> Result<(), Fault> {
        match self.byte()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let is_hex =
                    self.remaining().first_chunk::<4>().is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
                self.at += 4;
                if is_hex { Ok(()) } else { Err(Fault::Syntax) }
            }
            _ => Err(Fault::Syntax),
        }
    }

    /// Goes on to the next quote, backslash or control character.
    #[inline(always)]
    fn skip_plain(&mut self) {
        loop {
            if self.at >= self.block_end {
                self.load_block();
            }
            let ahead = self.specials >> (self.at % BLOCK);
            if ahead != 0 {
                self.at += ahead.trailing_zeros() as usize;
                return;
            }
            self.at = self.block_end;
        }
    }

    #[inline(always)]
    fn load_block(&mut self) {
        let start = self.at - self.at % BLOCK;
        let rest = self.text.get(start..).unwrap_or_default();
        self.block_end = start + BLOCK;
        self.specials = match rest.first_chunk() {
            Some(block) => specials(block),
            None => specials_of_tail(rest),
        };
    }

    #[inline(always)]
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.text.get(self.at).ok_or(Fault::Syntax)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline(always)]
    fn take(&mut self, accepts: impl Fn(u8) -> bool) -> bool {
        let taken = self.text.get(self.at).is_some_and(|byte| accepts(*byte));
        self.at += usize::from(taken);
        taken
    }

    #[inline(always)]
    fn remaining(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// JSON's whitespace.
#[must_use]
pub fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
}

/// The open containers, one bit each, the innermost one lowest.
struct Containers {
    kinds: u128,
    open: u32,
    limit: u32,
}

impl Containers {
    #[inline(always)]
    fn open(&mut self, kind: Kind) -> Result<(), Fault> {
        if self.open >= self.limit {
            return Err(Fault::TooDeep);
        }
        self.kinds = self.kinds << 1 | u128::from(kind == Kind::Array);
        self.open += 1;
        Ok(())
    }

    #[inline(always)]
    fn close(&mut self) {
        self.kinds >>= 1;
        self.open -= 1;
    }

    #[inline(always)]
    fn innermost(&self) -> Option<Kind> {
        match self.open {
            0 => None,
            _ if self.kinds & 1 == 1 => Some(Kind::Array),
            _ => Some(Kind::Object),
        }
    }
}

const _: () = assert!(MAX_DEPTH <= u128::BITS, "each open container has a bit");

#[cfg(test)]
mod tests;
