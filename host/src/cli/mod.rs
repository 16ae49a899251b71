//! The command line: one file per sub-command.

pub mod args;
mod check;
mod demo;
mod fault;
mod plan;
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
        None => run::run(&arguments.flags()).map(done),
        Some(Command::Check) => check::run(&arguments.flags()).map(done),
        Some(Command::Plan(plan)) => plan::run(&arguments.flags(), plan),
        Some(Command::Demo(demo)) => demo::run(&arguments.flags(), demo).map(done),
        Some(Command::Simulate(simulate)) => simulate::run(&arguments.flags(), simulate).map(done),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Not through the log, which may be off or not begun.
            eprintln!("gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}
