//! `/metrics`, `/healthz` and `/readyz` over HTTP.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::health::PATIENCE;
use super::listen::{BindError, listen_on};
use super::{Health, Metrics};

const HEALTH: &str = "/healthz";
const READINESS: &str = "/readyz";
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Connections that are served at a time; others wait to be accepted.
const CONNECTIONS: usize = 32;
/// How long a client may take for its request's head, and for everything.
const HEAD: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_secs(10);
/// How long open connections may take when the server ends.
const GRACE: Duration = Duration::from_secs(1);
/// The pause after a failed accept: file descriptors may have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that listens already. `/healthz` and `/readyz` are always served; metrics on the configured path alone, or on
/// every other path if none is configured.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
    endpoint: Option<String>,
}

impl MetricsServer {
    /// Takes the address: `host:port`, or `:port` for all interfaces, IPv6 and IPv4. An empty `endpoint` means every path.
    ///
    /// # Errors
    /// If the address is malformed or taken, or `endpoint` is one of the health paths.
    pub fn bind(address: &str, endpoint: &str) -> Result<Self, BindError> {
        let endpoint = (!endpoint.is_empty()).then(|| format!("/{}", endpoint.trim_start_matches('/')));
        if let Some(endpoint) = endpoint.as_ref().filter(|path| [HEALTH, READINESS].contains(&path.as_str())) {
            return Err(BindError::Endpoint { endpoint: endpoint.clone() });
        }
        Ok(Self { listener: listen_on(address)?, endpoint })
    }

    /// Where it listens; the port is the real one if 0 was asked for.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets open connections end.
    ///
    /// # Errors
    /// If the listener cannot be used in this runtime.
    pub async fn serve(self, metrics: Metrics, health: Health, stop: CancellationToken) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let site = Arc::new(Site { endpoint: self.endpoint, metrics, health });
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let connections = TaskTracker::new();
        let accept = async {
            // The semaphore is never closed.
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                match listener.accept().await {
                    Ok((socket, _)) => drop(connections.spawn(serve_connection(socket, Arc::clone(&site), place))),
                    Err(error) => {
                        tracing::warn!("the metrics server cannot take a connection: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(accept).await;
        connections.close();
        // Connections have a deadline of their own, so what is left ends soon and touches nothing.
        let _ = tokio::time::timeout(GRACE, connections.wait()).await;
        Ok(())
    }
}

/// One request for each connection: an idle one must not keep others out.
async fn serve_connection(socket: TcpStream, site: Arc<Site>, _place: OwnedSemaphorePermit) {
    let service = service_fn(|request: Request<Incoming>| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request.method(), request.uri().path()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service);
    match tokio::time::timeout(CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a connection to the metrics server failed: {error}"),
        Err(_) => tracing::debug!("a connection to the metrics server took too long"),
    }
}

#[derive(Debug)]
struct Site {
    endpoint: Option<String>,
    metrics: Metrics,
    health: Health,
}

impl Site {
    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            HEALTH => match self.health.liveness(PATIENCE).await {
                Ok(()) => text(StatusCode::OK, "ok\n"),
                Err(name) => {
                    text(StatusCode::SERVICE_UNAVAILABLE, format!("the event loop `{name}` does not answer\n"))
                }
            },
            READINESS => self.readiness(),
            path if self.endpoint.as_ref().is_none_or(|endpoint| endpoint == path) => self.metrics(),
            _ => text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        let readiness = self.health.readiness();
        let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        match serde_json::to_vec(&readiness) {
            Ok(json) => response(status, "application/json", json),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.render() {
            Ok(figures) => response(StatusCode::OK, METRICS_TYPE, figures),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", body)
}

fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use gateway_protocol::ShardId;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::{ShardHealth, ShardState};
    use super::*;

    struct Running {
        address: SocketAddr,
        shard: ShardHealth,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<io::Result<()>>,
    }

    fn start(endpoint: &str) -> Running {
        let server = MetricsServer::bind("127.0.0.1:0", endpoint).unwrap();
        let (metrics, health) = (Metrics::new().unwrap(), Health::default());
        metrics.running_shards(7);
        let (address, stop) = (server.local_address().unwrap(), CancellationToken::new());
        let shard = health.shard(ShardId(5));
        let task = tokio::spawn(server.serve(metrics, health, stop.clone()));
        Running { address, shard, stop, task }
    }

    async fn request(address: SocketAddr, head: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(format!("{head}\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        request(address, &format!("GET {path} HTTP/1.1")).await
    }

    #[tokio::test]
    async fn without_an_endpoint_every_path_but_healths_shows_metrics() {
        let server = start("");
        for path in ["/", "/metrics", "/anything?x=1"] {
            let answer = get(server.address, path).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
            assert!(answer.contains("\ngateway_total_shards 7\n"), "{answer}");
        }
        assert!(get(server.address, "/healthz").await.ends_with("\r\n\r\nok\n"));
    }

    #[tokio::test]
    async fn an_endpoint_is_the_only_path_of_metrics() {
        let server = start("/stats");
        assert!(get(server.address, "/stats").await.contains("\ngateway_total_shards 7\n"));
        for path in ["/", "/metrics", "/stats/"] {
            assert!(get(server.address, path).await.starts_with("HTTP/1.1 404"));
        }
        assert!(get(server.address, "/healthz").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn readiness_says_what_is_missing() {
        let server = start("");
        server.shard.set(ShardState::Resuming);
        let answer = get(server.address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        let body = r#"{"ready":false,"reason":"not all shards are ready","shards":[{"shard":5,"state":"resuming"}]}"#;
        assert!(answer.ends_with(body), "{answer}");
        server.shard.set(ShardState::Ready);
        let answer = get(server.address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with(r#"{"ready":true,"shards":[{"shard":5,"state":"ready"}]}"#), "{answer}");
    }

    #[tokio::test]
    async fn other_methods_are_refused_and_head_has_no_body() {
        let server = start("");
        assert!(request(server.address, "POST / HTTP/1.1").await.starts_with("HTTP/1.1 405"));
        let answer = request(server.address, "HEAD /healthz HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_keeps_nobody_out() {
        let server = start("");
        let _silent = TcpStream::connect(server.address).await.unwrap();
        assert!(get(server.address, "/healthz").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn the_end_frees_the_port() {
        let server = start("");
        server.stop.cancel();
        server.task.await.unwrap().unwrap();
        MetricsServer::bind(&server.address.to_string(), "").unwrap();
    }

    #[test]
    fn an_endpoint_that_health_would_hide_is_refused() {
        for endpoint in ["/healthz", "readyz"] {
            let error = MetricsServer::bind("127.0.0.1:0", endpoint).unwrap_err();
            assert!(matches!(error, BindError::Endpoint { .. }), "{error}");
        }
    }
}
