//! What a shard costs that receives nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use gateway_simulator::{Happening, Options, Simulator};
use tempfile::TempDir;

use crate::child::Measured;
use crate::subject::gateway;

/// The larger of the two numbers of shards that are compared.
const MANY: u32 = 65;

/// Resident memory for each further shard, in bytes.
pub(crate) async fn bytes_per_shard(binary: &Path) -> anyhow::Result<f64> {
    let few = memory(binary, 1).await?;
    let many = memory(binary, MANY).await?;
    Ok((many as f64 - few as f64) / f64::from(MANY - 1))
}

async fn memory(binary: &Path, shards: u32) -> anyhow::Result<u64> {
    let options = Options {
        recommended_shards: shards,
        max_concurrency: shards,
        guilds_per_shard: 1,
        hello_interval: Duration::from_millis(500),
        ..Options::default()
    };
    let simulator = Simulator::start(options).await?;
    let home = TempDir::new()?;
    let mut process = Measured::start(gateway(binary, "", &simulator.api_host(), home.path())?)?;
    // READY and one guild for each, then heartbeats alone.
    tokio::task::block_in_place(|| process.read_lines(2 * u64::from(shards)))?;
    let control = simulator.control();
    let position = control.position();
    for shard in 0..shards {
        let beat = |entry: &gateway_simulator::Entry| {
            entry.shard == Some(shard) && matches!(entry.happening, Happening::Heartbeat { .. })
        };
        control.wait_for_after(position, beat).await.context("a shard does not beat")?;
    }
    let used = process.resident_memory()?;
    process.stop()?;
    simulator.shutdown().await;
    Ok(used)
}
