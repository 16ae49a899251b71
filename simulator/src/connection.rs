//! One gateway connection: a reader, a writer and a clock until one of them ends it.

use futures_util::StreamExt;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    select,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    clock,
    compression::{Compression, Encoder},
    fault::FaultKind,
    inbound,
    journal::Happening,
    limits::Window,
    outbox::{Action, Outbox},
    query::{Query, Refused},
    session::control_payload,
    state::Shared,
    wire::{FrameWriter, ReadOnly, Stream},
    writer,
};

/// An upgraded connection.
pub(crate) struct Upgraded {
    pub(crate) stream: Stream,
    /// What came behind the upgrade request.
    pub(crate) read: Vec<u8>,
    pub(crate) query: String,
    /// The `Host` that the client asked for.
    pub(crate) host: Option<String>,
    pub(crate) on_resume_url: bool,
}

/// How a connection ended.
pub(crate) enum End {
    /// A close frame was sent.
    Closed,
    Lost,
    Reset,
    Dropped,
    HalfOpen,
}

/// Serves a connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, upgraded: Upgraded) {
    let query = Query::parse(&upgraded.query, shared.options.knobs.unknown_query);
    let compression = query.as_ref().map_or(Compression::None, |query| query.compression);
    let knobs = &shared.options.knobs;
    let encoder = match Encoder::new(compression, knobs.zstd_framing, knobs.payload_compression_from) {
        Ok(encoder) => encoder,
        Err(error) => return tracing::error!(%error, "could not prepare the compression of a connection"),
    };
    let id = open(&shared, &upgraded, compression, query.err());
    let (read, write) = tokio::io::split(upgraded.stream);
    let config =
        WebSocketConfig::default().max_message_size(Some(MAXIMUM_INBOUND)).max_frame_size(Some(MAXIMUM_INBOUND));
    let mut socket =
        WebSocketStream::from_partially_read(ReadOnly(read), upgraded.read, Role::Server, Some(config)).await;
    let mut frames = FrameWriter::new(write);
    let end = select! {
        end = read_messages(&shared, id, upgraded.host.as_deref(), &mut socket) => end,
        end = writer::write(&shared, id, encoder, &mut frames) => end,
        end = clock::watch(&shared, id) => end,
        end = stop(&shared, id) => end,
    };
    detach(&shared, id, &end);
    let stream = socket.into_inner().0.unsplit(frames.into_inner());
    finish(&shared, stream, end).await;
}

fn open(shared: &Shared, upgraded: &Upgraded, compression: Compression, refused: Option<Refused>) -> u64 {
    let limits = &shared.options.limits;
    let sends = Window::new(limits.sends, limits.send_window, limits.send_limiter);
    let presences = Window::new(limits.presences, limits.presence_window, limits.send_limiter);
    let mut outbox = Outbox::new(upgraded.on_resume_url, sends, presences, Instant::now());
    let mut state = shared.state();
    if let Some(refused) = refused {
        outbox.push(0, Action::close(refused.code(), refused.reason()));
    } else if state.faults.due(None, &FaultKind::ReconnectInsteadOfHello) {
        outbox.push(0, Action::Payload(control_payload(7, "null")));
    } else if !state.faults.due(None, &FaultKind::NoHello) {
        let hello = Action::Payload(control_payload(10, hello(shared.options.hello_interval)));
        let delay = state.faults.take(None, |kind| match kind {
            FaultKind::DelayHello(delay) => Some(*delay),
            _ => None,
        });
        match delay {
            Some(delay) => outbox.push_later(Instant::now() + delay, hello),
            None => _ = outbox.push(0, hello),
        }
    }
    let id = state.open(outbox);
    let (query, resume_url) = (upgraded.query.clone(), upgraded.on_resume_url);
    shared.journal.write(Some(id), None, Happening::Opened { query, compression, resume_url });
    id
}

fn hello(interval: Duration) -> String {
    let trace = r#"["[\"gateway-simulator\",{\"micros\":0.0}]"]"#;
    format!(r#"{{"heartbeat_interval":{},"_trace":{trace}}}"#, interval.as_millis())
}

async fn read_messages(shared: &Shared, id: u64, host: Option<&str>, socket: &mut WebSocketStream<ReadOnly>) -> End {
    loop {
        let message = socket.next().await;
        slow_down(shared, id).await;
        match message {
            Some(Ok(Message::Text(text))) => inbound::receive(shared, id, host, text.as_bytes()),
            Some(Ok(Message::Binary(bytes))) => inbound::receive(shared, id, host, &bytes),
            Some(Ok(Message::Ping(data))) => _ = shared.state().act(id, Action::Pong(data)),
            Some(Ok(Message::Close(frame))) => {
                let code = frame.as_ref().map(|frame| frame.code.into());
                let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                client_closed(shared, id, code, reason);
                sleep(LINGER).await;
                return End::Dropped;
            }
            Some(Ok(Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(Error::Utf8(_))) => shared.state().close_now(id, 4002, "The payload isn't UTF-8."),
            Some(Err(Error::Capacity(_))) => shared.state().close_now(id, 4002, "The payload is too large."),
            Some(Err(error)) => {
                tracing::debug!(%error, connection = id, "a connection was lost");
                return End::Lost;
            }
            None => return End::Lost,
        }
    }
}

/// Takes its time, if that was asked for.
async fn slow_down(shared: &Shared, id: u64) {
    let shard = shard_of(shared, id);
    let delay = shared.state().faults.take(shard, |kind| match kind {
        FaultKind::SlowReads(delay) => Some(*delay),
        _ => None,
    });
    if let Some(delay) = delay {
        sleep(delay).await;
    }
}

/// The client's code decides what becomes of the session before the close is answered.
fn client_closed(shared: &Shared, id: u64, code: Option<u16>, reason: String) {
    let mut state = shared.state();
    shared.release(&mut state, id, !matches!(code, Some(1000 | 1001)));
    let shard = state.connections.get(&id).and_then(|outbox| outbox.shard);
    shared.journal.write(Some(id), shard, Happening::ClientClosed { code, reason });
    state.push_now(id, Action::EchoClose(code));
}

/// Says goodbye when the simulator stops.
async fn stop(shared: &Shared, id: u64) -> End {
    shared.ended.cancelled().await;
    shared.state().push_now(id, Action::close(1001, "The simulator is stopping."));
    sleep(LINGER).await;
    End::Dropped
}

pub(crate) fn shard_of(shared: &Shared, id: u64) -> Option<u32> {
    shared.state().connections.get(&id).and_then(|outbox| outbox.shard)
}

/// Takes a connection out of the state. Its session waits to be resumed, unless it was released before.
fn detach(shared: &Shared, id: u64, end: &End) {
    let mut state = shared.state();
    shared.release(&mut state, id, true);
    let Some(outbox) = state.connections.remove(&id) else { return };
    if matches!(end, End::Lost) {
        shared.journal.write(Some(id), outbox.shard, Happening::Lost);
    }
}

/// Ends the TCP connection in the way that the end asks for.
async fn finish(shared: &Shared, mut stream: Stream, end: End) {
    match end {
        End::Reset => stream.reset(),
        End::Dropped | End::Lost => {}
        End::HalfOpen => {
            let hold = sleep_until(Instant::now() + shared.options.knobs.half_open);
            select! {
                () = hold => {}
                () = shared.ended.cancelled() => {}
            }
        }
        End::Closed => _ = timeout(LINGER, linger(&mut stream)).await,
    }
}

/// Reads until the client is gone: closing a socket with unread bytes would reset it, and lose the close frame.
async fn linger(stream: &mut Stream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut scrap = [0; 4096];
    while stream.read(&mut scrap).await? > 0 {}
    Ok(())
}

const LINGER: Duration = Duration::from_secs(1);
const MAXIMUM_INBOUND: usize = 1 << 20;
