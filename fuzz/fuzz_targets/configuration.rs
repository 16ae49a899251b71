//! Configuration: a file, a line `---`, and lines `NAME=value` of the environment. It ends as a configuration or as errors, and
//! no secret is in what is shown of either.
#![no_main]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use gateway_fuzz::config::{Config, Environment, Flags};
use libfuzzer_sys::fuzz_target;

/// No input has it by itself.
const SECRET: &str = "Zk9-hunter2-Q7x";

struct Variables(BTreeMap<String, String>);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.0.get(name).map(OsString::from)
    }
}

fuzz_target!(|input: &str| {
    if input.contains(SECRET) {
        return;
    }
    let (file, environment) = input.split_once("\n---\n").unwrap_or((input, ""));
    let lines = environment.lines().filter_map(|line| line.split_once('='));
    let mut variables = Variables(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    hide_secrets(&mut variables.0);
    let files = |path: &Path| match path.to_str() {
        Some("gateway.toml") => Ok(file.to_owned()),
        Some("token") => Ok(SECRET.to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    match Config::load(&Flags::default(), &variables, &files) {
        Ok(loaded) => {
            loaded.warnings.iter().for_each(|warning| check_line(&warning.to_string()));
            check_secrets(&format!("{:?}", loaded.config));
            let effective = loaded.config.effective();
            check_secrets(&effective);
            let again = |_: &Path| Ok(effective.clone());
            if let Err(errors) = Config::load(&Flags::default(), &variables, &again) {
                panic!("the effective configuration is none: {errors}\n{effective}");
            }
        }
        Err(errors) => {
            assert!(!errors.problems().is_empty());
            errors.problems().iter().for_each(|problem| check_line(&problem.to_string()));
            check_secrets(&format!("{errors} {errors:?}"));
        }
    }
});

/// Puts the secret where the gateway expects one. What is given for these variables stands around it.
fn hide_secrets(variables: &mut BTreeMap<String, String>) {
    let token = variables.entry("DISCORD_TOKEN".into()).or_default();
    *token = format!("{SECRET}{token}");
    for (name, scheme, user) in [("AMQP_URL", "amqp", "user"), ("REDIS_URL", "redis", "")] {
        if let Some(url) = variables.get_mut(name) {
            *url = format!("{scheme}://{user}:{SECRET}{url}");
        }
    }
}

fn check_line(problem: &str) {
    assert!(!problem.trim().is_empty() && !problem.contains(['\n', '\r']), "not one line: {problem:?}");
    check_secrets(problem);
}

fn check_secrets(shown: &str) {
    assert!(!shown.contains(SECRET), "a secret is shown: {shown}");
}
