//! Transport compression: one context for each connection, never shared between connections
//! (Discord documentation, "Transport Compression").

use flate2::{Decompress, FlushDecompress};
use thiserror::Error;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

use crate::config::Compression;

/// Why a message cannot be inflated. The stream's state is lost: only a new connection helps.
#[derive(Debug, Error)]
pub enum InflateError {
    /// The bytes are no stream of this kind.
    #[error("the compressed stream is corrupt: {0}")]
    Corrupt(String),
    /// It grows beyond the limit.
    #[error("a payload is larger than the limit of {0} bytes (limits.message_size)")]
    TooLarge(usize),
}

/// The window that Discord uses is 2^18; a larger one would let a server decide about this process's memory.
const WINDOW_LOG_MAX: u32 = 23;
/// The end of a zlib payload (`Z_SYNC_FLUSH`).
const SUFFIX: [u8; 4] = [0, 0, 0xff, 0xff];
/// The last bytes where there are none yet: nothing that `SUFFIX` begins with.
const NOTHING: [u8; SUFFIX.len()] = [0xff; SUFFIX.len()];
/// Room for the output at first, and what is kept of it between payloads.
const ROOM: usize = 16 << 10;
/// Room that is kept after a larger payload.
const ROOM_KEPT: usize = 256 << 10;

/// Inflates the messages of one connection.
pub struct Inflater {
    stream: Stream,
    output: Vec<u8>,
    /// The output is a finished payload, which the next message replaces.
    finished: bool,
    limit: usize,
}

enum Stream {
    None,
    Zlib {
        context: Box<Decompress>,
        /// The last bytes of the payload at hand: its end may be split over messages.
        last: [u8; SUFFIX.len()],
    },
    Zstd(Box<Decoder<'static>>),
}

impl Inflater {
    /// A fresh context for a new connection. `limit` is the size in bytes that a payload may have.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new(compression: Compression, limit: usize) -> std::io::Result<Self> {
        let stream = match compression {
            Compression::None => Stream::None,
            Compression::ZlibStream => Stream::Zlib { context: Box::new(Decompress::new(true)), last: NOTHING },
            Compression::ZstdStream => {
                let mut decoder = Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
                Stream::Zstd(Box::new(decoder))
            }
        };
        Ok(Self { stream, output: Vec::new(), finished: true, limit })
    }

    /// Takes one binary message. Answers with a payload if one is complete with it.
    ///
    /// # Errors
    /// See [`InflateError`].
    pub fn push<'a>(&'a mut self, message: &'a [u8]) -> Result<Option<&'a [u8]>, InflateError> {
        if std::mem::take(&mut self.finished) {
            self.output.clear();
            self.output.shrink_to(ROOM_KEPT);
        }
        match &mut self.stream {
            Stream::None => {
                self.finished = true;
                return Ok(Some(message));
            }
            Stream::Zlib { context, last } => {
                inflate_zlib(context, message, &mut self.output, self.limit)?;
                append(last, message);
                self.finished = *last == SUFFIX;
                if self.finished {
                    *last = NOTHING;
                }
            }
            Stream::Zstd(stream) => {
                inflate_zstd(stream, message, &mut self.output, self.limit)?;
                self.finished = true;
            }
        }
        // The room may be larger than the limit.
        if self.output.len() > self.limit {
            return Err(InflateError::TooLarge(self.limit));
        }
        Ok(self.finished.then_some(self.output.as_slice()))
    }
}

fn append(last: &mut [u8; SUFFIX.len()], message: &[u8]) {
    let start = message.len().saturating_sub(SUFFIX.len());
    for byte in message.get(start..).unwrap_or_default() {
        let [_, second, third, fourth] = *last;
        *last = [second, third, fourth, *byte];
    }
}

fn inflate_zstd(
    stream: &mut Decoder<'static>,
    message: &[u8],
    output: &mut Vec<u8>,
    limit: usize,
) -> Result<(), InflateError> {
    let mut input = InBuffer::around(message);
    loop {
        make_room(output, limit)?;
        let (room, filled) = (output.capacity(), output.len());
        let mut target = OutBuffer::around_pos(output, filled);
        let read_before = input.pos();
        stream.run(&mut input, &mut target).map_err(|error| InflateError::Corrupt(error.to_string()))?;
        let written_until = target.pos();
        // The context may hold more output back as long as it fills the room.
        if input.pos() == message.len() && written_until < room {
            return Ok(());
        }
        if input.pos() == read_before && written_until == filled {
            return Err(InflateError::Corrupt("it makes no progress".into()));
        }
    }
}

fn inflate_zlib(
    stream: &mut Decompress,
    message: &[u8],
    output: &mut Vec<u8>,
    limit: usize,
) -> Result<(), InflateError> {
    let mut rest = message;
    loop {
        make_room(output, limit)?;
        let (read, written) = (stream.total_in(), output.len());
        let status = stream
            .decompress_vec(rest, output, FlushDecompress::Sync)
            .map_err(|error| InflateError::Corrupt(error.to_string()))?;
        let consumed = usize::try_from(stream.total_in() - read).unwrap_or(usize::MAX);
        rest = rest.get(consumed..).unwrap_or_default();
        if rest.is_empty() && output.len() < output.capacity() {
            return Ok(());
        }
        if status == flate2::Status::StreamEnd || (consumed == 0 && output.len() == written) {
            return Err(InflateError::Corrupt("it ends or makes no progress".into()));
        }
    }
}

/// Makes room for at least one byte more, and doubles it each time. One byte beyond the limit shows that the limit is broken.
fn make_room(output: &mut Vec<u8>, limit: usize) -> Result<(), InflateError> {
    if output.len() > limit {
        return Err(InflateError::TooLarge(limit));
    }
    if output.len() == output.capacity() {
        let room = (output.capacity() * 2).clamp(ROOM, limit.saturating_add(1).max(ROOM));
        output.reserve_exact(room.saturating_sub(output.len()).max(1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compress, FlushCompress};
    use zstd::stream::raw::{CParameter, Encoder};

    use super::*;

    const LIMIT: usize = 32 << 20;

    struct ZstdSource(Encoder<'static>);

    impl ZstdSource {
        fn new() -> Self {
            let mut encoder = Encoder::new(6).unwrap();
            encoder.set_parameter(CParameter::WindowLog(18)).unwrap();
            encoder.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
            Self(encoder)
        }

        fn message(&mut self, payload: &[u8]) -> Vec<u8> {
            let mut out = vec![0; zstd::zstd_safe::compress_bound(payload.len()) + 1024];
            let mut target = OutBuffer::around(out.as_mut_slice());
            let mut input = InBuffer::around(payload);
            while input.pos() < payload.len() {
                self.0.run(&mut input, &mut target).unwrap();
            }
            while self.0.flush(&mut target).unwrap() > 0 {}
            let length = target.pos();
            out.truncate(length);
            out
        }
    }

    fn zlib_message(stream: &mut Compress, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 1024);
        stream.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&SUFFIX));
        out
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(7);
        std::iter::repeat_with(|| random.alphanumeric() as u8).take(length).collect()
    }

    /// Conformance case 24: outputs of exactly a multiple of the buffer, and a fresh decoder on a new socket.
    #[test]
    fn zstd_payloads_of_every_size_come_whole() {
        for _socket in 0..2 {
            let mut source = ZstdSource::new();
            let mut inflater = Inflater::new(Compression::ZstdStream, LIMIT).unwrap();
            for length in [0, 1, ROOM - 1, ROOM, ROOM + 1, 4 * ROOM, 131_072, 100_008, 5 << 20, 3] {
                let payload = noise(length);
                let message = source.message(&payload);
                assert_eq!(inflater.push(&message).unwrap(), Some(payload.as_slice()), "{length}");
            }
        }
    }

    #[test]
    fn zstd_messages_that_are_frames_of_their_own_work() {
        let mut inflater = Inflater::new(Compression::ZstdStream, LIMIT).unwrap();
        for length in [10, 200_000, 0, 40] {
            let payload = noise(length);
            let message = zstd::bulk::compress(&payload, 3).unwrap();
            assert_eq!(inflater.push(&message).unwrap(), Some(payload.as_slice()), "{length}");
        }
    }

    /// Conformance case 23: a payload in three messages, a large one, and two in one message.
    #[test]
    fn zlib_payloads_split_and_merged_come_whole() {
        let mut stream = Compress::new(flate2::Compression::new(6), true);
        let mut inflater = Inflater::new(Compression::ZlibStream, LIMIT).unwrap();
        let payload = noise(2 << 20);
        let message = zlib_message(&mut stream, &payload);
        assert_eq!(inflater.push(&message).unwrap(), Some(payload.as_slice()));
        let message = zlib_message(&mut stream, b"split over three");
        let (first, rest) = message.split_at(4);
        let (second, third) = rest.split_at(5);
        assert_eq!(inflater.push(first).unwrap(), None);
        assert_eq!(inflater.push(second).unwrap(), None);
        assert_eq!(inflater.push(third).unwrap(), Some(&b"split over three"[..]));
        let mut merged = zlib_message(&mut stream, b"{}");
        merged.extend(zlib_message(&mut stream, b"[]"));
        assert_eq!(inflater.push(&merged).unwrap(), Some(&b"{}[]"[..]));
    }

    #[test]
    fn a_zlib_payload_ends_with_its_suffix_wherever_that_is_cut() {
        let message = zlib_message(&mut Compress::new(flate2::Compression::fast(), true), b"payload");
        for cut in 1..message.len() {
            let mut inflater = Inflater::new(Compression::ZlibStream, LIMIT).unwrap();
            let (first, second) = message.split_at(cut);
            assert_eq!(inflater.push(first).unwrap(), None, "{cut}");
            assert_eq!(inflater.push(second).unwrap(), Some(&b"payload"[..]), "{cut}");
            assert_eq!(inflater.push(b"").unwrap(), None, "{cut}");
        }
    }

    #[test]
    fn a_limit_below_the_first_room_holds() {
        let payload = noise(101);
        for (limit, is_fine) in [(100, false), (101, true)] {
            for (compression, message) in [
                (Compression::ZstdStream, ZstdSource::new().message(&payload)),
                (
                    Compression::ZlibStream,
                    zlib_message(&mut Compress::new(flate2::Compression::fast(), true), &payload),
                ),
            ] {
                let mut inflater = Inflater::new(compression, limit).unwrap();
                assert_eq!(inflater.push(&message).is_ok(), is_fine, "{compression:?} {limit}");
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let zeros = vec![b'0'; 40 << 20];
        let message = ZstdSource::new().message(&zeros);
        let mut inflater = Inflater::new(Compression::ZstdStream, 1 << 20).unwrap();
        assert!(matches!(inflater.push(&message), Err(InflateError::TooLarge(_))));
        assert!(inflater.output.capacity() <= 2 << 20);
        let message = zlib_message(&mut Compress::new(flate2::Compression::best(), true), &zeros[..4 << 20]);
        let mut inflater = Inflater::new(Compression::ZlibStream, 1 << 20).unwrap();
        assert!(matches!(inflater.push(&message), Err(InflateError::TooLarge(_))));
    }

    #[test]
    fn a_window_larger_than_the_cap_is_refused() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 19).unwrap();
        encoder.set_parameter(CParameter::WindowLog(27)).unwrap();
        encoder.write_all(&noise(1000)).unwrap();
        encoder.flush().unwrap();
        let mut inflater = Inflater::new(Compression::ZstdStream, LIMIT).unwrap();
        assert!(matches!(inflater.push(encoder.get_ref()), Err(InflateError::Corrupt(_))));
    }

    #[test]
    fn noise_is_corrupt() {
        for compression in [Compression::ZlibStream, Compression::ZstdStream] {
            let mut inflater = Inflater::new(compression, LIMIT).unwrap();
            assert!(matches!(inflater.push(b"no stream at all"), Err(InflateError::Corrupt(_))), "{compression:?}");
        }
    }

    #[test]
    fn a_large_payload_does_not_hold_its_room_for_ever() {
        let mut source = ZstdSource::new();
        let mut inflater = Inflater::new(Compression::ZstdStream, LIMIT).unwrap();
        inflater.push(&source.message(&noise(8 << 20))).unwrap();
        inflater.push(&source.message(b"{}")).unwrap();
        assert!(inflater.output.capacity() <= ROOM_KEPT);
    }
}
