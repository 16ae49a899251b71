//! Runs cargo, the one that runs this program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use guest_build::Compiler;

/// A cargo command in `folder`.
pub(crate) fn cargo(folder: &Path, arguments: &[&str]) -> Cargo {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(folder);
    // Set for this program, not for the crates that cargo builds: it would make them differ from those of a plain cargo.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name.to_string_lossy().starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    Cargo { command }
}

/// The folder that cargo builds this workspace into.
pub(crate) fn target_folder(workspace: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |folder| workspace.join(folder))
}

pub(crate) struct Cargo {
    command: Command,
}

impl Cargo {
    pub(crate) fn args<Argument: AsRef<OsStr>>(mut self, arguments: &[Argument]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn compiler(mut self, compiler: &Compiler) -> Self {
        compiler.configure(&mut self.command);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self.command.status().context("cannot run cargo")?;
        ensure!(status.success(), "`{}` failed ({status})", self.line());
        Ok(())
    }

    /// Runs it to its end, and shows what it says only if it fails.
    pub(crate) fn run_quietly(mut self) -> Result<()> {
        let output = self.command.output().context("cannot run cargo")?;
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
        }
        ensure!(output.status.success(), "`{}` failed ({})", self.line(), output.status);
        Ok(())
    }

    /// Runs it to its end, and takes what it prints.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        ensure!(output.status.success(), "`{}` failed ({})", self.line(), output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Lets it take this program's place, so that signals and the exit code are its own.
    #[cfg(unix)]
    pub(crate) fn replace(mut self) -> Result<()> {
        use std::os::unix::process::CommandExt;
        Err(self.command.exec()).context("cannot run cargo")
    }

    /// Runs it to its end: there is no taking this program's place here.
    #[cfg(not(unix))]
    pub(crate) fn replace(self) -> Result<()> {
        self.run()
    }

    fn line(&self) -> String {
        let words: Vec<_> = std::iter::once(OsStr::new("cargo")).chain(self.command.get_args()).collect();
        words.join(OsStr::new(" ")).to_string_lossy().into_owned()
    }
}
