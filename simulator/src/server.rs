//! The listeners: TLS, HTTP, and the upgrade to a WebSocket, all on one port.

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{HOST, HeaderValue},
    upgrade::OnUpgrade,
};
use std::{fmt, io, net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    address::Addresses,
    certificate::Certificate,
    connection::{self, Upgraded},
    control::Control,
    fault::FaultKind,
    http::{self, Answer, Dropped},
    journal::Happening,
    options::Options,
    rest,
    state::Shared,
    traffic,
    wire::Stream,
};

/// A running fake Discord. It ends when it is dropped; [`shutdown`](Self::shutdown) also waits for its tasks.
pub struct Simulator {
    shared: Arc<Shared>,
    certificate: Option<String>,
    tasks: TaskTracker,
    /// Ends the tasks when the simulator is dropped.
    ended: CancellationToken,
}

impl Simulator {
    /// Listens and serves.
    ///
    /// # Errors
    /// The address can't be listened on, or no certificate could be made.
    pub async fn start(options: Options) -> io::Result<Self> {
        let certificate = options.tls.then(Certificate::generate).transpose()?;
        let base = TcpListener::bind(options.listen).await?;
        let resume = TcpListener::bind(SocketAddr::new(options.listen.ip(), 0)).await?;
        let addresses = Addresses { base: base.local_addr()?, resume: resume.local_addr()?, tls: options.tls };
        let shared = Arc::new(Shared::new(options, addresses));
        let tasks = TaskTracker::new();
        let acceptor = certificate.as_ref().map(|certificate| certificate.acceptor.clone());
        for (listener, on_resume_url) in [(base, false), (resume, true)] {
            let port = Port { shared: shared.clone(), acceptor: acceptor.clone(), tasks: tasks.clone(), on_resume_url };
            tasks.spawn(port.accept(listener));
        }
        tasks.spawn(traffic::run(shared.clone()));
        tasks.close();
        let ended = shared.ended.clone();
        Ok(Self { shared, certificate: certificate.map(|certificate| certificate.pem), tasks, ended })
    }

    /// Where REST and the gateway are.
    pub fn address(&self) -> SocketAddr {
        self.shared.addresses.base
    }

    /// `http` or `https`.
    pub fn api_scheme(&self) -> &'static str {
        if self.shared.addresses.tls { "https" } else { "http" }
    }

    /// Host and port of the REST API.
    pub fn api_host(&self) -> String {
        self.address().to_string()
    }

    /// The self-signed certificate that clients have to trust, when TLS is on.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// A handle to watch and to steer the simulator.
    pub fn control(&self) -> Control {
        Control::new(self.shared.clone())
    }

    /// Closes every connection with 1001 and waits until all tasks have ended.
    pub async fn shutdown(self) {
        self.ended.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Simulator").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// One of the two ports.
#[derive(Clone)]
struct Port {
    shared: Arc<Shared>,
    acceptor: Option<TlsAcceptor>,
    tasks: TaskTracker,
    on_resume_url: bool,
}

impl Port {
    async fn accept(self, listener: TcpListener) {
        loop {
            let accepted = select! {
                accepted = listener.accept() => accepted,
                () = self.shared.ended.cancelled() => return,
            };
            match accepted {
                Ok((tcp, _)) if self.on_resume_url && self.is_dead() => Stream::Plain(tcp).reset(),
                Ok((tcp, _)) => _ = self.tasks.spawn(self.clone().serve(tcp)),
                Err(error) => tracing::warn!(%error, "could not accept a connection"),
            }
        }
    }

    fn is_dead(&self) -> bool {
        self.shared.state().faults.due(None, &FaultKind::ResumeUrlDead)
    }

    async fn serve(self, tcp: TcpStream) {
        let shared = self.shared.clone();
        select! {
            served = self.serve_http(tcp) => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
            }
            () = shared.ended.cancelled() => {}
        }
    }

    async fn serve_http(self, tcp: TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let stream = match &self.acceptor {
            Some(acceptor) => Stream::Tls(Box::new(acceptor.accept(tcp).await?)),
            None => Stream::Plain(tcp),
        };
        http::serve(stream, |request| self.answer(request)).await
    }

    fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        if let Some(key) = http::handshake_key(&request) {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let upgrade = hyper::upgrade::on(&mut request);
            return self.upgrade(&key, query, host, upgrade);
        }
        let (method, headers) = (request.method().as_str(), request.headers());
        let asked = rest::Request { method, path: &path, headers, host: host.as_deref() };
        rest::answer(&self.shared, &asked).ok_or(Dropped)
    }

    fn upgrade(&self, key: &HeaderValue, query: String, host: Option<String>, upgrade: OnUpgrade) -> Answer {
        let refused = self.shared.state().faults.take(None, |kind| match kind {
            FaultKind::Upgrade(status) => Some(*status),
            _ => None,
        });
        if let Some(status) = refused {
            self.shared.journal.write(None, None, Happening::UpgradeRefused { status });
            let mut response = Response::new(Full::from(format!("error code: {status}")));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            return Ok(response);
        }
        let response = http::switch_protocols(key)?;
        let (shared, on_resume_url) = (self.shared.clone(), self.on_resume_url);
        self.tasks.spawn(async move {
            let Some((stream, read)) = http::upgraded(upgrade).await else { return };
            let upgraded = Upgraded { stream, read, query, host, on_resume_url };
            connection::serve(shared, upgraded).await;
        });
        Ok(response)
    }
}
