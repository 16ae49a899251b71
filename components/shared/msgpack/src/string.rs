//! Writes what stands before a text.

/// Appends the head of a string of `length` bytes; the text follows it. The form of 8-bit lengths is never used, which the
/// oldest readers do not know.
pub fn push_string_head(out: &mut Vec<u8>, length: u32) {
    if let Ok(short) = u8::try_from(length)
        && short < 32
    {
        out.push(0xa0 | short);
    } else if let Ok(medium) = u16::try_from(length) {
        out.push(0xda);
        out.extend_from_slice(&medium.to_be_bytes());
    } else {
        out.push(0xdb);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_has_its_head() {
        let head = |length| {
            let mut out = Vec::new();
            push_string_head(&mut out, length);
            out
        };
        assert_eq!(head(0), [0xa0]);
        assert_eq!(head(31), [0xbf]);
        assert_eq!(head(32), [0xda, 0, 32]);
        assert_eq!(head(255), [0xda, 0, 255]);
        assert_eq!(head(65_535), [0xda, 0xff, 0xff]);
        assert_eq!(head(65_536), [0xdb, 0, 1, 0, 0]);
    }
}
