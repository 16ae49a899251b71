//! redis-server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use redis::aio::MultiplexedConnection;
use redis::{Client, FromRedisValue, TlsCertificates};
use tempfile::TempDir;

use super::authority::Authority;
use super::free_port;
use super::process::Server;

/// How a server is set up. By default it keeps everything in memory and asks for no password.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// Whether it keeps its data over a restart, every write of it.
    pub append_only: bool,
    /// The password of the default user.
    pub password: Option<String>,
    /// Whether it speaks TLS, and nothing else.
    pub tls: bool,
    /// Further settings of `redis.conf`, each with its value.
    pub settings: Vec<(String, String)>,
}

/// A running redis-server.
pub struct Redis {
    options: RedisOptions,
    port: u16,
    authority: Option<Authority>,
    server: Option<Server>,
    folder: TempDir,
}

impl Redis {
    /// Starts one and waits until it takes connections.
    pub async fn start(options: RedisOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let authority = options.tls.then(|| Authority::create(folder.path()));
        let mut redis = Self { options, port: free_port(), authority, server: None, folder };
        redis.begin().await;
        redis
    }

    /// Its URL, with the password if there is one.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.options.tls { "rediss" } else { "redis" };
        let password = self.options.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("{scheme}://{password}{}", self.address())
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that vouches for it, as a PEM file.
    #[must_use]
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.authority.as_ref().map(|authority| authority.authority.clone())
    }

    /// A connection to it.
    pub async fn connect(&self) -> MultiplexedConnection {
        let client = match &self.authority {
            None => Client::open(self.url()),
            Some(authority) => {
                let root_cert = Some(fs::read(&authority.authority).unwrap());
                Client::build_with_tls(self.url(), TlsCertificates { client_tls: None, root_cert })
            }
        };
        client.unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// What it answers to a command: `command::<u64>(&["XLEN", "SEND"])`.
    pub async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::Cmd::new();
        command.arg(words);
        command.query_async(&mut self.connect().await).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Ends it in order. Its folder stays.
    pub async fn stop(&mut self) {
        self.server.take().expect("it does not run").end("TERM").await;
    }

    /// Ends it at once. Its folder stays.
    pub async fn kill(&mut self) {
        self.server.take().expect("it does not run").end("KILL").await;
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill), on the same port and folder.
    pub async fn restart(&mut self) {
        assert!(self.server.is_none(), "it runs");
        self.begin().await;
    }

    /// Lets it hang: connections stay open, and nothing is answered.
    pub fn freeze(&mut self) {
        self.server.as_mut().expect("it does not run").signal("STOP");
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&mut self) {
        self.server.as_mut().expect("it does not run").signal("CONT");
    }

    /// Waits until it writes a line that holds `part` to its log.
    pub(super) async fn says(&self, part: &str) {
        self.server.as_ref().expect("it does not run").says(part).await;
    }

    async fn begin(&mut self) {
        let server = Server::start(&self.process(), self.folder.path());
        server.says("Ready to accept connections").await;
        self.server = Some(server);
    }

    fn process(&self) -> Command {
        let mut process = Command::new("redis-server");
        let port = self.port.to_string();
        let folder = self.folder.path().display().to_string();
        process.args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no", "--dir", &folder]);
        match &self.authority {
            None => process.args(["--port", &port]),
            Some(Authority { authority, certificate, key }) => process
                .args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no", "--tls-ca-cert-file"])
                .arg(authority)
                .arg("--tls-cert-file")
                .arg(certificate)
                .arg("--tls-key-file")
                .arg(key),
        };
        if self.options.append_only {
            process.args(["--appendonly", "yes", "--appendfsync", "always"]);
        }
        if let Some(password) = &self.options.password {
            process.args(["--requirepass", password]);
        }
        for (name, value) in &self.options.settings {
            process.arg(format!("--{name}")).arg(value);
        }
        process
    }
}
