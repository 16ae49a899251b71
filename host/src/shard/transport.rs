//! A WebSocket to Discord: connecting with a deadline, capped frames, writes that never block reading.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink as _, Stream as _};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

/// How long looking up the name and the TCP, TLS and WebSocket handshakes may take together. The machine then waits 15 s for HELLO.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a close frame may take to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// What is read from the socket at a time. Each idle connection holds this much.
const READ_BUFFER: usize = 64 << 10;
/// Bytes that may wait to be written. A peer that takes nothing meets the heartbeat deadline long before.
const WRITE_BUFFER_LIMIT: usize = 1 << 20;

/// What every connection has in common.
#[derive(Clone)]
pub struct Dialer {
    /// For `wss`.
    pub tls: Arc<rustls::ClientConfig>,
    /// Sent with the upgrade, as with REST.
    pub user_agent: HeaderValue,
    /// The largest message that is read, in bytes.
    pub message_limit: usize,
}

/// Why a connection did not come about.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Something between here and there.
    #[error("{0}")]
    Failed(#[from] Box<Error>),
    /// Nobody answered.
    #[error("no answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
}

/// What came in.
#[derive(Debug)]
pub enum Incoming {
    /// A text message: never compressed.
    Text(Bytes),
    /// A binary message: compressed, if the connection is.
    Binary(Bytes),
    /// Nothing came in, but all that was queued has been written.
    Written,
    /// The other side closed, with its code if it gave one.
    Closed(Option<u16>),
    /// Something that breaks the rules of WebSocket, or a message beyond the limit.
    Broken(String),
}

/// An open WebSocket.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    unflushed: bool,
}

impl Dialer {
    /// Opens a WebSocket.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(&self, url: &str) -> Result<Socket, ConnectError> {
        let mut request = url.into_client_request().map_err(Box::new)?;
        request.headers_mut().insert(header::USER_AGENT, self.user_agent.clone());
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_LIMIT)
            .max_message_size(Some(self.message_limit))
            .max_frame_size(Some(self.message_limit));
        let connector = Connector::Rustls(Arc::clone(&self.tls));
        let connecting = connect_async_tls_with_config(request, Some(config), true, Some(connector));
        let (stream, _) =
            timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| ConnectError::Timeout)?.map_err(Box::new)?;
        Ok(Socket { stream, unflushed: false })
    }
}

impl Socket {
    /// The next thing that comes in. Meanwhile what was queued is written. Cancel safe.
    pub async fn next(&mut self) -> Incoming {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Writes what was queued, and reads nothing; pends for ever when all is written. Cancel safe.
    pub async fn write_only(&mut self) -> Incoming {
        poll_fn(|context| match ready!(self.poll_flush(context)) {
            Ok(true) => Poll::Ready(Incoming::Written),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(meaning(error)),
        })
        .await
    }

    /// Queues a text message. [`Socket::next`] writes it.
    ///
    /// # Errors
    /// What the socket answers from then on, if it takes no more.
    pub fn queue(&mut self, text: String) -> Result<(), Incoming> {
        self.start_send(Message::text(text))
    }

    /// Sends a close frame as far as that is possible at once, and drops the connection without waiting for an answer.
    pub async fn close(mut self, code: Option<u16>) {
        let frame = code.map(|code| CloseFrame { code: CloseCode::from(code), reason: "".into() });
        if self.start_send(Message::Close(frame)).is_ok() {
            // The peer may be gone, or take nothing: closing is a courtesy.
            let _ = timeout(CLOSE_TIMEOUT, poll_fn(|context| self.poll_flush(context))).await;
        }
    }

    fn start_send(&mut self, message: Message) -> Result<(), Incoming> {
        self.unflushed = true;
        std::pin::Pin::new(&mut self.stream).start_send(message).map_err(meaning)
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Incoming> {
        match self.poll_flush(context) {
            Poll::Ready(Ok(true)) => return Poll::Ready(Incoming::Written),
            Poll::Ready(Err(error)) => return Poll::Ready(meaning(error)),
            Poll::Ready(Ok(false)) | Poll::Pending => {}
        }
        loop {
            let message = ready!(std::pin::Pin::new(&mut self.stream).poll_next(context));
            return Poll::Ready(match message {
                Some(Ok(Message::Text(text))) => Incoming::Text(text.into()),
                Some(Ok(Message::Binary(bytes))) => Incoming::Binary(bytes),
                Some(Ok(Message::Close(frame))) => Incoming::Closed(frame.map(|frame| frame.code.into())),
                // Pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => meaning(error),
                None => Incoming::Closed(None),
            });
        }
    }

    /// Whether anything had to be written.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        if self.unflushed {
            ready!(std::pin::Pin::new(&mut self.stream).poll_flush(context))?;
        }
        Poll::Ready(Ok(std::mem::take(&mut self.unflushed)))
    }
}

fn meaning(error: Error) -> Incoming {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Tls(_) => Incoming::Closed(None),
        Error::Protocol(tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            Incoming::Closed(None)
        }
        broken => Incoming::Broken(broken.to_string()),
    }
}
