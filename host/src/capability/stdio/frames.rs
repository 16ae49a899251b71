//! Frames that wait for STDOUT. Payloads are held, not copied.

use std::io::IoSlice;

use bytes::Bytes;
use memchr::memchr2;

/// How the bytes of a payload are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadForm {
    /// As they are.
    Verbatim,
    /// With line breaks turned into spaces.
    SingleLine,
}

/// The frames of one call, in order.
#[derive(Debug, Default)]
pub struct Frames {
    /// What stands around the payloads, one after another.
    around: Vec<u8>,
    frames: Vec<Frame>,
    /// Bytes of payloads that had to be changed.
    copied: usize,
}

#[derive(Debug)]
struct Frame {
    /// The position of its event in the batch.
    position: u32,
    /// Where `before` ends in `around`; it starts where the frame before it ends.
    before_end: usize,
    payload: Bytes,
    /// Where `after` ends in `around`.
    after_end: usize,
}

impl Frames {
    /// Adds a frame for the event at `position` of the batch.
    pub fn push(&mut self, position: u32, before: &[u8], payload: Bytes, form: PayloadForm, after: &[u8]) {
        let payload = match form {
            PayloadForm::Verbatim => payload,
            PayloadForm::SingleLine => self.single_line(payload),
        };
        self.around.extend_from_slice(before);
        let before_end = self.around.len();
        self.around.extend_from_slice(after);
        self.frames.push(Frame { position, before_end, payload, after_end: self.around.len() });
    }

    /// The positions in the batch of the events that have frames, one for each frame.
    pub fn positions(&self) -> impl Iterator<Item = u32> {
        self.frames.iter().map(|frame| frame.position)
    }

    /// Bytes that the frames hold, beside payloads that they share with their events.
    #[must_use]
    pub fn held(&self) -> usize {
        self.around.len() + self.copied + self.frames.len() * size_of::<Frame>()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets all frames, and keeps the room for the next ones.
    pub fn clear(&mut self) {
        self.around.clear();
        self.frames.clear();
        self.copied = 0;
    }

    /// The bytes to write, in order.
    pub(super) fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        let mut start = 0;
        self.frames.iter().flat_map(move |frame| {
            let before = self.around.get(start..frame.before_end).unwrap_or_default();
            let after = self.around.get(frame.before_end..frame.after_end).unwrap_or_default();
            start = frame.after_end;
            [IoSlice::new(before), IoSlice::new(&frame.payload), IoSlice::new(after)]
        })
    }

    /// In JSON a raw line break stands between tokens only, where a space means the same. Discord sends none, so that the copy is rare.
    fn single_line(&mut self, payload: Bytes) -> Bytes {
        if memchr2(b'\n', b'\r', &payload).is_none() {
            return payload;
        }
        self.copied += payload.len();
        payload.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(frames: &Frames) -> String {
        frames.slices().map(|slice| String::from_utf8(slice.to_vec()).unwrap()).collect()
    }

    #[test]
    fn frames_stand_in_order_with_their_own_surroundings() {
        let mut frames = Frames::default();
        frames.push(0, b"<", Bytes::from_static(b"one"), PayloadForm::Verbatim, b">\n");
        frames.push(2, b"", Bytes::from_static(b"two"), PayloadForm::Verbatim, b"");
        frames.push(2, b"[", Bytes::from_static(b""), PayloadForm::Verbatim, b"]");
        assert_eq!(written(&frames), "<one>\ntwo[]");
        assert_eq!(frames.positions().collect::<Vec<_>>(), [0, 2, 2]);
        frames.clear();
        assert!(frames.is_empty() && written(&frames).is_empty());
    }

    #[test]
    fn a_single_line_payload_keeps_its_size_and_has_no_line_break() {
        let mut frames = Frames::default();
        frames.push(0, b"", Bytes::from_static(b"{\r\n\"a\":\n1}"), PayloadForm::SingleLine, b"");
        assert_eq!(written(&frames), "{  \"a\": 1}");
        assert!(frames.held() >= 11, "the copy counts");
    }
}
