//! How a gateway is started in a test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use gateway_simulator::Simulator;
use tempfile::TempDir;
use tokio::process::Command;

use crate::Gateway;

/// A gateway to be started. It sees no configuration but what the test gives it, and keeps its state in a folder of its own.
pub struct Setup {
    binary: PathBuf,
    home: Arc<TempDir>,
    file: Option<String>,
    launcher: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Setup {
    /// For the binary at `binary` (`env!("CARGO_BIN_EXE_gateway")`).
    #[must_use]
    pub fn new(binary: &str) -> Self {
        Self {
            binary: binary.into(),
            home: Arc::new(TempDir::new().unwrap()),
            file: None,
            launcher: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// For a gateway on the simulator that publishes every event.
    #[must_use]
    pub fn on(binary: &str, simulator: &Simulator) -> Self {
        let setup = Self::new(binary)
            .variable("DISCORD_TOKEN", "MTIz.test.token")
            .variable("DISCORD_EVENTS", "*")
            .variable("DISCORD_RAW_INTENTS", "53608447")
            .variable("DISCORD_API_PROTOCOL", simulator.api_scheme())
            .variable("DISCORD_API_HOST", &simulator.api_host());
        match simulator.certificate_pem() {
            Some(pem) => {
                let path = setup.path("simulator.pem");
                std::fs::write(&path, pem).unwrap();
                let path = path.display().to_string();
                setup.variable("SSL_CERT_FILE", &path)
            }
            None => setup,
        }
    }

    /// Sets an environment variable; an empty value takes it back.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts it by a program that lets the gateway take its place. Its words come before the gateway's path.
    #[must_use]
    pub fn launched_by(mut self, words: &[&str]) -> Self {
        self.launcher = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Gives it this `gateway.toml`.
    #[must_use]
    pub fn file(mut self, text: &str) -> Self {
        self.file = Some(text.into());
        self
    }

    /// A path in the gateway's own folder, which is its working directory and home.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Gives it a port for metrics and health, which [`Gateway::figures`] asks.
    #[must_use]
    pub fn with_metrics(self) -> Self {
        self.variable("PROMETHEUS_ADDRESS", "127.0.0.1:0")
    }

    /// Starts it. It can be started again afterwards: the folder stays, so that sessions are resumed.
    #[must_use]
    pub fn start(&self) -> Gateway {
        self.start_unread().reading()
    }

    /// Starts it with a STDOUT that nobody reads yet.
    #[must_use]
    pub fn start_unread(&self) -> Gateway {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Gateway::new(&mut command, Arc::clone(&self.home))
    }

    /// Runs it to its end, without input.
    pub async fn output(&self) -> std::process::Output {
        tokio::time::timeout(crate::PATIENCE, self.command().stdin(Stdio::null()).kill_on_drop(true).output())
            .await
            .expect("the gateway does not end")
            .unwrap()
    }

    /// Runs it to its end, which must be exit code 1, and answers with what it said on STDERR.
    pub async fn failure(&self) -> String {
        let output = self.output().await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        text
    }

    fn command(&self) -> Command {
        if let Some(text) = &self.file {
            std::fs::write(self.path("gateway.toml"), text).unwrap();
        }
        let mut words = self.launcher.iter().map(OsStr::new).chain([self.binary.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(&self.arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            // Compiling is the same for all tests.
            .env("XDG_CACHE_HOME", shared_cache())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A folder in the build's own.
fn shared_cache() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent().and_then(Path::parent).unwrap().join("test-cache")
}
