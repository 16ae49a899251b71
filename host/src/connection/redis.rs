//! Where Redis is, and connections to it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster::ClusterClient;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, Pipeline,
    RedisConnectionInfo, RedisError, RedisFuture, RedisResult, TlsCertificates, Value,
};
use anyhow::Context as _;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Socket;
use super::tls::{self, CaFile};
use crate::config;

/// Where a Redis server or cluster is, and how to log in. Cheap to clone. `Debug` and `Display` show hosts and ports alone.
#[derive(Clone)]
pub struct RedisAddress {
    inner: Arc<Inner>,
}

struct Inner {
    /// One for a server; several are nodes of a cluster. Never empty.
    nodes: Vec<ConnectionInfo>,
    cluster: Option<ClusterClient>,
    tls: Option<Arc<ClientConfig>>,
    shown: String,
}

/// A connection. Clones share it, and requests over it are pipelined: a command that blocks or that changes the connection needs one
/// of its own. [`RedisAddress::connect`] again when an error [is unrecoverable](RedisError::is_unrecoverable_error); one to a cluster finds
/// lost nodes again by itself.
#[derive(Clone)]
pub enum Connection {
    /// To a server.
    Single(MultiplexedConnection),
    /// To a cluster.
    Cluster(ClusterConnection),
}

impl RedisAddress {
    /// Checks the addresses and reads the CA file. It connects to nothing.
    ///
    /// An address is `host:port`, or `redis://[user:password@]host[:port][/database]` with `username`, `password` and `db` as query
    /// parameters too, or the same with `rediss://` for TLS.
    ///
    /// # Errors
    /// If an address or the CA file cannot be used. The text says what to do, and holds no secret.
    pub fn new(config: &config::Redis) -> anyhow::Result<Self> {
        let nodes = config
            .urls
            .iter()
            .map(|url| parse(url.expose()).with_context(|| format!("redis.urls: the address {url} cannot be used")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::ensure!(!nodes.is_empty(), "no Redis server is configured: set redis.urls or REDIS_URL");
        let uses_tls = nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. }));
        let ca_file = config.ca_file.as_deref().map(CaFile::read).transpose()?;
        let tls = if uses_tls { Some(tls::client_config(ca_file.as_ref())?) } else { None };
        let cluster = if nodes.len() > 1 { Some(cluster_client(&nodes, ca_file.as_ref())?) } else { None };
        let shown = nodes.iter().map(|node| node.addr().to_string()).collect::<Vec<_>>().join(", ");
        Ok(Self { inner: Arc::new(Inner { nodes, cluster, tls, shown }) })
    }

    /// Whether it is a cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.inner.cluster.is_some()
    }

    /// Connects, and logs in.
    ///
    /// # Errors
    /// What keeps it from connecting. [`to_mend`] tells what the operator has to mend from a server that is away.
    pub async fn connect(&self) -> Result<Connection, RedisError> {
        // One node of a cluster has to answer first: why it does not is told better than by the library.
        let socket = self.dial().await?;
        match &self.inner.cluster {
            Some(cluster) => Ok(Connection::Cluster(within(CONNECT, cluster.get_async_connection()).await?)),
            None => {
                // It has logged in already.
                let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
                let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER));
                let (connection, driver) = MultiplexedConnection::new_with_config(&settings, socket, config).await?;
                tokio::spawn(driver);
                Ok(Connection::Single(connection))
            }
        }
    }

    /// A connected stream that has logged in and chosen the database, for who speaks the protocol alone: to the server, or to the
    /// first node of the cluster that answers.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn dial(&self) -> Result<Socket, RedisError> {
        let mut failed = None;
        for node in &self.inner.nodes {
            match within(CONNECT, self.dial_node(node)).await {
                Ok(socket) => return Ok(socket),
                // What is to be mended is worth more than who is away.
                Err(error) if failed.as_ref().is_none_or(|failed| to_mend(failed).is_none()) => failed = Some(error),
                Err(_) => {}
            }
        }
        Err(failed.unwrap_or_else(|| (ErrorKind::Client, "there is no address").into()))
    }

    async fn dial_node(&self, node: &ConnectionInfo) -> RedisResult<Socket> {
        let (host, port, tls) = match node.addr() {
            ConnectionAddr::Tcp(host, port) => (host, *port, None),
            ConnectionAddr::TcpTls { host, port, .. } => (host, *port, self.inner.tls.as_ref()),
            _ => return Err((ErrorKind::InvalidClientConfig, "only TCP is supported").into()),
        };
        let mut socket = Socket::connect(host, port, tls).await.map_err(from_io)?;
        log_in(&mut socket, node.redis_settings()).await?;
        Ok(socket)
    }
}

/// What the operator has to do about an error, if it is one that does not go away by itself: wrong credentials, no such database, a
/// certificate that is not accepted.
#[must_use]
pub fn to_mend(error: &RedisError) -> Option<String> {
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
            Some(format!("Redis refuses the credentials: set the right user and password in redis.urls ({error})"))
        }
        (ErrorKind::InvalidClientConfig, _) => Some(error.to_string()),
        _ => None,
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RedisAddress({self})")
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.inner.shown)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Single(_) => "Connection::Single",
            Self::Cluster(_) => "Connection::Cluster",
        })
    }
}

/// How long connecting and logging in may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);

fn parse(address: &str) -> anyhow::Result<ConnectionInfo> {
    let url = if address.contains("://") { address.to_owned() } else { format!("redis://{address}") };
    let url = ::redis::parse_redis_url(&url).filter(|url| matches!(url.scheme(), "redis" | "rediss"));
    let url = url.context(
        "it is no redis:// or rediss:// address; special characters of user and password are written as %23 and the like",
    )?;
    anyhow::ensure!(url.fragment().is_none(), "it has a `#`; one in a password is written as %23");
    let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let info = url.into_connection_info()?;
    let mut settings = info.redis_settings().clone();
    for (name, value) in parameters {
        settings = match name.as_str() {
            "username" => settings.set_username(value),
            "password" => settings.set_password(value),
            "db" => settings.set_db(value.parse().ok().context("its `db` is no number")?),
            _ => anyhow::bail!("it has a query parameter other than username, password and db"),
        };
    }
    anyhow::ensure!(settings.db() >= 0, "its database is no number from 0 on");
    Ok(info.set_redis_settings(settings))
}

fn cluster_client(nodes: &[ConnectionInfo], ca_file: Option<&CaFile>) -> anyhow::Result<ClusterClient> {
    anyhow::ensure!(
        nodes.iter().all(|node| node.redis_settings().db() == 0),
        "several addresses in redis.urls are a cluster, which has no database but 0; a server alone is given by one address"
    );
    tls::install_provider();
    let builder = ClusterClient::builder(nodes.iter().cloned()).connection_timeout(CONNECT).response_timeout(ANSWER);
    let builder = match ca_file {
        Some(ca_file) => builder.certs(TlsCertificates { client_tls: None, root_cert: Some(ca_file.pem()) }),
        None => builder,
    };
    builder.build().context("redis.urls: all nodes of a cluster need the same user, password and scheme")
}

async fn within<T>(limit: Duration, attempt: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let timeout = || {
        let text =
            format!("no answer within {} s; with rediss://, its port has to be the one for TLS", limit.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, text)
    };
    tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(timeout().into()))
}

/// What is wrong with a certificate is a matter of configuration.
fn from_io(error: io::Error) -> RedisError {
    let text = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "the server's TLS certificate is not accepted: set redis.ca_file to the certificate that signed it, and connect by a name that it holds"
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            "the server does not speak TLS there: use redis://, or the port for TLS"
        }
        Some(_) => "the server and the gateway find no common way of TLS",
        None => return error.into(),
    };
    (ErrorKind::InvalidClientConfig, text, error.to_string()).into()
}

async fn log_in(socket: &mut Socket, settings: &RedisConnectionInfo) -> RedisResult<()> {
    if let Some(password) = settings.password() {
        let auth = ::redis::cmd("AUTH").arg(settings.username()).arg(password).get_packed_command();
        exchange(socket, &auth).await.map_err(|error| match error.code() {
            Some("WRONGPASS" | "ERR") => {
                (ErrorKind::AuthenticationFailed, "the server refuses AUTH", error.to_string()).into()
            }
            _ => error,
        })?;
    }
    if settings.db() != 0 {
        let select = ::redis::cmd("SELECT").arg(settings.db()).get_packed_command();
        exchange(socket, &select).await.map_err(|error| match error.code() {
            Some("ERR") => (
                ErrorKind::InvalidClientConfig,
                "redis.urls names a database that the server does not have",
                error.to_string(),
            )
                .into(),
            _ => error,
        })?;
    }
    // A server that wants a password or that is still loading says so.
    match exchange(socket, &::redis::cmd("PING").get_packed_command()).await {
        Err(error) if error.code() == Some("NOPERM") => Ok(()),
        answer => answer,
    }
}

/// Sends a command whose answer is one line.
async fn exchange(socket: &mut Socket, command: &[u8]) -> RedisResult<()> {
    socket.write_all(command).await.map_err(from_io)?;
    socket.flush().await.map_err(from_io)?;
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_LINE {
            return Err((ErrorKind::Parse, "what answers there is no Redis server").into());
        }
        line.push(socket.read_u8().await.map_err(|error| match error.kind() {
            kind @ (io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                let text = "the server closes the connection; if it takes TLS only, its address begins with rediss://";
                io::Error::new(kind, text).into()
            }
            _ => from_io(error),
        })?);
    }
    ::redis::parse_redis_value(&line)?.extract_error().map(drop)
}

/// Longer than what servers say.
const LONGEST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretUrl;

    fn address(urls: &[&str]) -> anyhow::Result<RedisAddress> {
        let urls = urls.iter().copied().map(SecretUrl::new).collect();
        RedisAddress::new(&config::Redis { urls, pool_size: 5, ca_file: None })
    }

    #[test]
    fn all_forms_of_addresses_are_taken() {
        for (url, at, user, password, db) in [
            ("localhost:6380", "localhost:6380", None, None, 0),
            ("localhost", "localhost:6379", None, None, 0),
            ("redis://host", "host:6379", None, None, 0),
            ("redis://:pass@host:1/3", "host:1", None, Some("pass"), 3),
            ("redis://user:p%23ss@host", "host:6379", Some("user"), Some("p#ss"), 0),
            ("rediss://host?username=u&password=p%26&db=7", "host:6379", Some("u"), Some("p&"), 7),
            ("redis://[::1]:6379", "::1:6379", None, None, 0),
        ] {
            let info = parse(url).unwrap();
            assert_eq!(info.addr().to_string(), at);
            let settings = info.redis_settings();
            assert_eq!((settings.username(), settings.password(), settings.db()), (user, password, db), "{url}");
            assert_eq!(matches!(info.addr(), ConnectionAddr::TcpTls { .. }), url.starts_with("rediss"));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_secret() {
        for url in [
            "redis://:hunter2#@host",
            "redis://:hunter2/@host",
            "http://:hunter2@host",
            "redis://host/x",
            "redis://host?hunter2",
            "redis://host?db=x",
            "redis://:hunter2@host#insecure",
        ] {
            let error = format!("{:#}", address(&[url]).unwrap_err());
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("redis.urls"), "{error}");
        }
    }

    #[test]
    fn a_cluster_has_several_nodes_alike_and_no_database() {
        assert!(!address(&["a:1"]).unwrap().is_cluster());
        let cluster = address(&["redis://:hunter2@a:1", "redis://:hunter2@b:2"]).unwrap();
        assert!(cluster.is_cluster());
        assert_eq!(format!("{cluster} {cluster:?}"), "a:1, b:2 RedisAddress(a:1, b:2)");
        assert!(address(&["redis://a/1", "redis://b/1"]).is_err());
        let error = address(&["redis://:hunter2@a", "redis://:other@b"]).unwrap_err();
        assert!(!format!("{error:#}").contains("hunter2"));
    }
}
