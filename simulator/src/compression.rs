//! Encoders for what goes to a client, with the framing that Discord uses.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression as Level, FlushCompress, Status};
use std::io;
use zstd::{
    stream::raw::{CParameter, Encoder as Zstd, InBuffer, Operation, OutBuffer},
    zstd_safe,
};

use crate::options::ZstdFraming;

/// Transport or payload compression of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Plain JSON in text messages.
    None,
    /// Large payloads as complete zlib streams of their own (`compress: true` in Identify).
    Payload,
    /// One zlib stream for the connection, sync-flushed after each payload.
    Zlib,
    /// One zstd frame for the connection, flushed after each payload.
    Zstd,
}

/// A payload as it goes into a WebSocket message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encoded {
    Text(Bytes),
    Binary(Bytes),
}

impl Encoded {
    pub(crate) fn bytes(&self) -> &Bytes {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

/// The compression context of one connection.
pub(crate) enum Encoder {
    None,
    Payload { from: usize },
    Zlib(Box<Compress>),
    Zstd { context: Zstd<'static>, framing: ZstdFraming },
}

impl Encoder {
    pub(crate) fn new(compression: Compression, framing: ZstdFraming, payload_from: usize) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None,
            Compression::Payload => Self::Payload { from: payload_from },
            Compression::Zlib => Self::Zlib(Box::new(Compress::new(Level::new(LEVEL), true))),
            Compression::Zstd => Self::Zstd { context: zstd_context()?, framing },
        })
    }

    /// One payload; the context moves on.
    pub(crate) fn encode(&mut self, payload: &[u8]) -> io::Result<Encoded> {
        self.encode_parts([payload])
    }

    /// One payload that is given in parts, so that a huge one need not exist in memory.
    pub(crate) fn encode_parts<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>) -> io::Result<Encoded> {
        match self {
            Self::None => Ok(Encoded::Text(join(parts))),
            Self::Payload { from } => {
                let payload = join(parts);
                if payload.len() < *from {
                    return Ok(Encoded::Text(payload));
                }
                let mut stream = Compress::new(Level::new(LEVEL), true);
                let mut output = BytesMut::new();
                deflate(&mut stream, &payload, FlushCompress::Finish, &mut output)?;
                Ok(Encoded::Binary(output.freeze()))
            }
            Self::Zlib(stream) => {
                let mut output = BytesMut::new();
                for part in parts {
                    deflate(stream, part, FlushCompress::None, &mut output)?;
                }
                deflate(stream, &[], FlushCompress::Sync, &mut output)?;
                Ok(Encoded::Binary(output.freeze()))
            }
            Self::Zstd { context, framing } => {
                let mut output = Vec::new();
                for part in parts {
                    zstd_run(context, part, &mut output)?;
                }
                zstd_flush(context, *framing, &mut output)?;
                Ok(Encoded::Binary(output.into()))
            }
        }
    }
}

fn join<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let mut joined = BytesMut::new();
    parts.into_iter().for_each(|part| joined.extend_from_slice(part));
    joined.freeze()
}

fn deflate(stream: &mut Compress, mut input: &[u8], flush: FlushCompress, output: &mut BytesMut) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        chunk.clear();
        let before = stream.total_in();
        let status = stream.compress_vec(input, &mut chunk, flush).map_err(io::Error::other)?;
        let taken = usize::try_from(stream.total_in() - before).map_err(io::Error::other)?;
        input = input.get(taken..).unwrap_or_default();
        output.put_slice(&chunk);
        let filled = chunk.len() == chunk.capacity();
        if status == Status::StreamEnd || (input.is_empty() && !filled) {
            return Ok(());
        }
    }
}

fn zstd_context() -> io::Result<Zstd<'static>> {
    let mut context = Zstd::new(LEVEL.cast_signed())?;
    context.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    context.set_parameter(CParameter::ChecksumFlag(false))?;
    context.set_parameter(CParameter::ContentSizeFlag(false))?;
    Ok(context)
}

fn zstd_run(context: &mut Zstd<'static>, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let mut input = InBuffer::around(input);
    while input.pos() < input.src.len() {
        let position = reserve(output);
        let mut buffer = OutBuffer::around_pos(output, position);
        context.run(&mut input, &mut buffer)?;
    }
    Ok(())
}

fn zstd_flush(context: &mut Zstd<'static>, framing: ZstdFraming, output: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let position = reserve(output);
        let mut buffer = OutBuffer::around_pos(output, position);
        let left = match framing {
            ZstdFraming::Continuing => context.flush(&mut buffer)?,
            ZstdFraming::PerMessage => context.finish(&mut buffer, true)?,
        };
        if left == 0 {
            break;
        }
    }
    if framing == ZstdFraming::PerMessage {
        context.reinit()?;
    }
    Ok(())
}

/// Makes room behind what is written and says where that ends.
fn reserve(output: &mut Vec<u8>) -> usize {
    output.reserve(zstd_safe::CCtx::out_size());
    output.len()
}

const LEVEL: u32 = 6;
const WINDOW_LOG: u32 = 18;
const CHUNK: usize = 32 * 1024;
