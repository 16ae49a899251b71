//! Whether memory stays flat.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use gateway_simulator::{Flood, FloodOptions};
use tempfile::TempDir;

use super::server::Server;
use super::{BrokerKind, gateway, runtime};
use crate::child::Measured;

/// Shards share what the flood holds in memory.
const SHARDS: u32 = 10;
/// Events between two lines.
const STEP: u64 = 500_000;
/// How often the gateway is asked.
const PAUSE: Duration = Duration::from_millis(100);
/// The flood acknowledges no heartbeat before its end.
const HEARTBEAT: Duration = Duration::from_secs(24 * 60 * 60);

/// Prints the gateway's resident memory while it publishes that many events to each broker.
pub(crate) fn soak(binary: &Path, events: u64) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let options = FloodOptions {
        shards: SHARDS,
        events_per_shard: events / u64::from(SHARDS),
        heartbeat_interval: HEARTBEAT,
        ..FloodOptions::default()
    };
    let flood = runtime.block_on(Flood::start(options)).context("the flood cannot start")?;
    for kind in BrokerKind::ALL {
        println!("resident memory of the gateway with {SHARDS} shards, into {kind}");
        runtime.block_on(async {
            let server = Server::start(kind).await?;
            server.prepare(&flood).await?;
            watch(binary, &server, &flood).await
        })?;
    }
    Ok(())
}

async fn watch(binary: &Path, server: &Server, flood: &Flood) -> anyhow::Result<()> {
    let home = TempDir::new()?;
    let metrics = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut command = gateway(binary, server, &flood.api_host(), home.path())?;
    command.env("PROMETHEUS_ADDRESS", &metrics);
    let mut process = Measured::start(command)?;
    let mut next = STEP.min(flood.events());
    loop {
        tokio::time::sleep(PAUSE).await;
        let published = published(&metrics).unwrap_or(0);
        if published >= next {
            let mebibytes = process.resident_memory()? as f64 / f64::from(1 << 20);
            println!("{published:>12} events {mebibytes:>10.1} MiB");
            if published >= flood.events() {
                return process.stop();
            }
            next = (published / STEP * STEP + STEP).min(flood.events());
        }
        anyhow::ensure!(process.is_running()?, "the gateway ended early");
    }
}

/// Messages that the broker has confirmed. `None` if the gateway does not say so yet.
fn published(metrics: &str) -> Option<u64> {
    let mut connection = TcpStream::connect(metrics).ok()?;
    write!(connection, "GET /metrics HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    connection.read_to_string(&mut text).ok()?;
    let line = text.lines().find(|line| line.starts_with("gateway_broker_messages_published_total"))?;
    line.rsplit(' ').next()?.parse::<f64>().ok().map(|count| count as u64)
}
