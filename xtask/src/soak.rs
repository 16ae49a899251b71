//! `cargo xtask soak`: the fault suite's random part, for as long as wanted.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cargo::cargo;
use crate::setup;

/// Runs it. What it is told goes to the test by environment variables.
pub(crate) fn run(workspace: &Path, arguments: &[String]) -> Result<()> {
    let variables = parse(arguments)?;
    setup::set_up(workspace)?;
    setup::companions::install();
    let test = ["test", "--locked", "--package", "spectacles-gateway", "--test", "faults"];
    let mut command = cargo(workspace, &test).args(&["--", "--ignored", "--exact", "--nocapture", "soak::soak"]);
    for (name, value) in variables {
        command = command.env(name, value);
    }
    command.replace()
}

/// The variables that the arguments stand for.
fn parse(arguments: &[String]) -> Result<Vec<(&'static str, String)>> {
    let mut variables = Vec::new();
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().with_context(|| format!("{flag} needs a value\n\n{USAGE}"))?;
        let (name, is_valid) = match flag.as_str() {
            "--minutes" => ("SOAK_MINUTES", value.parse::<f64>().is_ok_and(|minutes| minutes > 0.0)),
            "--seed" => ("FAULT_SEED", value.parse::<u64>().is_ok()),
            "--broker" => ("SOAK_BROKER", ["redis", "amqp", "stdio"].contains(&value.as_str())),
            unknown => bail!("there is no flag {unknown}\n\n{USAGE}"),
        };
        if !is_valid {
            bail!("{flag} {value} is not understood\n\n{USAGE}");
        }
        variables.push((name, value.clone()));
    }
    Ok(variables)
}

const USAGE: &str = "\
Usage: cargo xtask soak [--minutes N] [--seed S] [--broker redis|amqp|stdio]

N may have a fraction, and is 1 by default; the seed is one of chance, which is printed; the broker is redis.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Vec<(&'static str, String)>> {
        parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn each_flag_is_a_variable() {
        let variables = parsed("--minutes 2.5 --seed 7 --broker amqp").unwrap();
        let text = |name, value: &str| (name, value.to_owned());
        assert_eq!(variables, [text("SOAK_MINUTES", "2.5"), text("FAULT_SEED", "7"), text("SOAK_BROKER", "amqp")]);
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_the_usage() {
        for line in ["--minutes", "--minutes 0", "--seed x", "--broker kafka", "--for 3"] {
            assert!(parsed(line).unwrap_err().to_string().contains("Usage"), "{line}");
        }
    }
}
