//! Brings what building the components needs.

mod apt;
mod debian;
pub(crate) mod programs;
mod rustup;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail};
use guest_build::{DebianCompiler, Error, TARGET, Toolchain};

/// Finds what can build guests on this machine, or installs it: the Rust toolchain's own target where rustup can
/// bring it, Debian's compiler in the project's target folder where it cannot.
pub(crate) fn set_up(workspace: &Path) -> Result<Toolchain> {
    if let Some(toolchain) = find(workspace)? {
        return Ok(toolchain);
    }
    let compiler = DebianCompiler::of(workspace);
    // Held until the end; the operating system frees it when this process dies.
    let _lock = lock(&compiler.folder().with_extension("lock"))?;
    if let Some(toolchain) = find(workspace)? {
        return Ok(toolchain);
    }
    let Err(by_rustup) = rustup::add_target(workspace) else { return Ok(Toolchain::find(workspace)?) };
    eprintln!("rustup cannot bring {TARGET} ({by_rustup:#}); unpacking Debian's compiler instead (140 MB)");
    let Err(by_debian) = debian::unpack(&compiler) else { return Ok(Toolchain::find(workspace)?) };
    bail!(
        "the WebAssembly target {TARGET} is missing and could not be installed\n  by rustup: {by_rustup:#}\n  from \
         Debian's packages: {by_debian:#}\nInstall it for your Rust toolchain (`rustup target add {TARGET}`, or the \
         package of your distribution), then run this command again."
    )
}

/// [`set_up`], and clippy for guests: where they are built with Debian's compiler, Debian's own. The Rust toolchain's
/// clippy would need a standard library for the target that its own version has built.
pub(crate) fn set_up_clippy(workspace: &Path) -> Result<Toolchain> {
    let toolchain = set_up(workspace)?;
    if let Some(compiler) = toolchain.debian() {
        let _lock = lock(&compiler.folder().with_extension("lock"))?;
        debian::add_clippy(compiler).context("cannot bring the clippy of Debian's compiler")?;
    }
    Ok(toolchain)
}

fn find(workspace: &Path) -> Result<Option<Toolchain>> {
    match Toolchain::find(workspace) {
        Ok(toolchain) => Ok(Some(toolchain)),
        Err(Error::MissingTarget) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn lock(path: &Path) -> Result<File> {
    fs::create_dir_all(path.parent().unwrap_or(path))
        .with_context(|| format!("cannot create the folder of {}", path.display()))?;
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}
