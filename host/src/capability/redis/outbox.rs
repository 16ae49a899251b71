//! Bytes on their way to a socket.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

/// Bytes that wait to be written: text of its own, and payloads in between that are held and not copied. What is written is let
/// go at once: it may never become empty while more comes than the server takes.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    text: Vec<u8>,
    /// How much text was let go before the first byte of `text`.
    gone: usize,
    /// So much of `text` is written.
    text_written: usize,
    /// Payloads that are not written whole, and where each one stands, counted from the first text that there was.
    payloads: VecDeque<(usize, Bytes)>,
    /// So much of the first payload is written.
    part_written: usize,
}

/// Smaller payloads are copied: that is cheaper than a slice of their own.
const SMALL: usize = 512;
/// Slices in one system call; Linux takes 1024.
const SLICES: usize = 1024;
/// Bytes of written text that are worth the move of the rest.
const WRITTEN: usize = 256 << 10;

impl Outbox {
    /// The text, to be added to.
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Adds a payload.
    pub(super) fn push(&mut self, payload: &Bytes) {
        if payload.len() <= SMALL {
            self.text.extend_from_slice(payload);
        } else {
            self.payloads.push_back((self.gone + self.text.len(), payload.clone()));
        }
    }

    /// Whether everything is written.
    pub(super) fn is_empty(&self) -> bool {
        self.text_written == self.text.len() && self.payloads.is_empty()
    }

    /// What is to be written next. Empty only if everything is written.
    pub(super) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity((2 * self.payloads.len() + 1).min(SLICES));
        let (mut text_from, mut payload_from) = (self.text_written, self.part_written);
        for (at, payload) in self.payloads.iter().take(SLICES / 2 - 1) {
            let at = at - self.gone;
            slices.push(IoSlice::new(self.text.get(text_from..at).unwrap_or_default()));
            slices.push(IoSlice::new(payload.get(payload_from..).unwrap_or_default()));
            (text_from, payload_from) = (at, 0);
        }
        let end = self.payloads.get(SLICES / 2 - 1).map_or(self.text.len(), |(at, _)| at - self.gone);
        slices.push(IoSlice::new(self.text.get(text_from..end).unwrap_or_default()));
        slices
    }

    /// Notes that so many bytes are written.
    pub(super) fn advance(&mut self, mut count: usize) {
        while let Some((at, payload)) = self.payloads.front() {
            let text = count.min(at - self.gone - self.text_written);
            self.text_written += text;
            count -= text;
            let part = count.min(payload.len() - self.part_written);
            self.part_written += part;
            count -= part;
            if self.part_written < payload.len() {
                break;
            }
            self.payloads.pop_front();
            self.part_written = 0;
        }
        self.text_written += count;
        if self.is_empty() {
            self.clear();
        } else if self.text_written >= WRITTEN.max(self.text.len() / 2) {
            self.text.drain(..self.text_written);
            self.gone += std::mem::take(&mut self.text_written);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.payloads.clear();
        (self.gone, self.text_written, self.part_written) = (0, 0, 0);
    }

    /// All of it in one piece.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !self.is_empty() {
            let slices = self.slices().iter().fold(0, |count, slice| {
                bytes.extend_from_slice(slice);
                count + slice.len()
            });
            self.advance(slices);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_however_many_are_taken_at_a_time() {
        let mut expected = Vec::new();
        let fill = |outbox: &mut Outbox, expected: &mut Vec<u8>| {
            for number in 0..1200_usize {
                let text = format!("<{number}>");
                let payload = Bytes::from(vec![b'a' + (number % 26) as u8; (number * 7) % 1100]);
                outbox.text().extend_from_slice(text.as_bytes());
                outbox.push(&payload);
                expected.extend_from_slice(text.as_bytes());
                expected.extend_from_slice(&payload);
            }
        };
        for step in [1, 7, 600, 5000, 100_000, usize::MAX] {
            expected.clear();
            let mut outbox = Outbox::default();
            fill(&mut outbox, &mut expected);
            let mut written = Vec::new();
            while !outbox.is_empty() {
                let slices = outbox.slices();
                assert!(slices.len() <= SLICES);
                let next: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
                assert!(!next.is_empty());
                outbox.advance(next.len());
                written.extend(next);
            }
            assert!(written == expected, "step {step}");
            assert!(outbox.text.is_empty(), "the room is free again");
        }
    }

    #[test]
    fn what_is_written_is_let_go_although_more_comes_all_the_time() {
        let mut outbox = Outbox::default();
        let mut written = Vec::new();
        let payload = Bytes::from(vec![b'p'; SMALL + 1]);
        let mut pushed = 0;
        for number in 0..20_000 {
            outbox.text().extend_from_slice(format!("{number:0>90}").as_bytes());
            outbox.push(&payload);
            pushed += 90 + payload.len();
            // Always a little less than there is.
            let next: Vec<u8> = outbox
                .slices()
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .take(pushed - written.len() - 1)
                .collect();
            outbox.advance(next.len());
            written.extend(next);
            assert!(!outbox.is_empty());
            assert!(outbox.payloads.len() <= 1, "{number}");
            assert!(outbox.text.len() <= 2 * WRITTEN, "{number}");
        }
        written.extend(outbox.into_bytes());
        let expected: Vec<u8> =
            (0..20_000).flat_map(|number| [format!("{number:0>90}").as_bytes(), &payload].concat()).collect();
        assert!(written == expected);
    }
}
