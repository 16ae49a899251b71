//! Everything that a flood writes, made once and shared by its connections.

use bytes::Bytes;
use std::io;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;

use super::FloodOptions;
use crate::{
    compression::{Compression, Encoder},
    generator::World,
    options::Options,
    session::{Identity, control_payload},
    wire::opcode,
};

pub(super) struct Prepared {
    /// Hello, framed.
    pub(super) hello: Bytes,
    /// READY, the events and the marker, framed, in large pieces.
    pub(super) events_and_marker: Vec<Bytes>,
    /// Acknowledgements of heartbeats, each framed, to be used in this order behind the events.
    pub(super) acknowledgements: Vec<Bytes>,
    /// Op 9, framed, to be sent right behind Hello.
    pub(super) invalid_session: Bytes,
    pub(super) events: u64,
    pub(super) payload_bytes: u64,
    pub(super) wire_bytes: u64,
}

impl Prepared {
    pub(super) fn new(options: &FloodOptions, url: &str) -> io::Result<Self> {
        let world = World::new(&Options { seed: options.seed, ..Options::default() });
        let guilds = world.guilds_of(0, 1);
        let identity = Identity { shard: 0, count: 1, sharded: false, intents: 0, large_threshold: 50 };
        let mut framer = Framer::new(options)?;
        let hello = control_payload(10, r#"{"heartbeat_interval":41250,"_trace":[]}"#);
        let hello_bytes = framer.frame(&hello)?.into();

        let mut pieces = Pieces::default();
        let ready = world.ready(SESSION, &identity, &guilds, Some(url));
        pieces.push(framer.frame(&dispatch("READY", 1, &ready.to_string()))?);
        let mut source = world.source(0);
        // One after the other, so that none is still in the compressor's window when it comes again.
        let mut returning = guilds.iter().cycle().map(|guild| world.guild_create(*guild, true, 50).to_string());
        let (mut payload_bytes, mut wire_bytes) = (0, 0);
        for sequence in 2..options.events_per_shard.saturating_add(2) {
            let payload = if sequence.is_multiple_of(GUILD_EVERY) {
                dispatch("GUILD_CREATE", sequence, &returning.next().unwrap_or_default())
            } else {
                let event = world.next_event(&mut source, &guilds, 0);
                dispatch(event.name, sequence, &event.data.to_string())
            };
            let framed = framer.frame(&payload)?;
            payload_bytes += payload.len() as u64;
            wire_bytes += framed.len() as u64;
            pieces.push(framed);
        }
        pieces.push(framer.frame(&dispatch(&options.marker, options.events_per_shard.saturating_add(2), "{}"))?);
        let acknowledge = control_payload(11, "null");
        let acknowledgements =
            (0..ACKNOWLEDGEMENTS).map(|_| framer.frame(&acknowledge).map(Bytes::from)).collect::<Result<_, _>>()?;

        let mut refusing = Framer::new(options)?;
        refusing.frame(&hello)?;
        Ok(Self {
            hello: hello_bytes,
            events_and_marker: pieces.finish(),
            acknowledgements,
            invalid_session: refusing.frame(&control_payload(9, false))?.into(),
            events: options.events_per_shard,
            payload_bytes,
            wire_bytes,
        })
    }
}

fn dispatch(name: &str, sequence: u64, data: &str) -> Vec<u8> {
    format!(r#"{{"t":"{name}","s":{sequence},"op":0,"d":{data}}}"#).into_bytes()
}

/// Compresses and frames.
struct Framer(Encoder);

impl Framer {
    fn new(options: &FloodOptions) -> io::Result<Self> {
        let compression = match options.compression {
            Compression::Payload => Compression::None,
            other => other,
        };
        Encoder::new(compression, options.zstd_framing, usize::MAX).map(Self)
    }

    fn frame(&mut self, payload: &[u8]) -> io::Result<Vec<u8>> {
        let message = self.0.encode(payload)?;
        let mut framed = Vec::with_capacity(message.bytes().len() + LARGEST_HEADER);
        let frame = Frame::message(message.bytes().clone(), opcode(&message), true);
        frame.format(&mut framed).map_err(io::Error::other)?;
        Ok(framed)
    }
}

/// Frames in pieces that are worth a write.
#[derive(Default)]
struct Pieces {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Pieces {
    fn push(&mut self, framed: Vec<u8>) {
        self.open.extend_from_slice(&framed);
        if self.open.len() >= PIECE {
            self.full.push(std::mem::take(&mut self.open).into());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.full.push(self.open.into());
        self.full
    }
}

/// Guilds that become available again make up for some of a real shard's bytes.
const GUILD_EVERY: u64 = 64;
const PIECE: usize = 256 * 1024;
const LARGEST_HEADER: usize = 10;
/// As many heartbeats as an hour has.
const ACKNOWLEDGEMENTS: usize = 100;
const SESSION: &str = "f100df100df100df100df100df100d00";
