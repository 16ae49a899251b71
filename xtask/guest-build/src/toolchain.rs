use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{DebianCompiler, Error, TARGET};

/// What builds guests on this machine.
#[derive(Debug, Clone)]
pub struct Toolchain {
    compiler: Compiler,
    component_linker: PathBuf,
    wasm_linker: PathBuf,
}

#[derive(Debug, Clone)]
enum Compiler {
    /// The Rust toolchain has the target.
    Installed { sysroot: PathBuf },
    /// The standard library is built from source, with the compiler that belongs to it.
    Debian(DebianCompiler),
}

impl Toolchain {
    /// Finds what can build guests for the workspace in `workspace`: the Rust toolchain if it has the target, or else
    /// the compiler that `cargo xtask setup` has unpacked.
    ///
    /// # Errors
    /// [`Error::MissingTarget`] when neither is there; [`Error::MissingLinker`] when the toolchain cannot link
    /// components; others when the toolchain's `rustc` does not run.
    pub fn find(workspace: &Path) -> Result<Self, Error> {
        let sysroot = PathBuf::from(rustc(workspace, &["--print", "sysroot"])?);
        let rustlib = sysroot.join("lib").join("rustlib");
        let debian = DebianCompiler::of(workspace);
        let compiler = if rustlib.join(TARGET).join("lib").is_dir() {
            Compiler::Installed { sysroot: sysroot.clone() }
        } else if debian.is_unpacked() {
            Compiler::Debian(debian)
        } else {
            return Err(Error::MissingTarget);
        };
        let programs = rustlib.join(rustc(workspace, &["--print", "host-tuple"])?).join("bin");
        let component_linker = programs.join(executable("wasm-component-ld"));
        let wasm_linker = programs.join("gcc-ld").join(executable("wasm-ld"));
        if !component_linker.is_file() || !wasm_linker.is_file() {
            return Err(Error::MissingLinker { sysroot });
        }
        Ok(Self { compiler, component_linker, wasm_linker })
    }

    /// A path whose change means that guests must be built again.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        match &self.compiler {
            Compiler::Installed { sysroot } => sysroot.join("lib").join("rustlib").join(TARGET),
            Compiler::Debian(debian) => debian.rustc(),
        }
    }

    /// The compiler of Debian that was unpacked for the workspace, if guests are built with it.
    #[must_use]
    pub fn debian(&self) -> Option<&DebianCompiler> {
        match &self.compiler {
            Compiler::Installed { .. } => None,
            Compiler::Debian(debian) => Some(debian),
        }
    }

    /// The `cargo-clippy` of the compiler, if it is not cargo's own: a clippy reads only what its own compiler has built.
    pub(crate) fn clippy(&self) -> Option<PathBuf> {
        self.debian().map(DebianCompiler::cargo_clippy)
    }

    /// Tells a command of cargo for which target, with which compiler and how to link.
    pub(crate) fn configure(&self, cargo: &mut Command) {
        cargo.args(["--target", TARGET]).env("CARGO_ENCODED_RUSTFLAGS", self.rustflags());
        match &self.compiler {
            Compiler::Installed { .. } => cargo.env("RUSTC", rustc_program()),
            // Building the standard library is unstable in cargo's eyes.
            Compiler::Debian(debian) => {
                cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC", debian.rustc()).env("RUSTC_BOOTSTRAP", "1")
            }
        };
    }

    /// Separated as cargo wants it, so that paths may hold spaces.
    fn rustflags(&self) -> OsString {
        let mut flags = OsString::from("-Clinker=");
        flags.push(&self.component_linker);
        flags.push("\x1f-Clink-arg=--wasm-ld-path=");
        flags.push(&self.wasm_linker);
        flags.push("\x1f-Clink-arg=--wasi-adapter=none");
        flags
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.compiler {
            Compiler::Installed { sysroot } => write!(formatter, "the Rust toolchain in {}", sysroot.display()),
            Compiler::Debian(debian) => write!(formatter, "Debian's Rust compiler in {}", debian.folder().display()),
        }
    }
}

/// What the Rust toolchain's compiler answers.
fn rustc(workspace: &Path, arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new(rustc_program());
    command.args(arguments).current_dir(workspace);
    let output = command.output().map_err(|source| Error::start(&command, source))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(Error::failed(&command, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The Rust toolchain's compiler. In a build script that is the one that cargo uses.
fn rustc_program() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}
