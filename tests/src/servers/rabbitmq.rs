//! rabbitmq-server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use lapin::{Connection, ConnectionProperties};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::authority::Authority;
use super::free_port;
use super::process::Server;
use crate::PATIENCE;

/// How a server of a test's own is set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct RabbitMqOptions {
    /// Whether it has a port for TLS beside the other.
    pub tls: bool,
}

/// A running rabbitmq-server, with the user `guest` whose password is `guest`. It takes some seconds to start.
pub struct RabbitMq {
    port: u16,
    tls: Option<(u16, Authority)>,
    distribution_port: u16,
    name_server_port: u16,
    server: Option<Server>,
    /// Finds Erlang's nodes, of which this is the only one.
    _name_server: Server,
    folder: TempDir,
}

/// A virtual host that one test has to itself.
#[derive(Clone)]
pub struct VirtualHost {
    server: &'static RabbitMq,
    name: String,
}

impl RabbitMq {
    /// Starts one for a test that stops it or changes its settings, and waits until it takes connections.
    pub async fn start(options: RabbitMqOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let name_server_folder = folder.path().join("epmd");
        fs::create_dir(&name_server_folder).unwrap();
        let name_server_port = free_port();
        let mut name_server = Command::new("epmd");
        // Only then it says when it is ready.
        name_server.args(["-debug", "-address", "127.0.0.1", "-port", &name_server_port.to_string()]);
        let name_server = Server::start(&name_server, &name_server_folder);
        name_server.says("epmd running").await;

        let tls = options.tls.then(|| (free_port(), Authority::create(folder.path())));
        let (port, distribution_port) = (free_port(), free_port());
        let mut rabbit =
            Self { port, tls, distribution_port, name_server_port, server: None, _name_server: name_server, folder };
        rabbit.configure();
        rabbit.begin().await;
        rabbit
    }

    /// A virtual host of the server that all tests of this process share.
    pub async fn virtual_host() -> VirtualHost {
        static SHARED: OnceCell<RabbitMq> = OnceCell::const_new();
        static GIVEN: AtomicUsize = AtomicUsize::new(0);
        let server = SHARED.get_or_init(|| Self::start(RabbitMqOptions::default())).await;
        let number = GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(number < VIRTUAL_HOSTS, "every virtual host is in use: raise VIRTUAL_HOSTS");
        VirtualHost { server, name: virtual_host_name(number) }
    }

    /// Its URL, for the virtual host `/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}", self.address())
    }

    /// Its URL for TLS.
    ///
    /// # Panics
    /// If the options asked for none.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("amqps://guest:guest@127.0.0.1:{}", self.tls.as_ref().expect("it has no TLS").0)
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate of the authority that vouches for it, as a PEM file.
    #[must_use]
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.tls.as_ref().map(|(_, authority)| authority.authority.clone())
    }

    /// A connection to its virtual host `/`.
    pub async fn connect(&self) -> Connection {
        connect(&format!("{}/%2f", self.url())).await
    }

    /// What `rabbitmqctl` says to a command, which must succeed. Takes a second.
    pub async fn ctl(&self, words: &[&str]) -> String {
        let mut command = tokio::process::Command::from(self.command("rabbitmqctl"));
        command.arg("--quiet").args(words).kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.expect("rabbitmqctl does not end").unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{words:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Adds a user who may do everything in the virtual host `/`.
    pub async fn add_user(&self, name: &str, password: &str) {
        self.ctl(&["add_user", name, password]).await;
        self.ctl(&["set_permissions", name, ".*", ".*", ".*"]).await;
    }

    /// Makes it believe that its memory is full: it blocks every connection that publishes.
    pub async fn raise_memory_alarm(&self) {
        self.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]).await;
    }

    /// Takes [`raise_memory_alarm`](Self::raise_memory_alarm) back.
    pub async fn clear_memory_alarm(&self) {
        self.ctl(&["set_vm_memory_high_watermark", "absolute", MEMORY]).await;
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

    async fn begin(&mut self) {
        let server = Server::start(&self.command("rabbitmq-server"), self.folder.path());
        // The last line of the start that is no log line: of those, Erlang drops what comes in a burst, and each virtual host
        // writes a dozen.
        server.says(" plugins.").await;
        self.server = Some(server);
    }

    fn configure(&self) {
        let mut text = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\nlog.file = false\nlog.console = true\nlog.console.level = info\n\
             vm_memory_high_watermark.absolute = {MEMORY}\ndisk_free_limit.absolute = 1MB\nnum_acceptors.tcp = 2\n\
             load_definitions = {}\n",
            self.port,
            self.path("definitions.json").display(),
        );
        if let Some((port, Authority { authority, certificate, key })) = &self.tls {
            text += &format!(
                "listeners.ssl.1 = 127.0.0.1:{port}\nnum_acceptors.ssl = 2\nssl_options.cacertfile = {}\n\
                 ssl_options.certfile = {}\nssl_options.keyfile = {}\nssl_options.verify = verify_none\n",
                authority.display(),
                certificate.display(),
                key.display(),
            );
        }
        self.write("rabbitmq.conf", &text);
        self.write("definitions.json", &definitions());
        self.write("enabled_plugins", "[].");
    }

    /// One of its programs, with the environment that keeps it to this server.
    fn command(&self, program: &str) -> Command {
        let debian = Path::new("/usr/lib/rabbitmq/bin").join(program);
        let mut command = if debian.exists() { Command::new(debian) } else { Command::new(program) };
        let text = |number: u16| number.to_string();
        command
            .env("HOME", self.folder.path())
            .env("RABBITMQ_BASE", self.folder.path())
            .env("RABBITMQ_CONFIG_FILE", self.path("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", self.path("none"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.path("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", self.path("data"))
            .env("RABBITMQ_LOG_BASE", self.path("log"))
            .env("RABBITMQ_NODENAME", format!("test{}@localhost", self.port))
            .env("RABBITMQ_DIST_PORT", text(self.distribution_port))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                format!("{SMALL} -kernel inet_dist_use_interface {{127,0,0,1}}"),
            )
            .env("RABBITMQ_CTL_ERL_ARGS", format!("{SMALL} -dist_listen false"))
            // Otherwise a shell stands between.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("ERL_EPMD_PORT", text(self.name_server_port))
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // One of Erlang's own making would outlive it.
            .env("ERL_AFLAGS", "-start_epmd false")
            .env("ERL_CRASH_DUMP_SECONDS", "0")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
}

impl VirtualHost {
    /// The server's URL for this virtual host.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://{}", self.address())
    }

    /// The same without its scheme, as `@spectacles/brokers` wants it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("guest:guest@{}/{}", self.server.address(), self.name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection to it.
    pub async fn connect(&self) -> Connection {
        connect(&self.url()).await
    }

    /// What `rabbitmqctl` says of this virtual host: `ctl(&["list_queues", "name", "messages"])`. Takes a second.
    pub async fn ctl(&self, words: &[&str]) -> String {
        let (command, rest) = words.split_first().expect("a command");
        self.server.ctl(&[&[*command, "-p", &self.name], rest].concat()).await
    }
}

async fn connect(url: &str) -> Connection {
    let connecting = Connection::connect(url, ConnectionProperties::default());
    timeout(PATIENCE, connecting).await.expect("RabbitMQ does not answer").unwrap()
}

/// What a server has from its first start on.
fn definitions() -> String {
    let names: Vec<String> = (0..VIRTUAL_HOSTS).map(virtual_host_name).chain(["/".to_owned()]).collect();
    let permission =
        |vhost: &String| json!({"user": "guest", "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"});
    json!({
        "users": [{"name": "guest", "password": "guest", "tags": "administrator"}],
        "vhosts": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "permissions": names.iter().map(permission).collect::<Vec<_>>(),
    })
    .to_string()
}

fn virtual_host_name(number: usize) -> String {
    format!("test-{number}")
}

/// Virtual hosts of a server, one for each test.
const VIRTUAL_HOSTS: usize = 64;

/// How much a server may use before it raises its alarm.
const MEMORY: &str = "512MiB";

/// Keeps Erlang to one thread for each purpose.
const SMALL: &str = "+S 1:1 +SDio 1 +A 1";
