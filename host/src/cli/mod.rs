//! The command line: one file per sub-command.

pub mod args;
mod check;
mod demo;
mod fault;
mod process;
mod run;
mod simulate;
mod world;

use std::process::ExitCode;

use args::{Arguments, Command};

/// Does what the command line says.
#[must_use]
pub fn main(arguments: &Arguments) -> ExitCode {
    let outcome = match &arguments.command {
        None => run::run(&arguments.flags()),
        Some(Command::Check) => check::run(&arguments.flags()),
        Some(Command::Demo(demo)) => demo::run(&arguments.flags(), demo),
        Some(Command::Simulate(simulate)) => simulate::run(&arguments.flags(), simulate),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not through the log, which may be off or not begun.
            eprintln!("gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}
