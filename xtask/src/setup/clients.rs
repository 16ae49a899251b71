//! What the tests with other people's clients run on: Node.js with npm, and Python with venv.

use std::process::{Command, Stdio};

use super::apt;

/// Each with a call that works where it is installed, and Debian's package.
const PROGRAMS: [(&str, &[&str], &str); 3] = [
    ("node", &["--version"], "nodejs"),
    ("npm", &["--version"], "npm"),
    ("python3", &["-m", "ensurepip", "--version"], "python3-venv"),
];

/// Installs what is missing, where Debian's packages can be had. Elsewhere the tests themselves say what they miss.
pub(crate) fn install() {
    let missing: Vec<_> =
        PROGRAMS.iter().filter(|(program, call, _)| !works(program, call)).map(|(_, _, package)| *package).collect();
    if missing.is_empty() {
        return;
    }
    eprintln!("installing {} for the tests with other people's clients", missing.join(", "));
    if let Err(error) = apt::install(&missing) {
        eprintln!("that failed: {error:#}");
    }
}

fn works(program: &str, call: &[&str]) -> bool {
    let status =
        Command::new(program).args(call).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
