//! What messages consist of: bytes of a component's own around payloads, which are held and not copied.

use std::io::IoSlice;

use bytes::Bytes;
use memchr::memchr2;
use msgpack_scan::push_string_head;

use super::transcode;

/// How the bytes of a payload are written: `payload-form` of wit/content.wit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadForm {
    /// As they are.
    Verbatim,
    /// With line breaks turned into spaces.
    SingleLine,
    /// As a MessagePack string that holds them.
    MsgpackString,
    /// Turned into a MessagePack value.
    MsgpackObject,
}

/// The contents of one call's messages, in order.
#[derive(Debug, Default)]
pub struct Contents {
    /// What stands around the payloads, one after another.
    around: Vec<u8>,
    contents: Vec<Entry>,
    /// Bytes of payloads that had to be changed.
    copied: usize,
}

/// The content of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content<'a> {
    /// The position of its event in the batch.
    pub position: u32,
    /// What stands before the payload.
    pub before: &'a [u8],
    /// The payload; empty for a message of the component's own.
    pub payload: &'a Bytes,
    /// What stands after the payload.
    pub after: &'a [u8],
}

#[derive(Debug)]
struct Entry {
    position: u32,
    /// Where `before` ends in `around`; it starts where the entry before it ends.
    before_end: usize,
    payload: Bytes,
    /// Where `after` ends in `around`.
    after_end: usize,
}

impl Contents {
    /// Adds a content for the event at `position` of the batch.
    pub fn push(&mut self, position: u32, before: &[u8], payload: Bytes, form: PayloadForm, after: &[u8]) {
        self.around.extend_from_slice(before);
        let payload = match form {
            PayloadForm::Verbatim => payload,
            PayloadForm::SingleLine => self.single_line(payload),
            PayloadForm::MsgpackString => self.string(payload),
            PayloadForm::MsgpackObject => self.object(payload),
        };
        let before_end = self.around.len();
        self.around.extend_from_slice(after);
        self.contents.push(Entry { position, before_end, payload, after_end: self.around.len() });
    }

    /// All contents, in order.
    pub fn iter(&self) -> impl Iterator<Item = Content<'_>> {
        let mut start = 0;
        self.contents.iter().map(move |entry| {
            let before = self.around.get(start..entry.before_end).unwrap_or_default();
            let after = self.around.get(entry.before_end..entry.after_end).unwrap_or_default();
            start = entry.after_end;
            Content { position: entry.position, before, payload: &entry.payload, after }
        })
    }

    /// The positions in the batch of the events that have contents, one for each content.
    pub fn positions(&self) -> impl Iterator<Item = u32> {
        self.contents.iter().map(|entry| entry.position)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Bytes that the contents hold, beside payloads that they share with their events.
    #[must_use]
    pub fn held(&self) -> usize {
        self.around.len() + self.copied + self.contents.len() * size_of::<Entry>()
    }

    /// Forgets all contents, and keeps the room for the next ones.
    pub fn clear(&mut self) {
        self.around.clear();
        self.contents.clear();
        self.copied = 0;
    }

    /// In JSON a raw line break stands between tokens only, where a space means the same. Discord sends none, so that the copy is rare.
    fn single_line(&mut self, payload: Bytes) -> Bytes {
        if memchr2(b'\n', b'\r', &payload).is_none() {
            return payload;
        }
        self.copied += payload.len();
        payload.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
    }

    fn string(&mut self, payload: Bytes) -> Bytes {
        push_string_head(&mut self.around, u32::try_from(payload.len()).unwrap_or(u32::MAX));
        payload
    }

    /// What cannot be turned is not lost: it goes out as a string.
    fn object(&mut self, payload: Bytes) -> Bytes {
        match transcode::to_msgpack(&payload) {
            Ok(object) => {
                self.copied += object.len();
                object.into()
            }
            Err(error) => {
                tracing::warn!("a payload of {} bytes goes out as a MessagePack string: {error}", payload.len());
                self.string(payload)
            }
        }
    }
}

impl<'a> Content<'a> {
    /// Its bytes, in order.
    pub fn slices(self) -> [IoSlice<'a>; 3] {
        [IoSlice::new(self.before), IoSlice::new(self.payload), IoSlice::new(self.after)]
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(self) -> usize {
        self.before.len() + self.payload.len() + self.after.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(contents: &Contents) -> Vec<u8> {
        contents.iter().flat_map(Content::slices).flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn contents_stand_in_order_with_their_own_surroundings() {
        let mut contents = Contents::default();
        contents.push(0, b"<", Bytes::from_static(b"one"), PayloadForm::Verbatim, b">\n");
        contents.push(2, b"", Bytes::from_static(b"two"), PayloadForm::Verbatim, b"");
        contents.push(2, b"[", Bytes::from_static(b""), PayloadForm::Verbatim, b"]");
        assert_eq!(written(&contents), b"<one>\ntwo[]");
        assert_eq!(contents.positions().collect::<Vec<_>>(), [0, 2, 2]);
        assert_eq!(contents.iter().map(Content::size).collect::<Vec<_>>(), [6, 3, 2]);
        contents.clear();
        assert!(contents.is_empty() && written(&contents).is_empty());
    }

    #[test]
    fn a_single_line_payload_keeps_its_size_and_has_no_line_break() {
        let mut contents = Contents::default();
        contents.push(0, b"", Bytes::from_static(b"{\r\n\"a\":\n1}"), PayloadForm::SingleLine, b"");
        assert_eq!(written(&contents), b"{  \"a\": 1}");
        assert!(contents.held() >= 11, "the copy counts");
    }

    #[test]
    fn the_head_of_a_msgpack_string_follows_the_length() {
        for (length, head) in [
            (31, &[0xbf][..]),
            (32, &[0xda, 0, 32]),
            (255, &[0xda, 0, 255]),
            (256, &[0xda, 1, 0]),
            (65_535, &[0xda, 0xff, 0xff]),
            (65_536, &[0xdb, 0, 1, 0, 0]),
        ] {
            let mut contents = Contents::default();
            contents.push(0, b"<", vec![b' '; length].into(), PayloadForm::MsgpackString, b">");
            let written = written(&contents);
            assert_eq!(written.get(1..=head.len()), Some(head));
            assert_eq!(written.len(), length + head.len() + 2);
        }
    }

    #[test]
    fn a_payload_that_is_no_object_goes_out_as_a_string() {
        let mut contents = Contents::default();
        contents.push(0, b"", Bytes::from_static(br#"{"a":1}"#), PayloadForm::MsgpackObject, b"");
        contents.push(0, b"", Bytes::from_static(b"{1e999}"), PayloadForm::MsgpackObject, b"");
        assert_eq!(written(&contents), b"\x81\xa1a\x01\xa7{1e999}");
    }
}
