//! `gateway demo`: the gateway on a simulated Discord, in one process.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use gateway_simulator::Simulator;
use tokio_util::sync::CancellationToken;

use super::args::DemoArguments;
use super::{process, simulate};
use crate::capability::stdio;
use crate::config::{Config, Flags, StoreType};
use crate::run::Io;

/// Runs until a signal, or until that many events are written.
pub(super) fn run(flags: &Flags, arguments: &DemoArguments) -> anyhow::Result<()> {
    let mut loaded = Config::load(flags, &environment(), &without_file)?;
    // A demo leaves nothing behind.
    loaded.config.shard_store.kind = StoreType::Memory;
    let stop = CancellationToken::new();
    let output = stdio::stdout()?;
    let output: Box<dyn Write + Send> = match arguments.events {
        Some(events) => Box::new(Lines { output, left: events, stop: stop.clone() }),
        None => Box::new(output),
    };
    process::block_on(async {
        let simulator =
            Simulator::start(simulate::options(&arguments.traffic)).await.context("the simulator cannot start")?;
        loaded.config.api.host = simulator.api_host();
        let _log = process::start_log(&loaded)?;
        let outcome = process::run_gateway(&loaded.config, Io { output, reads_input: true }, stop).await;
        simulator.shutdown().await;
        outcome
    })
}

/// The demo's configuration. Nothing of the user's own is read: it may hold a real token.
fn environment() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("DISCORD_TOKEN", "demo"),
        ("DISCORD_EVENTS", "*"),
        ("DISCORD_API_PROTOCOL", "http"),
        ("DISCORD_API_HOST", "localhost"),
        ("DISCORD_RAW_INTENTS", ALL_INTENTS),
    ])
}

fn without_file(_: &Path) -> io::Result<String> {
    Err(io::ErrorKind::NotFound.into())
}

/// Every documented intent.
const ALL_INTENTS: &str = "53608447";

/// Passes a number of lines on, and then stops the gateway: each event is one line.
struct Lines<W> {
    output: W,
    left: u64,
    stop: CancellationToken,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.left == 0 {
                break;
            }
            self.output.write_all(line)?;
            if line.ends_with(b"\n") {
                self.left -= 1;
            }
        }
        if self.left == 0 {
            self.output.flush()?;
            self.stop.cancel();
        }
        // What is beyond the number counts as written, so that the gateway drains.
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_needs_nothing_of_the_user() {
        let loaded = Config::load(&Flags::default(), &environment(), &without_file).unwrap();
        assert_eq!(loaded.warnings, []);
    }

    #[test]
    fn exactly_the_number_of_lines_passes() {
        let stop = CancellationToken::new();
        let mut lines = Lines { output: Vec::new(), left: 2, stop: stop.clone() };
        lines.write_all(b"on").unwrap();
        lines.write_all(b"e\ntw").unwrap();
        assert!(!stop.is_cancelled());
        lines.write_all(b"o\nthree\n").unwrap();
        lines.write_all(b"four\n").unwrap();
        assert!(stop.is_cancelled());
        assert_eq!(lines.output, b"one\ntwo\n");
    }
}
