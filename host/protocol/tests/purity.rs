//! The crate knows no clock, no socket, no runtime and no randomness of the system.

use std::path::{Path, PathBuf};

#[test]
fn sources_take_time_and_chance_from_their_caller() {
    let banned = [
        "SystemTime",
        "std::net",
        "std::thread",
        "std::fs",
        "tokio",
        "Rng::new",
        "fastrand::u",
        "fastrand::f64",
        "RandomState",
        "HashMap",
        "HashSet",
        "unsafe",
    ];
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20, "the sources were found");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (code, _tests) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for word in banned.into_iter().chain(["Instant::now"]) {
            assert!(!code.contains(word), "{} uses {word}", file.display());
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            files.push(path);
        }
    }
}
