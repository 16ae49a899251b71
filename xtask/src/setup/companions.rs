//! What the tests run beside the gateway: Node.js with npm and Python with venv for other people's clients, and the brokers'
//! servers.

use super::programs::{self, Program};

const PROGRAMS: [Program; 5] = [
    Program { name: "node", call: &["--version"], package: "nodejs" },
    Program { name: "npm", call: &["--version"], package: "npm" },
    Program { name: "python3", call: &["-m", "ensurepip", "--version"], package: "python3-venv" },
    Program { name: "redis-server", call: &["--version"], package: "redis-server" },
    // What Debian has in the PATH works for root and one other user only.
    Program {
        name: "sh",
        call: &["-c", "test -x /usr/lib/rabbitmq/bin/rabbitmq-server || command -v rabbitmq-server"],
        package: "rabbitmq-server",
    },
];

/// Installs what is missing, where Debian's packages can be had. Elsewhere the tests themselves say what they miss.
pub(crate) fn install() {
    if let Err(error) = programs::install(&PROGRAMS, "the tests") {
        eprintln!("{error:#}\nInstall them yourself, with `sudo apt-get install`");
    }
}
