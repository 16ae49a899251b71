//! Bytes on their way to a socket.

use std::io::IoSlice;

use bytes::Bytes;

/// Bytes that wait to be written: text of its own, and payloads in between that are held and not copied.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    text: Vec<u8>,
    /// Payloads, and where in `text` each one stands.
    payloads: Vec<(usize, Bytes)>,
    /// What is written: so much of the text, so many payloads, so much of the next payload.
    text_written: usize,
    payloads_written: usize,
    part_written: usize,
}

/// Smaller payloads are copied: that is cheaper than a slice of their own.
const SMALL: usize = 512;
/// Slices in one system call; Linux takes 1024.
const SLICES: usize = 1024;

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
            self.payloads.push((self.text.len(), payload.clone()));
        }
    }

    /// Whether everything is written.
    pub(super) fn is_empty(&self) -> bool {
        self.text_written == self.text.len() && self.payloads_written == self.payloads.len()
    }

    /// What is to be written next. Empty only if everything is written.
    pub(super) fn slices(&self) -> Vec<IoSlice<'_>> {
        let waiting = self.payloads.get(self.payloads_written..).unwrap_or_default();
        let mut slices = Vec::with_capacity((2 * waiting.len() + 1).min(SLICES));
        let (mut text_from, mut payload_from) = (self.text_written, self.part_written);
        for (at, payload) in waiting.iter().take(SLICES / 2 - 1) {
            slices.push(IoSlice::new(self.text.get(text_from..*at).unwrap_or_default()));
            slices.push(IoSlice::new(payload.get(payload_from..).unwrap_or_default()));
            (text_from, payload_from) = (*at, 0);
        }
        let end = waiting.get(SLICES / 2 - 1).map_or(self.text.len(), |(at, _)| *at);
        slices.push(IoSlice::new(self.text.get(text_from..end).unwrap_or_default()));
        slices
    }

    /// Notes that so many bytes are written.
    pub(super) fn advance(&mut self, mut count: usize) {
        while let Some((at, payload)) = self.payloads.get(self.payloads_written) {
            let text = count.min(at - self.text_written);
            self.text_written += text;
            count -= text;
            let part = count.min(payload.len() - self.part_written);
            self.part_written += part;
            count -= part;
            if self.part_written < payload.len() {
                return;
            }
            self.payloads_written += 1;
            self.part_written = 0;
        }
        self.text_written += count;
        if self.is_empty() {
            self.clear();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.payloads.clear();
        (self.text_written, self.payloads_written, self.part_written) = (0, 0, 0);
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
}
