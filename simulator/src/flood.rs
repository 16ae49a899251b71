//! A server for benchmarks: events that were compressed and framed before the clock starts, written as fast as sockets
//! take them.

mod connection;
mod prepare;

use hyper::{Request, StatusCode, body::Incoming, header::HOST};
use serde_json::json;
use std::{
    fmt, io,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    compression::Compression,
    http::{self, Answer},
    options::ZstdFraming,
    rest::json_response,
    wire::Stream,
};
use prepare::Prepared;

/// What a [`Flood`] sends.
#[derive(Clone, Debug)]
pub struct FloodOptions {
    /// The `shards` and the `max_concurrency` of `/gateway/bot`. Each connection gets the same events.
    pub shards: u32,
    /// Dispatches of each shard between READY and the marker. All of them are held in memory, compressed.
    pub events_per_shard: u64,
    /// How they are compressed. [`Compression::Payload`] is the same as none: few events are large enough.
    pub compression: Compression,
    /// How zstd messages are framed.
    pub zstd_framing: ZstdFraming,
    /// Where the events come from.
    pub seed: u64,
    /// Name of the last dispatch of each shard. Its `d` is `{}`.
    pub marker: String,
    /// What Hello asks for. A client that counts on acknowledgements needs a longer interval than the flood takes.
    pub heartbeat_interval: Duration,
    /// Dispatches of each shard in a second, in steps of a millisecond; `None` for as many as sockets take. If given, the `d`
    /// of each of them ends with its number, the first being 0: `,"flood_number":0}`. See [`Flood::written`].
    pub pace: Option<NonZeroU32>,
}

impl Default for FloodOptions {
    fn default() -> Self {
        Self {
            shards: 1,
            events_per_shard: 100_000,
            compression: Compression::Zstd,
            zstd_framing: ZstdFraming::Continuing,
            seed: 0,
            marker: "FLOOD_END".to_owned(),
            heartbeat_interval: Duration::from_millis(41_250),
            pace: None,
        }
    }
}

/// A running flood server. It ends when it is dropped; [`shutdown`](Self::shutdown) also waits for its tasks.
///
/// Every connection gets Hello, and after Identify the same READY, events and marker. Heartbeats are acknowledged behind
/// them, as on the real service behind a burst; a resume is answered with op 9.
pub struct Flood {
    address: SocketAddr,
    shards: u32,
    prepared: Arc<Prepared>,
    tasks: TaskTracker,
    ended: CancellationToken,
}

impl Flood {
    /// Prepares the events, which takes a while, and listens on loopback.
    ///
    /// # Errors
    /// No port is free, or the compression fails.
    pub async fn start(options: FloodOptions) -> io::Result<Self> {
        let shards = options.shards;
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let prepare = move || Prepared::new(&options, &format!("ws://{address}"));
        let prepared = Arc::new(tokio::task::spawn_blocking(prepare).await.map_err(io::Error::other)??);
        let (tasks, ended) = (TaskTracker::new(), CancellationToken::new());
        let service =
            Service { prepared: prepared.clone(), shards, address, tasks: tasks.clone(), ended: ended.clone() };
        tasks.spawn(service.accept(listener));
        tasks.close();
        Ok(Self { address, shards, prepared, tasks, ended })
    }

    /// Where REST and the gateway are.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http`.
    pub fn api_scheme(&self) -> &'static str {
        "http"
    }

    /// Host and port of the REST API.
    pub fn api_host(&self) -> String {
        self.address.to_string()
    }

    /// Dispatches of all shards together, without READY and the markers.
    pub fn events(&self) -> u64 {
        self.prepared.events * u64::from(self.shards)
    }

    /// JSON of these dispatches in bytes, envelopes included.
    pub fn payload_bytes(&self) -> u64 {
        self.prepared.payload_bytes * u64::from(self.shards)
    }

    /// What these dispatches take on the sockets in bytes, WebSocket frames included.
    pub fn wire_bytes(&self) -> u64 {
        self.prepared.wire_bytes * u64::from(self.shards)
    }

    /// The names of all dispatches, READY and the marker among them.
    pub fn event_names(&self) -> impl Iterator<Item = &str> {
        self.prepared.names.iter().map(String::as_str)
    }

    /// When each paced dispatch was written, by its number. With several connections it is that of the last one that began.
    pub fn written(&self) -> Vec<Instant> {
        self.prepared.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes every connection and waits until all tasks have ended.
    pub async fn shutdown(self) {
        self.ended.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl fmt::Debug for Flood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flood").field("address", &self.address).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Service {
    prepared: Arc<Prepared>,
    shards: u32,
    address: SocketAddr,
    tasks: TaskTracker,
    ended: CancellationToken,
}

impl Service {
    async fn accept(self, listener: TcpListener) {
        loop {
            let accepted = select! {
                accepted = listener.accept() => accepted,
                () = self.ended.cancelled() => return,
            };
            match accepted {
                Ok((tcp, _)) => _ = self.tasks.spawn(self.clone().serve(tcp)),
                Err(error) => tracing::warn!(%error, "could not accept a connection"),
            }
        }
    }

    async fn serve(self, tcp: TcpStream) {
        let served = async {
            tcp.set_nodelay(true)?;
            http::serve(Stream::Plain(tcp), |request| self.answer(request)).await
        };
        select! {
            served = served => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
            }
            () = self.ended.cancelled() => {}
        }
    }

    fn answer(&self, mut request: Request<Incoming>) -> Answer {
        if let Some(key) = http::handshake_key(&request) {
            let upgrade = hyper::upgrade::on(&mut request);
            let (prepared, ended) = (self.prepared.clone(), self.ended.clone());
            self.tasks.spawn(async move {
                let Some((stream, read)) = http::upgraded(upgrade).await else { return };
                select! {
                    () = connection::serve(&prepared, stream, read) => {}
                    () = ended.cancelled() => {}
                }
            });
            return http::switch_protocols(&key);
        }
        let own = || self.address.to_string();
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).map_or_else(own, str::to_owned);
        let limit = json!({
            "total": 1_000_000, "remaining": 1_000_000, "reset_after": 0, "max_concurrency": self.shards.max(1),
        });
        let gateway = json!({"url": format!("ws://{host}"), "shards": self.shards, "session_start_limit": limit});
        let known = request.uri().path().ends_with("/gateway/bot") || request.uri().path().ends_with("/gateway");
        let status = if known { StatusCode::OK } else { StatusCode::NOT_FOUND };
        Ok(json_response(status, &gateway))
    }
}
