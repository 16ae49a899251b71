use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compiler::{ask_toolchain, toolchain_rustc};
use crate::{Compiler, DebianCompiler, Error, Target};

/// What builds guests on this machine.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// The Rust toolchain's own compiler.
    rustc: OsString,
    compiler: Compiler,
    component_linker: PathBuf,
    wasm_linker: PathBuf,
}

impl Toolchain {
    /// Finds what can build guests for the workspace in `workspace`: a compiler, and the linkers of the Rust toolchain.
    ///
    /// # Errors
    /// Those of [`Compiler::find`]; [`Error::MissingLinker`] when the toolchain cannot link components.
    pub fn find(workspace: &Path) -> Result<Self, Error> {
        let compiler = Compiler::find(workspace, Target::Guests)?;
        let sysroot = PathBuf::from(ask_toolchain(workspace, &["--print", "sysroot"])?);
        let host = ask_toolchain(workspace, &["--print", "host-tuple"])?;
        let programs = sysroot.join("lib").join("rustlib").join(host).join("bin");
        let component_linker = programs.join(executable("wasm-component-ld"));
        let wasm_linker = programs.join("gcc-ld").join(executable("wasm-ld"));
        if !component_linker.is_file() || !wasm_linker.is_file() {
            return Err(Error::MissingLinker { sysroot });
        }
        Ok(Self { rustc: toolchain_rustc(workspace), compiler, component_linker, wasm_linker })
    }

    /// A path whose change means that guests must be built again.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        self.compiler.marker()
    }

    /// The compiler of Debian that was unpacked for the workspace, if guests are built with it.
    #[must_use]
    pub fn debian(&self) -> Option<&DebianCompiler> {
        self.compiler.debian()
    }

    /// The `cargo-clippy` of the compiler, if it is not cargo's own: a clippy reads only what its own compiler has built.
    pub(crate) fn clippy(&self) -> Option<PathBuf> {
        self.debian().map(DebianCompiler::cargo_clippy)
    }

    /// Tells a command of cargo for which target, with which compiler and how to link.
    pub(crate) fn configure(&self, cargo: &mut Command) {
        cargo.env("RUSTC", &self.rustc).env("CARGO_ENCODED_RUSTFLAGS", self.rustflags());
        self.compiler.configure(cargo);
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
        self.compiler.fmt(formatter)
    }
}

fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}
