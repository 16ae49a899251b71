//! How long a start takes.

use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use tempfile::TempDir;

use crate::child::Measured;
use crate::subject::gateway;

/// Starts that are measured, after one that fills the cache of compiled components.
const STARTS: usize = 11;

/// The median time from exec to the first REST request.
pub(crate) fn milliseconds(binary: &Path) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..=STARTS {
        times.push(start(binary)?);
    }
    let mut times = times.split_off(1);
    times.sort_by(f64::total_cmp);
    Ok(times.get(STARTS / 2).copied().unwrap_or(f64::NAN))
}

fn start(binary: &Path) -> anyhow::Result<f64> {
    let discord = TcpListener::bind("127.0.0.1:0")?;
    let home = TempDir::new()?;
    let command = gateway(binary, "", &discord.local_addr()?.to_string(), home.path())?;
    let started = Instant::now();
    let process = Measured::start(command)?;
    let (connection, _) = discord.accept()?;
    // The request itself, not only the connection.
    connection.peek(&mut [0])?;
    let time = started.elapsed().as_secs_f64() * 1e3;
    drop(process);
    Ok(time)
}
