//! Builds the bundled components from source, and lists them for `component::bundled`.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use guest_build::Error::{MissingLinker, MissingTarget};
use guest_build::Toolchain;

fn main() -> ExitCode {
    let Err(error) = bundle() else { return ExitCode::SUCCESS };
    if let Some(MissingTarget { .. } | MissingLinker { .. }) = error.downcast_ref() {
        // Cargo shows such a line by itself, without all that the script has printed.
        println!("cargo::error={error}");
        return ExitCode::SUCCESS;
    }
    let mut cause = Some(&*error as &dyn Error);
    while let Some(error) = cause {
        eprintln!("error: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}

fn bundle() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().ok_or("the host's folder must be inside the workspace")?;
    let output = PathBuf::from(std::env::var("OUT_DIR")?);
    let components = workspace.join("components");

    watch(&workspace.join("wit"));
    guest_build::sources(&components)?.iter().for_each(|source| watch(source));
    let toolchain = Toolchain::find(workspace)?;
    watch(&toolchain.marker());

    // A folder of its own: cargo has locked the one that the host is built into.
    let mut list = String::from("static BUNDLED: &[(&str, &[u8])] = &[\n");
    for guest in guest_build::build(&toolchain, &components, &workspace.join("target").join("components"))? {
        let file = format!("{}.wasm", guest.name);
        std::fs::copy(&guest.component, output.join(&file))?;
        writeln!(
            list,
            "    ({:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), {:?}))),",
            guest.name,
            format!("/{file}")
        )?;
    }
    list.push_str("];\n");
    Ok(std::fs::write(output.join("bundled.rs"), list)?)
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
