//! Runs the fuzz targets with the stable compiler, which has what libFuzzer needs (docs/decisions/0024).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cargo::{Cargo, cargo, target_folder};

/// Runs one target or all of them: `[target] [--seconds N] [further arguments for libFuzzer]`.
pub(crate) fn run(workspace: &Path, arguments: &[String]) -> Result<()> {
    let mut arguments = arguments.iter().peekable();
    let known = targets(workspace)?;
    let chosen = match arguments.next_if(|argument| !argument.starts_with('-')) {
        None => known,
        Some(target) if known.contains(target) => vec![target.clone()],
        Some(unknown) => bail!("there is no fuzz target `{unknown}`; there are {}", known.join(", ")),
    };
    let seconds = match arguments.next_if(|argument| *argument == "--seconds") {
        None => SECONDS,
        Some(_) => arguments.next().and_then(|seconds| seconds.parse().ok()).context("--seconds needs a number")?,
    };
    let further = arguments.map(|argument| from_here(argument)).collect::<Result<Vec<_>>>()?;
    build(workspace)?;
    chosen
        .iter()
        .try_for_each(|target| told(workspace, target, target_cargo(workspace, target, seconds, &further)?.run()))
}

/// Runs every target for a moment, from the same seed each time.
pub(crate) fn run_briefly(workspace: &Path) -> Result<()> {
    build(workspace)?;
    let seed = ["-seed=1".to_owned()];
    targets(workspace)?.iter().try_for_each(|target| {
        eprintln!("fuzzing {target} for {BRIEFLY} s");
        told(workspace, target, target_cargo(workspace, target, BRIEFLY, &seed)?.run_quietly())
    })
}

/// Cargo for the workspace of the targets.
pub(crate) fn fuzz_cargo(workspace: &Path, command: &str) -> Cargo {
    cargo(&workspace.join("fuzz"), &[command, "--locked", "--release", "--target", "host-tuple"])
        .env("CARGO_TARGET_DIR", folder(workspace))
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
}

/// A path that holds in the folder of the targets, too.
fn from_here(argument: &str) -> Result<String> {
    if argument.starts_with('-') {
        return Ok(argument.to_owned());
    }
    Ok(std::path::absolute(argument)?.display().to_string())
}

fn build(workspace: &Path) -> Result<()> {
    fuzz_cargo(workspace, "build").run()
}

/// A target's run. What it finds goes into the folder of the build, beside which the seeds of the repository are read.
fn target_cargo(workspace: &Path, target: &str, seconds: u32, further: &[String]) -> Result<Cargo> {
    let (found, failures) = (folder(workspace).join("corpus").join(target), failures(workspace, target));
    for folder in [&found, &failures] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut arguments = vec![format!("-artifact_prefix={}/", failures.display()), format!("-max_total_time={seconds}")];
    arguments.extend(LIMITS.map(str::to_owned));
    arguments.extend_from_slice(further);
    // A file among the arguments is run alone.
    if further.iter().all(|argument| argument.starts_with('-')) {
        let seeds = workspace.join("fuzz/corpus").join(target);
        arguments.extend([found, seeds].map(|folder| folder.display().to_string()));
    }
    Ok(fuzz_cargo(workspace, "run").args(&["--quiet", "--bin", target, "--"]).args(&arguments))
}

fn told(workspace: &Path, target: &str, outcome: Result<()>) -> Result<()> {
    outcome.with_context(|| {
        let failures = failures(workspace, target);
        format!("an input in {} fails; run it again with `cargo xtask fuzz {target} <its path>`", failures.display())
    })
}

fn failures(workspace: &Path, target: &str) -> PathBuf {
    folder(workspace).join("failures").join(target)
}

fn targets(workspace: &Path) -> Result<Vec<String>> {
    let folder = workspace.join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        names.extend(file?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn folder(workspace: &Path) -> PathBuf {
    target_folder(workspace).join("fuzz")
}

/// Seconds for each target if none are said.
const SECONDS: u32 = 60;
/// Seconds for each target among the tests.
const BRIEFLY: u32 = 3;
/// What `cargo fuzz` sets, without the sanitizers that only a nightly compiler has.
const FLAGS: [&str; 8] = [
    "--cfg=fuzzing",
    "-Ccodegen-units=1",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cforce-frame-pointers=yes",
];
/// Bytes of an input, seconds for one, and MiB of memory.
const LIMITS: [&str; 3] = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"];
