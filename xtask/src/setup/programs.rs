//! Programs that the tests run beside the gateway: Node.js with npm and Python with venv for other people's clients, and the
//! brokers' servers.

use std::process::{Command, Stdio};

use super::apt;

/// Each with a call that works where it is installed, and Debian's package.
const PROGRAMS: [(&str, &[&str], &str); 5] = [
    ("node", &["--version"], "nodejs"),
    ("npm", &["--version"], "npm"),
    ("python3", &["-m", "ensurepip", "--version"], "python3-venv"),
    ("redis-server", &["--version"], "redis-server"),
    // What Debian has in the PATH works for root and one other user only.
    ("sh", &["-c", "test -x /usr/lib/rabbitmq/bin/rabbitmq-server || command -v rabbitmq-server"], "rabbitmq-server"),
];

/// Installs what is missing, where Debian's packages can be had. Elsewhere the tests themselves say what they miss.
pub(crate) fn install() {
    let missing: Vec<_> =
        PROGRAMS.iter().filter(|(program, call, _)| !works(program, call)).map(|(_, _, package)| *package).collect();
    if missing.is_empty() {
        return;
    }
    let missing_names = missing.join(" ");
    eprintln!("installing what the tests run: {missing_names}");
    if let Err(error) = apt::install(&missing) {
        eprintln!("that failed: {error:#}\nInstall it yourself: `sudo apt-get install {missing_names}`");
    }
}

fn works(program: &str, call: &[&str]) -> bool {
    let status =
        Command::new(program).args(call).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
