use std::path::{Path, PathBuf};

/// Debian's own Rust compiler, unpacked into the project's target folder.
///
/// Where rustup cannot bring a target, this compiler builds the standard library for it from source. It is
/// never installed: its packages conflict with rustup's.
#[derive(Debug, Clone)]
pub struct DebianCompiler {
    folder: PathBuf,
}

impl DebianCompiler {
    /// The one that belongs to the workspace in `workspace`, unpacked or not.
    #[must_use]
    pub fn of(workspace: &Path) -> Self {
        Self { folder: workspace.join("target").join("guest-toolchain") }
    }

    /// Whether it has been unpacked. The folder appears as a whole, so what is there is complete.
    #[must_use]
    pub fn is_unpacked(&self) -> bool {
        self.rustc().is_file()
    }

    /// The folder that it is unpacked into.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The compiler: a script that lets the unpacked one find its libraries.
    #[must_use]
    pub fn rustc(&self) -> PathBuf {
        self.folder.join(Self::RUSTC)
    }

    /// Its clippy as cargo runs it, once it has been unpacked, which only linting asks for.
    #[must_use]
    pub fn cargo_clippy(&self) -> PathBuf {
        self.folder.join(Self::CARGO_CLIPPY)
    }

    /// The compiler's name in its folder.
    pub const RUSTC: &str = "rustc";

    /// The name of its clippy there.
    pub const CARGO_CLIPPY: &str = "cargo-clippy";
}
