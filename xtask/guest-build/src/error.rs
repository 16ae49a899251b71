use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::Target;

/// Why guests cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No compiler for a target.
    #[error("the Rust target {target} is missing: run `cargo xtask setup` once")]
    MissingTarget {
        /// For which.
        target: Target,
    },
    /// The Rust toolchain comes without the linker for components.
    #[error(
        "the Rust toolchain in {} has no `wasm-component-ld` or no `wasm-ld`: use a toolchain of rustup, which has both",
        .sysroot.display()
    )]
    MissingLinker {
        /// Where the toolchain is.
        sysroot: PathBuf,
    },
    /// A program could not be started.
    #[error("cannot run `{program}`")]
    Start {
        /// The program.
        program: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program failed. It has said why on STDERR.
    #[error("`{program}` failed ({status})")]
    Failed {
        /// The program and its first argument.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A guest's crate was built, and left no component.
    #[error(
        "{} was not built: its folder must be named as its crate, be a member of the workspace beside it, and have \
         crate-type = [\"cdylib\"]",
        .guest.display()
    )]
    NoComponent {
        /// The folder of the guest's crate.
        guest: PathBuf,
    },
}

impl Error {
    pub(crate) fn start(command: &Command, source: std::io::Error) -> Self {
        Self::Start { program: command.get_program().to_string_lossy().into_owned(), source }
    }

    pub(crate) fn failed(command: &Command, status: ExitStatus) -> Self {
        let program = Path::new(command.get_program()).file_name().unwrap_or_default();
        let words: Vec<_> = std::iter::once(program).chain(command.get_args().take(1)).collect();
        Self::Failed { program: words.join(" ".as_ref()).to_string_lossy().into_owned(), status }
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}
