//! `gateway`: run it.

use tokio_util::sync::CancellationToken;

use super::process;
use crate::capability::stdio;
use crate::config::{Config, Flags};
use crate::run::Io;

/// Runs until a signal, or until it cannot go on.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let loaded = Config::load_from_process(flags)?;
    let _log = process::start_log(&loaded)?;
    let output = Box::new(stdio::stdout()?);
    let io = Io { output, reads_input: true };
    process::block_on(process::run_gateway(&loaded.config, io, CancellationToken::new()))
}
