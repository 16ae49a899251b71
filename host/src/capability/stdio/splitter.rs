//! Cuts a stream of bytes into values: JSON texts, and MessagePack maps and arrays.

use bytes::{Buf, BytesMut};
use memchr::memchr;
use thiserror::Error;

use super::extent::{Extent, Progress};

/// Cuts a stream into values. [`Self::push`] bytes, then take [`Self::next`] until there is none, and [`Self::end`] the stream
/// when no more bytes come. It holds at most one value of the greatest size, and what was pushed last.
#[derive(Debug)]
pub struct Splitter {
    greatest: usize,
    /// What is not handed out: it starts with the value that has begun.
    buffer: BytesMut,
    state: State,
    is_ended: bool,
}

/// Something that was found in the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A whole value.
    Value(Vec<u8>),
    /// Something that is left out.
    Skipped(Skipped),
}

/// Why something is left out. It is told as soon as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Skipped {
    /// Bytes that begin no value.
    #[error(
        "a line was skipped from byte {first:#04x} on: it begins neither a JSON text nor a MessagePack map or array"
    )]
    NoValue {
        /// The first of them.
        first: u8,
    },
    /// A value that cannot be one.
    #[error(
        "a value was skipped, with the rest of its line: a JSON text is misspelt or has a line break within a string, or MessagePack holds the byte 0xc1"
    )]
    Malformed,
    /// A value that is larger than a command can be.
    #[error("a value was skipped: it has more than {greatest} bytes")]
    TooLarge {
        /// The greatest size in bytes.
        greatest: usize,
    },
    /// A value whose end did not come.
    #[error("a value was skipped: the stream ended within it")]
    CutOff,
}

impl Skipped {
    /// Its name in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NoValue { .. } => "no_value",
            Self::Malformed => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::CutOff => "cut_off",
        }
    }
}

#[derive(Debug)]
enum State {
    /// Between values.
    Between,
    /// Within a value, of which so many bytes are counted.
    Value { extent: Extent, counted: usize },
    /// Within a value that is too large. Its bytes are dropped as they come.
    TooLarge(Extent),
    /// Within a line that is skipped.
    Line,
}

impl Splitter {
    /// A splitter that skips values of more than `greatest` bytes.
    #[must_use]
    pub fn new(greatest: usize) -> Self {
        Self { greatest, buffer: BytesMut::new(), state: State::Between, is_ended: false }
    }

    /// Adds bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that the stream has ended. What is complete by that comes from [`Self::next`].
    pub fn end(&mut self) {
        self.is_ended = true;
    }

    /// The next thing in the stream. `None` if it takes more bytes.
    #[expect(clippy::should_implement_trait, reason = "None is not the end: it goes on with the next push")]
    pub fn next(&mut self) -> Option<Item> {
        loop {
            match std::mem::replace(&mut self.state, State::Between) {
                State::Between => {
                    let first = self.first_byte()?;
                    let Some(extent) = Extent::begin(first) else {
                        return Some(self.skip_line(Skipped::NoValue { first }));
                    };
                    self.state = State::Value { extent, counted: 0 };
                }
                State::Value { extent, counted } => match self.advance(extent, counted) {
                    Step::Found(item) => return Some(item),
                    Step::Wait => return None,
                },
                State::TooLarge(extent) => {
                    if !self.drop_value(extent) {
                        return None;
                    }
                }
                State::Line => {
                    if !self.drop_line() {
                        return None;
                    }
                }
            }
        }
    }

    /// The first byte after white space. A byte order mark counts as such.
    fn first_byte(&mut self) -> Option<u8> {
        let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0xef | 0xbb | 0xbf);
        let skipped = self.buffer.iter().position(|byte| !is_between(byte)).unwrap_or(self.buffer.len());
        self.buffer.advance(skipped);
        self.buffer.first().copied()
    }

    fn advance(&mut self, mut extent: Extent, counted: usize) -> Step {
        let end = match extent.advance(self.buffer.get(counted..).unwrap_or_default()) {
            Progress::Ends(more) => counted + more,
            Progress::Breaks(more) => {
                // Had it come in pieces, its size would have been known first.
                let reason = if self.is_too_large(counted + more, &extent) {
                    Skipped::TooLarge { greatest: self.greatest }
                } else {
                    Skipped::Malformed
                };
                self.buffer.advance(counted + more);
                return Step::Found(self.skip_line(reason));
            }
            Progress::GoesOn(more) => {
                let counted = counted + more;
                if self.is_too_large(counted, &extent) {
                    self.buffer.advance(counted);
                    self.state = State::TooLarge(extent);
                    return Step::Found(Item::Skipped(Skipped::TooLarge { greatest: self.greatest }));
                }
                if !self.is_ended {
                    self.state = State::Value { extent, counted };
                    return Step::Wait;
                }
                if !extent.may_end() {
                    self.buffer.clear();
                    return Step::Found(Item::Skipped(Skipped::CutOff));
                }
                counted
            }
        };
        let value = self.buffer.split_to(end);
        Step::Found(if value.len() > self.greatest {
            Item::Skipped(Skipped::TooLarge { greatest: self.greatest })
        } else {
            Item::Value(value.to_vec())
        })
    }

    fn is_too_large(&self, counted: usize, extent: &Extent) -> bool {
        counted as u64 + extent.least_rest() > self.greatest as u64
    }

    fn skip_line(&mut self, reason: Skipped) -> Item {
        self.state = State::Line;
        Item::Skipped(reason)
    }

    /// Drops what there is of the value. True if that is all of it.
    fn drop_value(&mut self, mut extent: Extent) -> bool {
        match extent.advance(&self.buffer) {
            Progress::Ends(end) => self.buffer.advance(end),
            Progress::Breaks(end) => {
                self.buffer.advance(end);
                self.state = State::Line;
            }
            Progress::GoesOn(end) => {
                self.buffer.advance(end);
                self.state = State::TooLarge(extent);
                return false;
            }
        }
        true
    }

    /// Drops what there is of the line. True if that is all of it.
    fn drop_line(&mut self) -> bool {
        if let Some(end) = memchr(b'\n', &self.buffer) {
            self.buffer.advance(end + 1);
            return true;
        }
        self.buffer.clear();
        self.state = State::Line;
        false
    }
}

/// What comes of looking at a value.
enum Step {
    Found(Item),
    Wait,
}

#[cfg(test)]
mod tests;
