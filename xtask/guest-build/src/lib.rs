//! Builds WebAssembly guests (components of the worlds in `wit/`) from source.
//!
//! Used by the gateway's build script for the bundled components, and by tests for guests of their own:
//!
//! ```no_run
//! # fn build(workspace: &std::path::Path) -> Result<(), guest_build::Error> {
//! let toolchain = guest_build::Toolchain::find(workspace)?;
//! for guest in guest_build::build(&toolchain, &workspace.join("components"), &workspace.join("target/components"))? {
//!     println!("{}: {}", guest.name, guest.component.display());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Guests are built for `wasm32-unknown-unknown`, so that they import nothing but what they use of `wit/`, and linked
//! by the Rust toolchain's own `wasm-component-ld`, so that what cargo writes is the finished component.
//!
//! [`Compiler`] alone finds what compiles for a target, and serves for building the gateway for Windows too.

mod build;
mod compiler;
mod debian;
mod environment;
mod error;
mod target;
mod toolchain;

pub use build::{Guest, build, build_projects, crates, lint, sources};
pub use compiler::Compiler;
pub use debian::DebianCompiler;
pub use error::Error;
pub use target::Target;
pub use toolchain::Toolchain;
