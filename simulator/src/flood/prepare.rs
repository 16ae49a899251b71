//! Everything that a flood writes, made once and shared by its connections.

use bytes::Bytes;
use std::{collections::BTreeSet, io, num::NonZeroU32, sync::Mutex, time::Instant};
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
    /// READY, the events and the marker, framed: in large pieces, or if they are paced each by itself.
    pub(super) events_and_marker: Vec<Bytes>,
    pub(super) pace: Option<NonZeroU32>,
    /// When paced events were written on the last connection.
    pub(super) written: Mutex<Vec<Instant>>,
    /// Of all dispatches.
    pub(super) names: BTreeSet<String>,
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
        let interval = options.heartbeat_interval.as_millis();
        let hello = control_payload(10, format_args!(r#"{{"heartbeat_interval":{interval},"_trace":[]}}"#));
        let hello_bytes = framer.frame(&hello)?.into();

        let mut pieces = Pieces::of(if options.pace.is_some() { 1 } else { PIECE });
        let mut names = BTreeSet::from(["READY", "GUILD_CREATE", &options.marker].map(str::to_owned));
        let ready = world.ready(SESSION, &identity, &guilds, Some(url));
        pieces.push(framer.frame(&dispatch("READY", 1, &ready.to_string()))?);
        let mut source = world.source(0);
        // One after the other, so that none is still in the compressor's window when it comes again.
        let mut returning = guilds.iter().cycle().map(|guild| world.guild_create(*guild, true, 50).to_string());
        let (mut payload_bytes, mut wire_bytes) = (0, 0);
        for sequence in 2..options.events_per_shard.saturating_add(2) {
            let (name, mut data) = if sequence.is_multiple_of(GUILD_EVERY) {
                ("GUILD_CREATE", returning.next().unwrap_or_default())
            } else {
                let event = world.next_event(&mut source, &guilds, 0);
                (event.name, event.data.to_string())
            };
            if options.pace.is_some() {
                number(&mut data, sequence - 2);
            }
            if !names.contains(name) {
                names.insert(name.to_owned());
            }
            let payload = dispatch(name, sequence, &data);
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
            pace: options.pace,
            written: Mutex::default(),
            names,
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

/// Adds a number to an object that is not empty.
fn number(data: &mut String, number: u64) {
    if data.pop() == Some('}') {
        *data += &format!(r#","flood_number":{number}}}"#);
    }
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

/// Frames in pieces of at least some size.
struct Pieces {
    size: usize,
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Pieces {
    fn of(size: usize) -> Self {
        Self { size, full: Vec::new(), open: Vec::new() }
    }

    fn push(&mut self, framed: Vec<u8>) {
        self.open.extend_from_slice(&framed);
        if self.open.len() >= self.size {
            self.full.push(std::mem::take(&mut self.open).into());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            self.full.push(self.open.into());
        }
        self.full
    }
}

/// Guilds that become available again make up for some of a real shard's bytes.
const GUILD_EVERY: u64 = 64;
/// What is worth a write.
const PIECE: usize = 256 * 1024;
const LARGEST_HEADER: usize = 10;
/// As many heartbeats as an hour has.
const ACKNOWLEDGEMENTS: usize = 100;
const SESSION: &str = "f100df100df100df100df100df100d00";
