//! The gateway's binary.

use std::process::ExitCode;

use spectacles_gateway::cli::{self, args::Arguments};

fn main() -> ExitCode {
    cli::main(&Arguments::from_process())
}
