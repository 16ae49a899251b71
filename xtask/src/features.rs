//! Checks that running the gateway and testing everything build the same dependencies.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::cargo::cargo;

/// Fails if a crate below the gateway has other features in `cargo test --workspace` than in `cargo run`: cargo would
/// build it, and all that depends on it, twice.
pub(crate) fn check(workspace: &Path) -> Result<()> {
    let run = crates(workspace, &["--package=spectacles-gateway", "--edges=normal,build"])?;
    let test = crates(workspace, &["--workspace", "--edges=normal,build,dev"])?;
    let different: Vec<_> = run.difference(&test).map(String::as_str).collect();
    ensure!(
        different.is_empty(),
        "`cargo test --workspace` builds these crates of the gateway with other features than `cargo run`: {}\nFind out \
         why with `cargo tree --workspace --edges features --invert <crate>`, and ask for the same features everywhere.",
        different.join(", ")
    );
    Ok(())
}

/// Each crate with its version and features.
fn crates(workspace: &Path, selection: &[&str]) -> Result<BTreeSet<String>> {
    let tree =
        cargo(workspace, &["tree", "--locked", "--prefix=none", "--no-dedupe", "--format={p} {f}"]).args(selection);
    Ok(tree.output()?.lines().map(str::to_owned).collect())
}
