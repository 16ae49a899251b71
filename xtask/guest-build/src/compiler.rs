use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{DebianCompiler, Error, Target};

/// What compiles for a target on this machine.
#[derive(Debug, Clone)]
pub struct Compiler {
    target: Target,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    /// The Rust toolchain has the target.
    Toolchain { sysroot: PathBuf },
    /// The standard library is built from source, with the compiler that belongs to it.
    Debian(DebianCompiler),
}

impl Compiler {
    /// Finds what compiles for the target in the workspace in `workspace`: the Rust toolchain if it has the target, or
    /// else the compiler that `cargo xtask setup` has unpacked.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when neither is there; others when the toolchain's `rustc` does not run.
    pub fn find(workspace: &Path, target: Target) -> Result<Self, Error> {
        let sysroot = PathBuf::from(ask_toolchain(workspace, &["--print", "sysroot"])?);
        let debian = DebianCompiler::of(workspace);
        let origin = if library(&sysroot, target).join("lib").is_dir() {
            Origin::Toolchain { sysroot }
        } else if debian.is_unpacked() {
            Origin::Debian(debian)
        } else {
            return Err(Error::MissingTarget { target });
        };
        Ok(Self { target, origin })
    }

    /// The compiler of Debian that was unpacked for the workspace, if it is that.
    #[must_use]
    pub fn debian(&self) -> Option<&DebianCompiler> {
        match &self.origin {
            Origin::Toolchain { .. } => None,
            Origin::Debian(debian) => Some(debian),
        }
    }

    /// A path whose change means that what it has compiled must be compiled again.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        match &self.origin {
            Origin::Toolchain { sysroot } => library(sysroot, self.target),
            Origin::Debian(debian) => debian.rustc(),
        }
    }

    /// Tells a `cargo build` command for which target and with which compiler.
    pub fn configure(&self, cargo: &mut Command) {
        cargo.args(["--target", self.target.name()]);
        match &self.origin {
            Origin::Toolchain { .. } => {}
            // Building the standard library is unstable in cargo's eyes.
            Origin::Debian(debian) => {
                cargo.arg(format!("-Zbuild-std={}", self.target.standard_library()));
                cargo.env("RUSTC", debian.rustc()).env("RUSTC_BOOTSTRAP", "1");
            }
        }
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Toolchain { sysroot } => write!(formatter, "the Rust toolchain in {}", sysroot.display()),
            Origin::Debian(debian) => write!(formatter, "Debian's Rust compiler in {}", debian.folder().display()),
        }
    }
}

/// What the Rust toolchain's compiler answers.
pub(crate) fn ask_toolchain(workspace: &Path, arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new(toolchain_rustc(workspace));
    command.args(arguments).current_dir(workspace);
    let output = command.output().map_err(|source| Error::start(&command, source))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(Error::failed(&command, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The Rust toolchain's compiler. In a build script that is the one that cargo uses, unless cargo was told to use
/// Debian's, which comes without the linkers.
pub(crate) fn toolchain_rustc(workspace: &Path) -> OsString {
    let debian = DebianCompiler::of(workspace).rustc();
    std::env::var_os("RUSTC").filter(|rustc| Path::new(rustc) != debian).unwrap_or_else(|| "rustc".into())
}

fn library(sysroot: &Path, target: Target) -> PathBuf {
    sysroot.join("lib").join("rustlib").join(target.name())
}
