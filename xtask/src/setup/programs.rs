//! Programs that Debian's packages bring.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::apt;

pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Arguments with which it works where it is installed.
    pub(crate) call: &'static [&'static str],
    /// Debian's package.
    pub(crate) package: &'static str,
}

/// Installs those that are missing. `purpose` says what for.
pub(crate) fn install(programs: &[Program], purpose: &str) -> Result<()> {
    let missing: Vec<_> = programs.iter().filter(|program| !program.works()).map(|program| program.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing_names = missing.join(", ");
    eprintln!("installing {missing_names} for {purpose}");
    apt::install(&missing).with_context(|| format!("{missing_names} cannot be installed for {purpose}"))
}

impl Program {
    fn works(&self) -> bool {
        let mut command = Command::new(self.name);
        command.args(self.call).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}
