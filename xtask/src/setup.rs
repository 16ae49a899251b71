//! Brings what building needs: compilers for other targets, and programs.

mod apt;
pub(crate) mod companions;
mod debian;
pub(crate) mod programs;
mod rustup;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail};
use guest_build::{Compiler, DebianCompiler, Error, Target, Toolchain};

/// Finds what can build guests on this machine, or installs it.
pub(crate) fn set_up(workspace: &Path) -> Result<Toolchain> {
    compiler(workspace, Target::Guests)?;
    Ok(Toolchain::find(workspace)?)
}

/// Finds what compiles for a target on this machine, or installs it: the Rust toolchain's own target where rustup can
/// bring it, Debian's compiler in the project's target folder where it cannot.
pub(crate) fn compiler(workspace: &Path, target: Target) -> Result<Compiler> {
    if let Some(compiler) = find(workspace, target)? {
        return Ok(compiler);
    }
    let debian = DebianCompiler::of(workspace);
    // Held until the end; the operating system frees it when this process dies.
    let _lock = lock(&debian.folder().with_extension("lock"))?;
    if let Some(compiler) = find(workspace, target)? {
        return Ok(compiler);
    }
    let Err(by_rustup) = rustup::add_target(workspace, target) else { return Ok(Compiler::find(workspace, target)?) };
    eprintln!("rustup cannot bring {target} ({by_rustup:#}); unpacking Debian's compiler instead");
    let Err(by_debian) = debian::unpack(&debian) else { return Ok(Compiler::find(workspace, target)?) };
    bail!(
        "the Rust target {target} is missing and could not be installed\n  by rustup: {by_rustup:#}\n  from Debian's \
         packages: {by_debian:#}\nInstall it for your Rust toolchain (`rustup target add {target}`, or the package of \
         your distribution), then run this command again."
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

fn find(workspace: &Path, target: Target) -> Result<Option<Compiler>> {
    match Compiler::find(workspace, target) {
        Ok(compiler) => Ok(Some(compiler)),
        Err(Error::MissingTarget { .. }) => Ok(None),
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
