//! `gateway check`: everything that can be known without connecting.

use std::io::Write as _;

use super::process;
use crate::config::{Config, Flags};
use crate::run::Components;
use crate::telemetry::Metrics;

/// Reads the configuration, compiles the components and starts an instance of each. Writes what it found to STDOUT.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let loaded = Config::load_from_process(flags)?;
    let _log = crate::telemetry::log::init(loaded.config.log.level, loaded.config.log.format)?;
    let mut output = std::io::stdout();
    for warning in &loaded.warnings {
        writeln!(output, "warning: {warning}")?;
    }
    crate::run::check(&loaded.config)?;
    let components = Components::prepare(&loaded.config, &Metrics::new()?.guests())?;
    process::block_on(components.try_start(&loaded.config))?;
    writeln!(output, "{}", loaded.config.effective())?;
    let filters: Vec<_> = components.filters.iter().map(|(filter, _)| filter.name().as_ref()).collect();
    writeln!(output, "# way of an event: Discord -> {} -> {}", filters.join(" -> "), components.adapter.name())?;
    writeln!(output, "# the configuration is valid")?;
    Ok(())
}
