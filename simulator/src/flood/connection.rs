//! One connection of a flood.

use futures_util::StreamExt;
use serde_json::Value;
use std::{
    io,
    num::NonZeroU32,
    sync::PoisonError,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncWriteExt, WriteHalf},
    select,
    sync::Notify,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::Prepared;
use crate::wire::{ReadOnly, Stream};

/// What a client asked for.
#[derive(Default)]
struct Asked {
    identify: Notify,
    resume: Notify,
    /// One permit for each heartbeat would be lost in a [`Notify`].
    heartbeats: tokio::sync::watch::Sender<usize>,
}

/// Serves until the client goes.
pub(super) async fn serve(prepared: &Prepared, stream: Stream, read: Vec<u8>) {
    let (reading, mut writing) = tokio::io::split(stream);
    let mut socket = WebSocketStream::from_partially_read(ReadOnly(reading), read, Role::Server, None).await;
    let asked = Asked::default();
    let ended = select! {
        () = listen(&asked, &mut socket) => Ok(()),
        ended = flood(prepared, &asked, &mut writing) => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a flooded client went away");
    }
}

async fn listen(asked: &Asked, socket: &mut WebSocketStream<ReadOnly>) {
    while let Some(Ok(message)) = socket.next().await {
        let payload = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
            Message::Close(_) => return,
            _ => continue,
        };
        let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
        match payload.get("op").and_then(Value::as_u64) {
            Some(1) => asked.heartbeats.send_modify(|count| *count += 1),
            Some(2) => asked.identify.notify_one(),
            Some(6) => asked.resume.notify_one(),
            _ => {}
        }
    }
}

async fn flood(prepared: &Prepared, asked: &Asked, stream: &mut WriteHalf<Stream>) -> io::Result<()> {
    stream.write_all(&prepared.hello).await?;
    stream.flush().await?;
    select! {
        () = asked.identify.notified() => {}
        () = asked.resume.notified() => {
            stream.write_all(&prepared.invalid_session).await?;
            stream.flush().await?;
            return std::future::pending().await;
        }
    }
    match prepared.pace {
        Some(pace) => write_paced(prepared, pace, stream).await?,
        None => {
            for piece in &prepared.events_and_marker {
                stream.write_all(piece).await?;
            }
            stream.flush().await?;
        }
    }
    let mut heartbeats = asked.heartbeats.subscribe();
    for (index, acknowledgement) in prepared.acknowledgements.iter().enumerate() {
        let is_asked_for = |count: &usize| *count > index;
        heartbeats.wait_for(is_asked_for).await.map_err(io::Error::other)?;
        stream.write_all(acknowledgement).await?;
        stream.flush().await?;
    }
    std::future::pending().await
}

/// READY at once, then each event when it is due, and the marker behind the last one.
async fn write_paced(prepared: &Prepared, pace: NonZeroU32, stream: &mut WriteHalf<Stream>) -> io::Result<()> {
    let begin = Instant::now();
    let written = || prepared.written.lock().unwrap_or_else(PoisonError::into_inner);
    written().clear();
    for (index, piece) in (0..).zip(&prepared.events_and_marker) {
        tokio::time::sleep_until((begin + Duration::from_secs(index) / pace.get()).into()).await;
        if (1..=prepared.events).contains(&index) {
            written().push(Instant::now());
        }
        stream.write_all(piece).await?;
        stream.flush().await?;
    }
    Ok(())
}
