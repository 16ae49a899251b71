//! Tests of the whole way from text to [`Config`].

mod brokers;
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
        Some("ca.pem") => Ok(CERTIFICATE.to_owned()),
        Some("empty.pem") => Ok("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned()),
        Some("broken.pem") => Ok(CERTIFICATE.replace("MIIB", "AAAA")),
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

/// A certificate that signed itself.
const CERTIFICATE: &str = "A text before it is a comment.
-----BEGIN CERTIFICATE-----
MIIBcDCCARegAwIBAgIULGqHO9OylEzx/Aj7soVcXz4xAFUwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMTI1MTEzMzUzWhgPMjEyNjExMDExMTMzNTNa
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgOpApjlP
/Y2EAW2x6vaFBpBHQvmbbY1wQw99rUVHyovJrvR7j7DGs0tOV9+Qdjv3tuFdm51C
bBNFPdSyxhaW2KNTMFEwHQYDVR0OBBYEFL8JXL8DRUxA+Q1fvIk6ubY/6n1UMB8G
A1UdIwQYMBaAFL8JXL8DRUxA+Q1fvIk6ubY/6n1UMA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDRwAwRAIgMySMCo8nSQWodtOZpmKUPpVOELgisC6VXkhY1puV
umMCIGFuyDFjefT2CQEqLxvBZ3+IdJoJgV3kYwUlfdRFcy/3
-----END CERTIFICATE-----
";
