//! One connection to the flood.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures_util::future::poll_immediate;
use futures_util::{SinkExt as _, StreamExt as _};
use memchr::memmem::Finder;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};

/// The gateway's own buffer size, so that both make the same system calls.
const READ_BUFFER: usize = 64 << 10;

/// What comes in, inflated.
pub(super) struct Feed {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    decoder: Decoder<'static>,
    text: Vec<u8>,
    identify: Option<String>,
}

impl Feed {
    /// Connects. It identifies itself when Hello is there.
    pub(super) async fn connect(flood: &str, shard: u32, shards: u32) -> anyhow::Result<Self> {
        let config =
            WebSocketConfig::default().read_buffer_size(READ_BUFFER).max_message_size(None).max_frame_size(None);
        let url = format!("{flood}/?v=10&encoding=json&compress=zstd-stream");
        let (socket, _) = connect_async_with_config(url, Some(config), true).await?;
        let identify = format!(
            r#"{{"op":2,"d":{{"token":"bench","intents":53608447,"shard":[{shard},{shards}],"properties":{{"os":"linux","browser":"floor","device":"floor"}}}}}}"#
        );
        Ok(Self { socket, decoder: Decoder::new()?, text: Vec::with_capacity(1 << 20), identify: Some(identify) })
    }

    /// Goes on to the next payload if it has come already, and says whether it has.
    pub(super) async fn try_next(&mut self) -> anyhow::Result<bool> {
        while let Some(message) = poll_immediate(self.socket.next()).await {
            if let Some(bytes) = binary(message)? {
                self.take(&bytes).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits for the next payload.
    pub(super) async fn next(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some(bytes) = binary(self.socket.next().await)? {
                return self.take(&bytes).await;
            }
        }
    }

    /// The payload.
    pub(super) fn payload(&self) -> &[u8] {
        &self.text
    }

    async fn take(&mut self, message: &[u8]) -> anyhow::Result<()> {
        inflate(&mut self.decoder, message, &mut self.text)?;
        if let Some(identify) = self.identify.take() {
            self.socket.send(Message::text(identify)).await?;
        }
        Ok(())
    }
}

/// The name and the data of a dispatch, found where the flood has them. `None` if it is no dispatch.
pub(super) fn event<'a>(payload: &'a [u8], data: &Finder<'_>) -> Option<(&'a str, &'a [u8])> {
    let rest = payload.strip_prefix(br#"{"t":""#)?;
    let name = rest.get(..memchr::memchr(b'"', rest)?)?;
    let start = name.len() + data.find(rest.get(name.len()..)?)? + data.needle().len();
    Some((std::str::from_utf8(name).ok()?, rest.get(start..rest.len() - 1)?))
}

/// What stands before the data of a dispatch.
pub(super) fn data() -> Finder<'static> {
    Finder::new(br#","op":0,"d":"#)
}

type Received = Option<Result<Message, tokio_tungstenite::tungstenite::Error>>;

fn binary(message: Received) -> anyhow::Result<Option<Bytes>> {
    match message.context("the server went away")?? {
        Message::Binary(bytes) => Ok(Some(bytes)),
        Message::Close(frame) => bail!("the server closed: {frame:?}"),
        _ => Ok(None),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_as_the_flood_writes_it() {
        let found = event(br#"{"t":"MESSAGE_CREATE","s":7,"op":0,"d":{"op":1,"d":{}}}"#, &data());
        assert_eq!(found, Some(("MESSAGE_CREATE", &br#"{"op":1,"d":{}}"#[..])));
        assert_eq!(event(br#"{"t":null,"s":null,"op":10,"d":{}}"#, &data()), None);
    }
}
