//! TCP or TLS below, WebSocket frames above.

use bytes::Bytes;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::protocol::frame::{
    CloseFrame, Frame,
    coding::{Data, OpCode},
};

use crate::compression::Encoded;

/// A connection from a client.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Ends the connection with a TCP reset.
    pub(crate) fn reset(self) {
        let tcp = match &self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        };
        if let Err(error) = tcp.set_zero_linger() {
            tracing::warn!(%error, "could not reset a connection, it is closed instead");
        }
    }
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Plain(tcp) => {
                let $stream = Pin::new(tcp);
                $call
            }
            Self::Tls(tls) => {
                let $stream = Pin::new(tls.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_shutdown(context))
    }
}

/// The reading half for a WebSocket that answers nothing by itself: every frame goes through [`FrameWriter`].
pub(crate) struct ReadOnly(pub(crate) ReadHalf<Stream>);

impl AsyncRead for ReadOnly {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl AsyncWrite for ReadOnly {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Writes WebSocket frames, valid or not.
pub(crate) struct FrameWriter {
    stream: WriteHalf<Stream>,
    buffer: Vec<u8>,
}

impl FrameWriter {
    pub(crate) fn new(stream: WriteHalf<Stream>) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn into_inner(self) -> WriteHalf<Stream> {
        self.stream
    }

    /// One message of one frame.
    pub(crate) async fn message(&mut self, message: &Encoded) -> io::Result<()> {
        self.frame(Frame::message(message.bytes().clone(), opcode(message), true)).await
    }

    /// One message in `count` frames.
    pub(crate) async fn fragments(&mut self, message: &Encoded, count: usize) -> io::Result<()> {
        let parts = parts(message.bytes(), count);
        let last = parts.len().saturating_sub(1);
        for (index, part) in parts.into_iter().enumerate() {
            let kind = if index == 0 { opcode(message) } else { OpCode::Data(Data::Continue) };
            self.frame(Frame::message(part, kind, index == last)).await?;
        }
        Ok(())
    }

    pub(crate) async fn ping(&mut self, data: Bytes) -> io::Result<()> {
        self.frame(Frame::ping(data)).await
    }

    pub(crate) async fn pong(&mut self, data: Bytes) -> io::Result<()> {
        self.frame(Frame::pong(data)).await
    }

    /// A close frame. Codes that must not be sent (1005, 1006) are sent as any other.
    pub(crate) async fn close(&mut self, code: Option<u16>, reason: &str) -> io::Result<()> {
        let frame = code.map(|code| CloseFrame { code: code.into(), reason: reason.into() });
        self.frame(Frame::close(frame)).await
    }

    /// Bytes outside of any frame.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn frame(&mut self, frame: Frame) -> io::Result<()> {
        self.buffer.clear();
        frame.format(&mut self.buffer).map_err(io::Error::other)?;
        self.stream.write_all(&self.buffer).await?;
        self.stream.flush().await
    }
}

/// `bytes` in `count` parts of about the same size.
pub(crate) fn parts(bytes: &Bytes, count: usize) -> Vec<Bytes> {
    let count = count.clamp(1, bytes.len().max(1));
    let size = bytes.len().div_ceil(count).max(1);
    let mut rest = bytes.clone();
    let mut parts = Vec::with_capacity(count);
    while rest.len() > size {
        parts.push(rest.split_to(size));
    }
    parts.push(rest);
    parts
}

pub(crate) fn opcode(message: &Encoded) -> OpCode {
    OpCode::Data(match message {
        Encoded::Text(_) => Data::Text,
        Encoded::Binary(_) => Data::Binary,
    })
}
