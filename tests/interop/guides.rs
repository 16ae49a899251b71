//! What the manual names exists: tests, fuzz targets, figures and lines of the log.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_test_that_shows_a_fault_away_or_a_guarantee_exists() {
    for page in ["faults.md", "guarantees.md"] {
        let text = manual(page);
        let tests: Vec<(&str, &str)> = code(&text).filter_map(|code| code.split_once("::")).collect();
        assert!(tests.len() > 35, "docs/{page} names only {} tests", tests.len());
        for (file, name) in tests {
            let source = read(&Path::new("..").join(file));
            assert!(has_test(&source, name), "docs/{page}: {file} has no test {name}");
        }
    }
}

#[test]
fn every_guarantee_has_its_proof() {
    let text = manual("guarantees.md");
    let (guarantees, _) = text.split_once("## What cannot hold").unwrap();
    let is_head = |row: &&str| row.starts_with("| What holds") || row.starts_with("| ---");
    let rows: Vec<&str> = guarantees.lines().filter(|line| line.starts_with("| ") && !is_head(line)).collect();
    assert!(rows.len() > 30, "{rows:?}");
    for row in rows {
        assert!(row.contains(".rs::"), "no test shows this: {row}");
    }
}

#[test]
fn every_fuzz_target_is_named_with_what_it_proves_and_has_its_seeds() {
    let text = manual("guarantees.md");
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let targets = rows.filter_map(|row| Some(row.split_once("fuzz target")?.1)).flat_map(code);
    let named: BTreeSet<String> = targets.map(str::to_owned).collect();
    assert_eq!(named, files("../fuzz/fuzz_targets"));
    for target in &named {
        let seeds = files(&format!("../fuzz/corpus/{target}")).len();
        assert!((10..=20).contains(&seeds), "{target} has {seeds} seeds");
    }
}

#[test]
fn every_fault_has_its_row() {
    let text = manual("faults.md");
    let numbers: Vec<u32> =
        text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(' ')?.0.parse().ok()).collect();
    assert_eq!(numbers, (1..=35).collect::<Vec<_>>());
}

#[test]
fn every_figure_that_a_guide_names_exists() {
    let known = manual("metrics.md");
    for guide in ["amqp.md", "redis.md", "migration.md", "faults.md", "guarantees.md", "operations.md"] {
        let text = manual(guide);
        for figure in code(&text).filter(|code| code.starts_with("gateway_")) {
            let family = figure.split('{').next().unwrap();
            let is_setting = family == "gateway_version";
            assert!(is_setting || known.contains(&format!("`{family}`")), "docs/{guide} names {family}");
        }
    }
}

#[test]
fn every_line_of_the_log_that_an_operator_looks_for_is_written() {
    let text = manual("operations.md");
    let lines: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("- Log: `")?.split_once('`')).map(|(line, _)| line).collect();
    assert!(lines.len() > 12, "{lines:?}");
    let sources = sources(Path::new("../host/src"));
    for line in lines {
        assert!(sources.contains(line), "docs/operations.md: nobody writes `{line}`");
    }
}

/// Whether it has a test of that name.
fn has_test(source: &str, name: &str) -> bool {
    source.split("test]\n").skip(1).any(|rest| is_test(rest, name))
}

/// Whether what follows a test's attribute is the function of that name, perhaps behind further attributes.
fn is_test(rest: &str, name: &str) -> bool {
    let function = rest.lines().find(|line| !line.trim_start().starts_with(['#', '/'])).unwrap_or_default();
    function.split_once("fn ").is_some_and(|(_, function)| function.split('(').next() == Some(name))
}

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The names of a folder's entries, without their endings. The path is from the folder of the tests.
fn files(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// All Rust sources of a folder, with texts that are broken over lines in one piece.
fn sources(folder: &Path) -> String {
    let absolute = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests")).join(folder);
    let mut all = String::new();
    for entry in fs::read_dir(&absolute).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let pieces = text.split("\\\n").enumerate();
            all.extend(pieces.map(|(number, piece)| if number == 0 { piece } else { piece.trim_start() }));
        }
    }
    all
}

fn manual(name: &str) -> String {
    read(&Path::new("../docs").join(name))
}

/// A file, from the folder of the tests.
fn read(path: &Path) -> String {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
