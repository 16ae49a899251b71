//! What holds for every crate of the project.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test, as it should")]

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_crate_inherits_the_lints_of_its_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut checked = 0;
    for manifest in manifests(&root) {
        let text = fs::read_to_string(&manifest).unwrap();
        let is_by_itself = text.contains("\n[workspace]");
        if text.contains("[package]") && !is_by_itself {
            assert!(
                text.contains("[lints]\nworkspace = true\n"),
                "{} needs `[lints] workspace = true`",
                manifest.display()
            );
            checked += 1;
        }
    }
    assert!(checked >= 8, "found only {checked} crates");
}

/// All manifests below `folder`, other than those of build output.
fn manifests(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            found.extend(manifests(&path));
        } else if name == "Cargo.toml" {
            found.push(path);
        }
    }
    found
}
