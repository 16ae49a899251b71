use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use guest_build::Target;

/// Lets rustup add a target to the toolchain of this workspace.
///
/// An ordinary rustup has brought the guests' before cargo started, because `rust-toolchain.toml` names it. Where its
/// user has switched that off, this respects it.
pub(crate) fn add_target(workspace: &Path, target: Target) -> Result<()> {
    ensure!(std::env::var_os("RUSTUP_AUTO_INSTALL").is_none_or(|value| value != "0"), "RUSTUP_AUTO_INSTALL is 0");
    let output = Command::new("rustup")
        .args(["target", "add", target.name()])
        .current_dir(workspace)
        .output()
        .context("rustup is not installed")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", said.lines().find(|line| line.starts_with("error")).unwrap_or("it failed"));
    Ok(())
}
