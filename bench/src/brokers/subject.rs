//! What is measured.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gateway_simulator::Flood;
use tempfile::TempDir;

use super::server::Server;
use crate::child::{Measured, Usage};
use crate::subject::Target;

/// For the last answers, which count too.
const REST: Duration = Duration::from_millis(100);

/// One way from the flood to a broker.
pub(super) enum Subject {
    /// The bare loop, in a process of its own.
    Floor,
    /// The gateway, the path of whose binary this is, with its default components.
    Gateway(PathBuf),
}

impl Subject {
    /// Runs it once, until all has arrived.
    pub(super) async fn run(&self, server: &Server, flood: &Flood, target: &Target) -> anyhow::Result<Usage> {
        server.prepare(flood).await?;
        let home = TempDir::new()?;
        let mut process = self.start(server, target, home.path())?;
        let wall = server.filled(target, &mut process).await?;
        tokio::time::sleep(REST).await;
        let usage = process.usage(wall)?;
        process.stop()?;
        Ok(usage)
    }

    /// Starts it, with its state in `home`.
    pub(super) fn start(&self, server: &Server, target: &Target, home: &Path) -> anyhow::Result<Measured> {
        Measured::start(match self {
            Self::Floor => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["floor", server.kind().name(), &format!("ws://{}", target.host)]);
                command.args([target.shards.to_string(), server.url()]);
                command
            }
            Self::Gateway(binary) => super::gateway(binary, server, &target.host, home)?,
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Floor => "bare loop",
            Self::Gateway(_) => "gateway",
        })
    }
}
