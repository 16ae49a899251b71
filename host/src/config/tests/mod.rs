//! Tests of the whole way from text to [`Config`].

mod effective;
mod eras;
mod errors;
mod keys;
mod token;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::*;

/// Loads a file and an environment that has a token beside what is given.
fn load(file: &str, variables: &[(&'static str, &'static str)]) -> Result<Loaded, ConfigErrors> {
    let mut environment = BTreeMap::from([("DISCORD_TOKEN", "test.token")]);
    environment.extend(variables.iter().copied());
    load_exactly(file, &environment)
}

fn load_exactly(file: &str, environment: &BTreeMap<&str, &str>) -> Result<Loaded, ConfigErrors> {
    Config::load(&Flags::default(), environment, &only_gateway_toml(file))
}

fn only_gateway_toml(text: &str) -> impl Fn(&Path) -> io::Result<String> {
    move |path| match path.to_str() {
        Some("gateway.toml") => Ok(text.to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The configuration of a file that is fine.
fn config(file: &str) -> Config {
    load(file, &[]).unwrap().config
}

/// The configuration of variables that are fine.
fn config_of(variables: &[(&'static str, &'static str)]) -> Config {
    load("", variables).unwrap().config
}

/// The lines that tell what is wrong with a file.
fn errors(file: &str) -> Vec<String> {
    errors_of(file, &[])
}

fn errors_of(file: &str, variables: &[(&'static str, &'static str)]) -> Vec<String> {
    match load(file, variables) {
        Ok(_) => panic!("accepted: {file} {variables:?}"),
        Err(errors) => errors.problems().iter().map(ToString::to_string).collect(),
    }
}

/// The warnings of a file that is fine, without the one for an empty list of events.
fn warnings(file: &str) -> Vec<String> {
    let warnings = load(file, &[]).unwrap().warnings;
    warnings.iter().map(ToString::to_string).filter(|warning| !warning.contains("NOTHING IS PUBLISHED")).collect()
}
