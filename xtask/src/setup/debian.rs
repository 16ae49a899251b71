//! Debian's Rust compiler, with the standard library's source, unpacked beside the project's build output.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use guest_build::DebianCompiler;

use super::apt;

/// Downloads and unpacks the compiler. Its folder appears as a whole, or not at all.
pub(crate) fn unpack(compiler: &DebianCompiler) -> Result<()> {
    apt::ensure_present()?;
    remove_leftovers(compiler.folder())?;
    let unfinished = compiler.folder().with_extension(format!("{UNFINISHED}{}", std::process::id()));
    unpack_packages(find_packages, &unfinished.join("archives"), &unfinished)?;
    remove_unused(&unfinished)?;
    write_script(&unfinished, DebianCompiler::RUSTC)?;
    check(&unfinished.join(DebianCompiler::RUSTC))?;
    fs::rename(&unfinished, compiler.folder())
        .with_context(|| format!("cannot move the compiler to {}", compiler.folder().display()))
}

/// Downloads the compiler's clippy (4 MB) and unpacks it beside it, if it is not there yet.
pub(crate) fn add_clippy(compiler: &DebianCompiler) -> Result<()> {
    let folder = compiler.folder();
    if !compiler.cargo_clippy().is_file() {
        unpack_packages(|| Ok(vec![CLIPPY.into()]), &folder.join("archives"), folder)?;
        remove_unused(folder)?;
        write_script(folder, DebianCompiler::CARGO_CLIPPY)?;
    }
    // Debian may have replaced the compiler since it was unpacked.
    let fits = version(&compiler.cargo_clippy()).map(drop);
    fits.with_context(|| format!("remove {} to get a compiler and a clippy that fit", folder.display()))
}

/// Downloads packages into the folder `archives`, and unpacks them into `root`.
fn unpack_packages(find: impl Fn() -> Result<Vec<String>>, archives: &Path, root: &Path) -> Result<()> {
    if let Err(error) = download(&find, archives) {
        // The lists of packages are empty, or name versions that Debian has replaced since.
        apt::update().with_context(|| format!("{error:#}"))?;
        download(&find, archives)?;
    }
    entries(archives)?.iter().try_for_each(|archive| apt::unpack(archive, root))
}

/// Downloads packages into a folder that holds nothing else.
fn download(find: impl Fn() -> Result<Vec<String>>, archives: &Path) -> Result<()> {
    let packages = find()?;
    remove(archives)?;
    fs::create_dir_all(archives).with_context(|| format!("cannot create {}", archives.display()))?;
    eprintln!("downloading {}", packages.join(" "));
    apt::download(&packages, archives)
}

/// Removes what an interrupted run has left. A program that it had started may still be writing there, so it is a
/// folder that no later run uses, and one that cannot be removed now does no harm.
fn remove_leftovers(folder: &Path) -> Result<()> {
    for entry in entries(folder.parent().context("the compiler's folder is in no other")?)? {
        if entry.extension().is_some_and(|extension| extension.to_string_lossy().starts_with(UNFINISHED)) {
            let _ = fs::remove_dir_all(entry);
        }
    }
    remove(folder)
}

/// The packages of the compiler, of its standard library as source and of the libraries that it needs. The names of
/// some hold versions.
fn find_packages() -> Result<Vec<String>> {
    let library = depended_on(STANDARD_LIBRARY, "libstd-rust-web-")?;
    let llvm = depended_on(&library, "libllvm")?;
    let mut packages = vec!["rustc-web".into(), "rust-web-src".into(), STANDARD_LIBRARY.into(), library];
    packages.extend(apt::with_missing_dependencies(&llvm)?);
    Ok(packages)
}

fn depended_on(package: &str, prefix: &str) -> Result<String> {
    let dependencies = apt::dependencies(package)?;
    let found = dependencies.into_iter().find(|name| name.starts_with(prefix));
    found.ok_or_else(|| anyhow!("this Debian has no package {package} that depends on {prefix}*"))
}

/// Of the compiler's source only the standard library is needed.
fn remove_unused(root: &Path) -> Result<()> {
    remove(&root.join("archives"))?;
    for release in entries(&root.join("usr/src"))? {
        for folder in entries(&release)?.into_iter().filter(|entry| entry.is_dir() && !entry.ends_with("library")) {
            fs::remove_dir_all(folder)?;
        }
    }
    remove(&root.join("usr/share"))
}

/// Writes the script that runs a program of the compiler with the libraries beside it. It works from wherever its folder
/// stands.
fn write_script(root: &Path, program: &str) -> Result<()> {
    let libraries = entries(&root.join("usr/lib"))?.into_iter().find(|folder| holds_compiler(folder));
    let libraries = libraries.context("the packages hold no compiler")?;
    let libraries = libraries.strip_prefix(root)?.display().to_string();
    let path = root.join(program);
    fs::write(&path, SCRIPT.replace("LIBRARIES", &libraries).replace("PROGRAM", program))?;
    make_executable(&path)
}

fn holds_compiler(folder: &Path) -> bool {
    let is_driver =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("librustc_driver"));
    folder.is_dir() && entries(folder).is_ok_and(|files| files.iter().any(is_driver))
}

/// The compiler must run, and be no older than what the guests' crates ask for.
fn check(rustc: &Path) -> Result<()> {
    let version = version(rustc)?;
    let needed = env!("CARGO_PKG_RUST_VERSION");
    ensure!(
        major_and_minor(&version) >= major_and_minor(needed),
        "Debian's compiler is {version}, and {needed} is needed: add Debian's security updates to apt's sources"
    );
    Ok(())
}

/// What an unpacked program says of itself. It fails if the program does not run.
fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
    let version = said.split_whitespace().nth(1).filter(|_| output.status.success());
    version.map(str::to_owned).with_context(|| format!("{} does not run: {}", program.display(), said.trim()))
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let (major, rest) = version.split_once('.')?;
    let minor = rest.split_once('.').map_or(rest, |(minor, _)| minor);
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
    listing.map(|entry| Ok(entry?.path())).collect()
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<()> {
    Ok(())
}

const STANDARD_LIBRARY: &str = "libstd-rust-web-dev";
const CLIPPY: &str = "rust-web-clippy";

/// How the extension of an unfinished folder starts; the number of the process follows.
const UNFINISHED: &str = "part-";

const SCRIPT: &str = r#"#!/bin/sh
root=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH="$root/LIBRARIES${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$root/usr/bin/PROGRAM" "$@"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(major_and_minor("1.100.0") > major_and_minor("1.95"));
        assert!(major_and_minor("1.95.0-beta.2") == major_and_minor("1.95"));
        assert!(major_and_minor("1.85.0") < major_and_minor("1.95"));
        assert!(major_and_minor("unknown") < major_and_minor("1.95"));
    }

    #[test]
    fn what_an_interrupted_run_has_left_is_removed() {
        let workspace = std::env::temp_dir().join(format!("xtask-setup-{}", std::process::id()));
        let compiler = DebianCompiler::of(&workspace);
        let leftover = compiler.folder().with_extension("part-1");
        fs::create_dir_all(&leftover).unwrap();
        fs::create_dir_all(compiler.folder().join("usr")).unwrap();
        assert!(!compiler.is_unpacked());

        remove_leftovers(compiler.folder()).unwrap();
        assert!(!leftover.exists() && !compiler.folder().exists());
        fs::remove_dir_all(&workspace).unwrap();
    }
}
