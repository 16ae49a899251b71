//! The environment over the file.

use super::environment::Environment;
use super::error::{Place, Problem, Report};
use super::file::Values;
use super::schema::{Form, KEYS, Key};
use super::value::{Given, Value};

/// Puts what the environment gives over `values`. An empty variable counts as unset.
pub(super) fn overlay(values: &mut Values, environment: &dyn Environment, report: &mut Report) {
    for key in KEYS {
        let set = key.variables.iter().filter_map(|variable| read(key, variable, environment, report));
        if let Some(given) = set.collect::<Vec<_>>().into_iter().next() {
            values.insert(key.name, given);
        }
    }
}

fn read(key: &Key, variable: &'static str, environment: &dyn Environment, report: &mut Report) -> Option<Given> {
    let place = Place::Variable(variable);
    let text = environment.variable(variable).filter(|text| !text.is_empty())?;
    let Ok(text) = text.into_string() else {
        report.error(Problem::at(&place, format!("{} is not UTF-8 text", key.name)));
        return None;
    };
    let value = match key.form {
        Form::Text | Form::FileOnly => Value::Text(text),
        // What is no number or boolean is kept, and refused where it is needed.
        Form::Integer => text.trim().parse().map_or(Value::Text(text), Value::Integer),
        Form::Boolean => match text.trim().to_lowercase().as_str() {
            "true" | "1" => Value::Boolean(true),
            "false" | "0" => Value::Boolean(false),
            _ => Value::Text(text),
        },
        Form::List => Value::List(split(&text, &place)),
        Form::Json => match serde_json::from_str(&text) {
            Ok(json) => return Some(Given::from_json(json, &place)),
            Err(error) => {
                report.error(Problem::at(&place, format!("{} is not JSON: {error}", key.name)));
                return None;
            }
        },
    };
    Some(Given { value, place })
}

fn split(text: &str, place: &Place) -> Vec<Given> {
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| Given { value: Value::Text(entry.to_owned()), place: place.clone() })
        .collect()
}
