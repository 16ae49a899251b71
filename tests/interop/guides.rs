//! What the manual says of brokers is so: tests and figures that it names exist.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_shows_a_fault_away_exists() {
    let text = manual("faults.md");
    let tests: Vec<(&str, &str)> = code(&text).filter_map(|code| code.split_once("::")).collect();
    assert!(tests.len() > 35, "there are fewer tests than faults: {}", tests.len());
    for (file, name) in tests {
        let source = read(&Path::new("..").join(file));
        let test = source.split("test]\n").skip(1).any(|rest| is_test(rest, name));
        assert!(test, "docs/faults.md: {file} has no test {name}");
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
    for guide in ["amqp.md", "redis.md", "migration.md", "faults.md"] {
        let text = manual(guide);
        for figure in code(&text).filter(|code| code.starts_with("gateway_")) {
            let family = figure.split('{').next().unwrap();
            let is_setting = family == "gateway_version";
            assert!(is_setting || known.contains(&format!("`{family}`")), "docs/{guide} names {family}");
        }
    }
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

fn manual(name: &str) -> String {
    read(&Path::new("../docs").join(name))
}

/// A file, from the folder of the tests.
fn read(path: &Path) -> String {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
