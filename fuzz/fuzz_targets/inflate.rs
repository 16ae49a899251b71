//! Compressed streams: none grows beyond the limit, and what was compressed comes whole, however it is cut into messages.
#![no_main]

use arbitrary::Arbitrary;
use flate2::{Compress, FlushCompress};
use gateway_fuzz::config::Compression;
use gateway_fuzz::shard::Inflater;
use libfuzzer_sys::fuzz_target;
use zstd::stream::raw::{Encoder, InBuffer, Operation as _, OutBuffer};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    is_zlib: bool,
    limit: u16,
    /// Messages as they come.
    hostile: Vec<&'a [u8]>,
    /// Payloads that a server compresses, each so many times over.
    honest: Vec<(&'a [u8], u8)>,
    /// Where the messages of these are cut, if it is zlib, which alone may be.
    cut: u8,
}

fuzz_target!(|input: Input<'_>| {
    let compression = if input.is_zlib { Compression::ZlibStream } else { Compression::ZstdStream };
    let limit = usize::from(input.limit);
    let mut inflater = Inflater::new(compression, limit).expect("there is memory");
    for message in &input.hostile {
        match inflater.push(message) {
            Ok(payload) => assert!(payload.is_none_or(|payload| payload.len() <= limit), "beyond the limit"),
            Err(_) => break,
        }
    }
    let mut source = Source::new(input.is_zlib);
    let mut inflater = Inflater::new(compression, usize::from(u16::MAX) * 32).expect("there is memory");
    for (payload, times) in &input.honest {
        let payload = payload.repeat(usize::from(*times));
        // A flush without anything new writes nothing.
        if payload.is_empty() || payload.len() > usize::from(u16::MAX) {
            return;
        }
        let message = source.message(&payload);
        let cut = if input.is_zlib { usize::from(input.cut).min(message.len()) } else { 0 };
        let (first, second) = message.split_at(cut);
        // Only the end of zlib's flush ends a payload, wherever else a message ends.
        if cut > 0 && !first.ends_with(&[0, 0, 0xff, 0xff]) {
            assert_eq!(inflater.push(first).expect("a part is fine"), None);
        } else if cut > 0 {
            return;
        }
        assert_eq!(inflater.push(second).expect("what was compressed can be inflated"), Some(payload.as_slice()));
    }
});

enum Source {
    Zlib(Compress),
    Zstd(Encoder<'static>),
}

impl Source {
    fn new(is_zlib: bool) -> Self {
        if is_zlib {
            Self::Zlib(Compress::new(flate2::Compression::fast(), true))
        } else {
            Self::Zstd(Encoder::new(1).expect("there is memory"))
        }
    }

    fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(zstd::zstd_safe::compress_bound(payload.len()) + 1024);
        match self {
            Self::Zlib(stream) => {
                stream.compress_vec(payload, &mut message, FlushCompress::Sync).expect("there is room");
            }
            Self::Zstd(stream) => {
                let mut input = InBuffer::around(payload);
                let mut output = OutBuffer::around(&mut message);
                while input.pos() < payload.len() {
                    stream.run(&mut input, &mut output).expect("there is room");
                }
                while stream.flush(&mut output).expect("there is room") > 0 {}
            }
        }
        message
    }
}
