//! Heap allocations, counted by a library that is preloaded.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::subject::{Subject, Target};

/// Allocations that an event causes: what a longer run has beyond a shorter one, so that the start does not count.
pub(crate) fn per_event(subject: &Subject, short: &Target, long: &Target) -> anyhow::Result<f64> {
    let folder = TempDir::new()?;
    let library = build(folder.path())?;
    let fewer = count(subject, short, &library, folder.path())?;
    let more = count(subject, long, &library, folder.path())?;
    Ok((more as f64 - fewer as f64) / (long.events as f64 - short.events as f64))
}

fn count(subject: &Subject, target: &Target, library: &Path, folder: &Path) -> anyhow::Result<u64> {
    let file = folder.join("count");
    subject.run_with(target, |command| {
        command.env("LD_PRELOAD", library).env("ALLOCATIONS_FILE", &file);
    })?;
    let text = std::fs::read_to_string(&file).context("the process wrote no count of its allocations")?;
    Ok(text.trim().parse()?)
}

fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let source = folder.join("allocations.c");
    let library = folder.join("allocations.so");
    std::fs::write(&source, include_str!("allocations.c"))?;
    let status = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .context("a C compiler (cc) is needed to count allocations")?;
    if !status.success() {
        bail!("the library that counts allocations cannot be built");
    }
    Ok(library)
}
