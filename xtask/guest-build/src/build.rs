use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Target, Toolchain, environment};

/// A guest that has been built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The name of its crate, and of the crate's folder.
    pub name: String,
    /// The file that holds the component.
    pub component: PathBuf,
}

/// Builds all guests of the cargo workspace in `guests`, optimised, in alphabetical order.
///
/// Each folder in `guests` with a `Cargo.toml` is one guest; crates that guests share lie deeper. `target` takes cargo's
/// files. It must not be the folder that a running cargo, the caller's own, builds into, or both would wait for each
/// other.
///
/// # Errors
/// When cargo cannot be run or fails (it says why on STDERR), or a guest breaks the convention.
pub fn build(toolchain: &Toolchain, guests: &Path, target: &Path) -> Result<Vec<Guest>, Error> {
    build_folder(toolchain, guests, target)?;
    crates(guests)?.into_iter().map(|folder| find_component(folder, target)).collect()
}

/// Runs clippy over the cargo workspace in `guests`, for the guests' own target; a warning is an error. `target` is as for
/// [`build`], and what both need is built once.
///
/// # Errors
/// When clippy cannot be run or fails (it says why on STDERR).
pub fn lint(toolchain: &Toolchain, guests: &Path, target: &Path) -> Result<(), Error> {
    let mut clippy = Command::new(toolchain.clippy().unwrap_or_else(|| cargo_program().into()));
    clippy.arg("clippy");
    run(toolchain, clippy, guests, target, &["--", "-Dwarnings"])
}

fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs a command of cargo over the whole workspace.
fn run(toolchain: &Toolchain, mut cargo: Command, guests: &Path, target: &Path, last: &[&str]) -> Result<(), Error> {
    environment::clean(&mut cargo)
        .args(["--release", "--workspace", "--locked"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(guests)
        // A clippy that isn't started by cargo asks for it.
        .env("CARGO", cargo_program());
    toolchain.configure(&mut cargo);
    cargo.args(last);
    let status = cargo.status().map_err(|source| Error::start(&cargo, source))?;
    if status.success() { Ok(()) } else { Err(Error::failed(&cargo, status)) }
}

/// As [`build`], for guests that are no workspace: each folder in `projects` with a `Cargo.toml` is a cargo project by
/// itself, named as its crate.
///
/// # Errors
/// As [`build`].
pub fn build_projects(toolchain: &Toolchain, projects: &Path, target: &Path) -> Result<Vec<Guest>, Error> {
    let build = |project: PathBuf| {
        build_folder(toolchain, &project, target)?;
        find_component(project, target)
    };
    crates(projects)?.into_iter().map(build).collect()
}

/// The folders in `guests` with a `Cargo.toml`, in alphabetical order.
///
/// # Errors
/// When the folder cannot be read.
pub fn crates(guests: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut entries = entries(guests)?;
    entries.retain(|entry| entry.join("Cargo.toml").is_file());
    entries.sort();
    Ok(entries)
}

/// The files and folders that the guests in `guests` are made from, beside `wit/`: what a build script watches. Examples
/// are no part of them.
///
/// # Errors
/// When the folder cannot be read.
pub fn sources(guests: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut entries = entries(guests)?;
    entries.retain(|entry| !entry.ends_with("target") && !entry.ends_with("examples"));
    Ok(entries)
}

fn build_folder(toolchain: &Toolchain, folder: &Path, target: &Path) -> Result<(), Error> {
    let mut cargo = Command::new(cargo_program());
    cargo.arg("build");
    run(toolchain, cargo, folder, target, &[])
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let listing = folder.read_dir().map_err(|source| Error::read(folder, source))?;
    listing.map(|entry| entry.map(|entry| entry.path()).map_err(|source| Error::read(folder, source))).collect()
}

fn find_component(folder: PathBuf, target: &Path) -> Result<Guest, Error> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let component =
        target.join(Target::Guests.name()).join("release").join(name.replace('-', "_")).with_extension("wasm");
    if component.is_file() { Ok(Guest { name, component }) } else { Err(Error::NoComponent { guest: folder }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_without_a_component_is_an_error_that_names_its_folder() {
        let folder = empty_folder("no-component");
        let error = find_component(folder.join("my-filter"), &folder).unwrap_err();
        assert!(error.to_string().contains("my-filter"), "{error}");

        let release = folder.join(Target::Guests.name()).join("release");
        std::fs::create_dir_all(&release).unwrap();
        std::fs::write(release.join("my_filter.wasm"), "").unwrap();
        let guest = find_component(folder.join("my-filter"), &folder).unwrap();
        assert_eq!(guest.name, "my-filter");
    }

    #[test]
    fn only_folders_with_a_manifest_are_guests() {
        let guests = empty_folder("guests");
        for name in ["b-guest", "a-guest", "target"] {
            std::fs::create_dir(guests.join(name)).unwrap();
        }
        for name in ["b-guest", "a-guest"] {
            std::fs::write(guests.join(name).join("Cargo.toml"), "").unwrap();
        }
        assert_eq!(crates(&guests).unwrap(), [guests.join("a-guest"), guests.join("b-guest")]);
    }

    #[test]
    fn crates_shared_by_guests_are_watched_and_build_output_and_examples_are_not() {
        let guests = empty_folder("sources");
        for name in ["examples", "shared", "target"] {
            std::fs::create_dir(guests.join(name)).unwrap();
        }
        assert_eq!(sources(&guests).unwrap(), [guests.join("shared")]);
    }

    /// Crates that only tests need would change the features of crates that the host is built with.
    fn empty_folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("guest-build-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}
