//! The writer of a connection: takes what comes next from the state, compresses and writes it.

use bytes::{Bytes, BytesMut};
use std::{io, sync::Arc};
use tokio::{select, sync::Notify, time::sleep_until};

use crate::{
    compression::{Encoded, Encoder},
    connection::{End, shard_of},
    fault::{Mangling, Raw},
    journal::Happening,
    outbox::Action,
    session::envelope,
    state::{Next, Shared},
    wire::{FrameWriter, parts},
};

/// Writes until the connection ends.
pub(crate) async fn write(shared: &Shared, id: u64, mut encoder: Encoder, frames: &mut FrameWriter) -> End {
    let Some(work) = shared.state().connections.get(&id).map(|outbox| outbox.work.clone()) else { return End::Dropped };
    loop {
        let next = shared.state().next(id);
        let written = match next {
            Next::Dispatch(dispatch, mangling) => {
                start_payload_compression(shared, id, &mut encoder);
                write_payload(frames, &mut encoder, &envelope(&dispatch), mangling.as_ref()).await
            }
            Next::Act(action) => match act(shared, id, action, frames, &mut encoder).await {
                Ok(Some(end)) => return end,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            },
            Next::Wait(until) => {
                wait(shared, id, until, &work).await;
                Ok(())
            }
            Next::Gone => return End::Dropped,
        };
        if let Err(error) = written {
            tracing::debug!(%error, connection = id, "a connection could not be written to");
            return End::Lost;
        }
    }
}

/// Waits for work, and makes the next guild arrive when its time has come.
async fn wait(shared: &Shared, id: u64, until: Option<tokio::time::Instant>, work: &Arc<Notify>) {
    let Some(until) = until else { return work.notified().await };
    select! {
        () = work.notified() => {}
        () = sleep_until(until) => shared.next_guild(id),
    }
}

/// Identify asked for payload compression: from READY on, without transport compression.
fn start_payload_compression(shared: &Shared, id: u64, encoder: &mut Encoder) {
    let wanted = shared.state().connections.get(&id).is_some_and(|outbox| outbox.compresses_payloads);
    if wanted && matches!(encoder, Encoder::None) {
        let from = shared.options.knobs.payload_compression_from;
        *encoder = Encoder::Payload { from };
    }
}

async fn act(
    shared: &Shared,
    id: u64,
    action: Action,
    frames: &mut FrameWriter,
    encoder: &mut Encoder,
) -> io::Result<Option<End>> {
    match action {
        Action::Payload(payload) => write_payload(frames, encoder, &payload, None).await?,
        Action::Raw(raw) => write_raw(frames, encoder, raw).await?,
        Action::Pong(data) => frames.pong(data).await?,
        Action::Close { code, reason, keeps_session } => {
            close(shared, id, frames, code, reason, keeps_session).await?;
            return Ok(Some(End::Closed));
        }
        Action::CloseThenDispatch { code } => {
            let late = shared.state().next(id);
            close(shared, id, frames, Some(code), String::new(), true).await?;
            if let Next::Dispatch(dispatch, _) = late {
                write_payload(frames, encoder, &envelope(&dispatch), None).await?;
            }
            return Ok(Some(End::Closed));
        }
        Action::EchoClose(code) => {
            frames.close(code, "").await?;
            return Ok(Some(End::Closed));
        }
        Action::Reset => return Ok(Some(End::Reset)),
        Action::Drop => return Ok(Some(End::Dropped)),
        Action::HalfOpen => return Ok(Some(End::HalfOpen)),
    }
    Ok(None)
}

/// Releases the session, so that a client that sees the close frame finds it as the code says, and closes.
async fn close(
    shared: &Shared,
    id: u64,
    frames: &mut FrameWriter,
    code: Option<u16>,
    reason: String,
    keeps_session: bool,
) -> io::Result<()> {
    let shard = shard_of(shared, id);
    shared.release(&mut shared.state(), id, keeps_session);
    let happening = Happening::ServerClosed { code: code.unwrap_or(NO_CODE), reason: reason.clone() };
    shared.journal.write(Some(id), shard, happening);
    frames.close(code, &reason).await
}

async fn write_payload(
    frames: &mut FrameWriter,
    encoder: &mut Encoder,
    payload: &[u8],
    mangling: Option<&Mangling>,
) -> io::Result<()> {
    let message = encoder.encode(payload)?;
    match mangling {
        None => frames.message(&message).await,
        Some(mangling) => write_mangled(frames, message, mangling).await,
    }
}

async fn write_mangled(frames: &mut FrameWriter, message: Encoded, mangling: &Mangling) -> io::Result<()> {
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = message.bytes().to_vec();
        change(&mut bytes);
        rebuild(&message, bytes.into())
    };
    match mangling {
        Mangling::CorruptByte => {
            let corrupt = change(&|bytes| {
                let middle = bytes.len() / 2;
                bytes.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 0xff);
            });
            frames.message(&corrupt).await
        }
        Mangling::Truncate(missing) => {
            frames.message(&change(&|bytes| bytes.truncate(bytes.len().saturating_sub(*missing)))).await
        }
        Mangling::Split(count) => {
            for part in parts(message.bytes(), *count) {
                frames.message(&rebuild(&message, part)).await?;
            }
            Ok(())
        }
        Mangling::Fragment(count) => frames.fragments(&message, *count).await,
        Mangling::Lose => Ok(()),
    }
}

async fn write_raw(frames: &mut FrameWriter, encoder: &mut Encoder, raw: Raw) -> io::Result<()> {
    match raw {
        Raw::Payload(payload) => write_payload(frames, encoder, &payload, None).await,
        Raw::Mangled(payload, mangling) => write_payload(frames, encoder, &payload, Some(&mangling)).await,
        Raw::Merged(payloads) => {
            let mut merged = BytesMut::new();
            let mut last = None;
            for payload in payloads {
                let message = encoder.encode(&payload)?;
                merged.extend_from_slice(message.bytes());
                last = Some(message);
            }
            match last {
                Some(message) => frames.message(&rebuild(&message, merged.freeze())).await,
                None => Ok(()),
            }
        }
        Raw::Bomb { bytes } => {
            let filler = [b'0'; BOMB_CHUNK];
            let full = usize::try_from(bytes / BOMB_CHUNK as u64).unwrap_or(usize::MAX);
            let rest = filler.get(..usize::try_from(bytes % BOMB_CHUNK as u64).unwrap_or(0)).unwrap_or_default();
            let body = std::iter::repeat_n(filler.as_slice(), full).chain([rest]);
            let head = br#"{"t":"BOMB","s":null,"op":0,"d":""#.as_slice();
            let message = encoder.encode_parts([head].into_iter().chain(body).chain([br#""}"#.as_slice()]))?;
            frames.message(&message).await
        }
        Raw::Text(text) => frames.message(&Encoded::Text(text)).await,
        Raw::Binary(bytes) => frames.message(&Encoded::Binary(bytes)).await,
        Raw::Ping(data) => frames.ping(data).await,
        Raw::Stream(bytes) => frames.bytes(&bytes).await,
    }
}

fn rebuild(message: &Encoded, bytes: Bytes) -> Encoded {
    match message {
        Encoded::Text(_) => Encoded::Text(bytes),
        Encoded::Binary(_) => Encoded::Binary(bytes),
    }
}

/// How the journal shows a close frame without a code.
const NO_CODE: u16 = 1005;
const BOMB_CHUNK: usize = 64 * 1024;
