//! What is measured.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gateway_simulator::Flood;
use tempfile::TempDir;

use crate::child::{Measured, Usage};
use crate::floor::Buffering;

/// One way from the flood to STDOUT.
pub(crate) enum Subject {
    /// The bare loop, in a process of its own.
    Floor(Buffering),
    /// The gateway with its default components.
    Gateway {
        /// The binary.
        binary: PathBuf,
        /// What differs from a configuration without any setting.
        variant: Variant,
    },
}

/// How a gateway is configured.
pub(crate) enum Variant {
    /// As it comes.
    Default,
    /// It does not save how far its shards are.
    NoCheckpoints,
    /// With a filter beside the default ones.
    Filter(PathBuf),
}

impl Variant {
    fn configuration(&self) -> String {
        match self {
            Self::Default => String::new(),
            Self::NoCheckpoints => "[shard_store]\ntype = \"memory\"\n".to_owned(),
            Self::Filter(filter) => format!("[[filters]]\ncomponent = {:?}\n", filter.display().to_string()),
        }
    }
}

/// Where the events come from, and how many lines they make.
pub(crate) struct Target {
    /// Host and port of REST and gateway.
    pub(crate) host: String,
    /// Connections.
    pub(crate) shards: u32,
    /// Events over all shards.
    pub(crate) events: u64,
    /// Their JSON in bytes.
    pub(crate) payload_bytes: u64,
}

impl Target {
    /// All that this flood sends.
    pub(crate) fn of(flood: &Flood, shards: u32) -> Self {
        Self { host: flood.api_host(), shards, events: flood.events(), payload_bytes: flood.payload_bytes() }
    }
}

impl Subject {
    /// Runs it once.
    pub(crate) fn run(&self, target: &Target) -> anyhow::Result<Usage> {
        self.run_with(target, |_| {})
    }

    /// Runs it once, with something changed about the process.
    pub(crate) fn run_with(&self, target: &Target, change: impl FnOnce(&mut Command)) -> anyhow::Result<Usage> {
        let home = TempDir::new()?;
        let mut command = self.command(target, home.path())?;
        change(&mut command);
        let mut process = Measured::start(command)?;
        let usage = process.read_lines(target.events + self.other_lines(target.shards))?;
        process.stop()?;
        Ok(usage)
    }

    /// READY and the marker of each shard; the floor writes HELLO too.
    fn other_lines(&self, shards: u32) -> u64 {
        let each = match self {
            Self::Floor(_) => 3,
            Self::Gateway { .. } => 2,
        };
        each * u64::from(shards)
    }

    fn command(&self, target: &Target, home: &Path) -> anyhow::Result<Command> {
        match self {
            Self::Floor(buffering) => {
                let mut command = Command::new(std::env::current_exe()?);
                let buffering = if *buffering == Buffering::Each { "each" } else { "full" };
                command.args(["floor", buffering, &format!("ws://{}", target.host), &target.shards.to_string()]);
                Ok(command)
            }
            Self::Gateway { binary, variant } => gateway(binary, &variant.configuration(), &target.host, home),
        }
    }
}

/// A gateway that publishes everything, with this configuration beside it and its state in `home`.
pub(crate) fn gateway(binary: &Path, configuration: &str, host: &str, home: &Path) -> anyhow::Result<Command> {
    std::fs::write(home.join("gateway.toml"), configuration)?;
    let mut command = Command::new(binary);
    command
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        // Compiled once for all runs.
        .env("XDG_CACHE_HOME", std::env::temp_dir().join("gateway-bench-cache"))
        .envs([
            ("DISCORD_TOKEN", "bench"),
            ("DISCORD_EVENTS", "*"),
            ("DISCORD_RAW_INTENTS", "53608447"),
            ("DISCORD_API_PROTOCOL", "http"),
            ("DISCORD_API_HOST", host),
            ("GATEWAY_LOG_LEVEL", "error"),
        ])
        .stderr(Stdio::inherit());
    Ok(command)
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Floor(Buffering::Each) => "bare loop",
            Self::Floor(Buffering::Full) => "bare loop, 64 KiB writes",
            Self::Gateway { variant: Variant::Default, .. } => "gateway",
            Self::Gateway { variant: Variant::NoCheckpoints, .. } => "gateway, no checkpoints",
            Self::Gateway { variant: Variant::Filter(_), .. } => "gateway, inspecting filter",
        })
    }
}
