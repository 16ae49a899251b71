//! The floor: read, inflate, write, and nothing else. What the gateway does beyond it is what the benchmark shows.

use std::io::{BufWriter, Stdout, Write as _};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};

/// The gateway's own buffer sizes, so that both make the same system calls.
const READ_BUFFER: usize = 64 << 10;
const WRITE_BUFFER: usize = 64 << 10;

/// When what was read is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffering {
    /// Each payload at once: what a loop does that reads, inflates and writes.
    Each,
    /// When nothing more is to be read, or the buffer is full: the least that is possible.
    Full,
}

/// Connects `shards` times and writes what comes in to STDOUT, a line for each payload, until it is stopped from outside.
pub(crate) fn run(url: &str, shards: u32, buffering: Buffering) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let output = std::rc::Rc::new(std::cell::RefCell::new(BufWriter::with_capacity(WRITE_BUFFER, std::io::stdout())));
    local.block_on(&runtime, async {
        let mut connections = JoinSet::new();
        for shard in 0..shards {
            connections.spawn_local(connection(url.to_owned(), shard, shards, std::rc::Rc::clone(&output), buffering));
        }
        while let Some(ended) = connections.join_next().await {
            ended??;
        }
        Ok(())
    })
}

type Output = std::rc::Rc<std::cell::RefCell<BufWriter<Stdout>>>;

async fn connection(url: String, shard: u32, shards: u32, output: Output, buffering: Buffering) -> anyhow::Result<()> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).max_message_size(None).max_frame_size(None);
    let url = format!("{url}/?v=10&encoding=json&compress=zstd-stream");
    let (mut socket, _) = connect_async_with_config(url, Some(config), true).await?;
    let mut decoder = Decoder::new()?;
    let mut text = Vec::with_capacity(1 << 20);
    let mut identified = false;
    loop {
        // What is buffered goes out before waiting.
        let message = match futures_util::future::poll_immediate(socket.next()).await {
            Some(message) => message,
            None => {
                output.borrow_mut().flush()?;
                socket.next().await
            }
        };
        match message.context("the server went away")?? {
            Message::Binary(bytes) => inflate(&mut decoder, &bytes, &mut text)?,
            Message::Close(frame) => bail!("the server closed: {frame:?}"),
            _ => continue,
        }
        text.push(b'\n');
        write(&output, &text, buffering)?;
        if !std::mem::replace(&mut identified, true) {
            let identify = format!(
                r#"{{"op":2,"d":{{"token":"bench","intents":53608447,"shard":[{shard},{shards}],"properties":{{"os":"linux","browser":"floor","device":"floor"}}}}}}"#
            );
            socket.send(Message::text(identify)).await?;
        }
    }
}

fn write(output: &Output, line: &[u8], buffering: Buffering) -> anyhow::Result<()> {
    let mut output = output.borrow_mut();
    output.write_all(line)?;
    if buffering == Buffering::Each {
        output.flush()?;
    }
    Ok(())
}

fn inflate(decoder: &mut Decoder<'static>, message: &[u8], text: &mut Vec<u8>) -> anyhow::Result<()> {
    text.clear();
    let mut input = InBuffer::around(message);
    loop {
        if text.len() == text.capacity() {
            text.reserve(text.capacity());
        }
        let (room, filled) = (text.capacity(), text.len());
        let mut output = OutBuffer::around_pos(text, filled);
        decoder.run(&mut input, &mut output)?;
        if input.pos() == message.len() && output.pos() < room {
            return Ok(());
        }
    }
}
