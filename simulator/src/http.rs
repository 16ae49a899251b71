//! HTTP/1.1 on a connection, and the upgrade from it to a WebSocket.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use std::io;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::wire::Stream;

pub(crate) type Answer = Result<Response<Full<Bytes>>, Dropped>;

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped without an answer, as asked for")]
pub(crate) struct Dropped;

/// Answers the requests of one connection until it ends or is upgraded.
pub(crate) async fn serve(stream: Stream, answer: impl Fn(Request<Incoming>) -> Answer) -> io::Result<()> {
    let service = service_fn(|request| std::future::ready(answer(request)));
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .map_err(io::Error::other)
}

/// The key of a WebSocket handshake at the root, where Discord's gateway is.
pub(crate) fn handshake_key(request: &Request<Incoming>) -> Option<HeaderValue> {
    let is_root = request.uri().path().trim_matches('/').is_empty();
    request.headers().get(SEC_WEBSOCKET_KEY).filter(|_| is_root).cloned()
}

/// The answer that accepts a handshake.
pub(crate) fn switch_protocols(key: &HeaderValue) -> Answer {
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| Dropped)?;
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// The stream below HTTP, with what was already read from it.
pub(crate) async fn upgraded(upgrade: OnUpgrade) -> Option<(Stream, Vec<u8>)> {
    let parts = upgrade.await.ok()?.downcast::<TokioIo<Stream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf.to_vec()))
}
