//! Typed access to the keys of a table: each reader answers with the value, or reports what is wrong and answers `None`.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::choice::Choice;
use super::error::{Problem, Report};
use super::file::Values;
use super::nearest::did_you_mean;
use super::value::{Given, Value};
use super::{duration, size};

/// The values of the file and the environment, or of one of the file's inner tables.
pub(super) struct Scope<'a> {
    prefix: String,
    values: Values,
    pub(super) report: &'a mut Report,
}

impl<'a> Scope<'a> {
    /// `prefix` stands before the keys in errors.
    pub(super) fn new(prefix: impl Into<String>, values: Values, report: &'a mut Report) -> Self {
        Self { prefix: prefix.into(), values, report }
    }

    /// The key as errors show it.
    pub(super) fn shown(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The value as it was given; an empty text counts as not given.
    pub(super) fn given(&self, key: &str) -> Option<Given> {
        self.values.get(key).filter(|given| !given.is_empty()).cloned()
    }

    pub(super) fn error(&mut self, problem: Problem) {
        self.report.error(problem);
    }

    pub(super) fn warn(&mut self, given: &Given, message: impl Into<String>) {
        self.report.warn(Problem::at(&given.place, message));
    }

    /// Reports that a value is not what it should be.
    pub(super) fn refuse(&mut self, key: &str, given: &Given, fault: &str, accepted: &str) {
        let problem = given.problem(&self.shown(key), fault, accepted);
        self.report.error(problem);
    }

    pub(super) fn text(&mut self, key: &str, accepted: &str) -> Option<String> {
        let given = self.given(key)?;
        match &given.value {
            Value::Text(text) => Some(text.clone()),
            _ => {
                self.refuse(key, &given, "is not a text", accepted);
                None
            }
        }
    }

    /// A text that errors must not show.
    pub(super) fn secret(&mut self, key: &str, accepted: &str) -> Option<String> {
        let given = self.given(key)?;
        match given.value {
            Value::Text(text) => Some(text),
            _ => {
                let fault = format!("is {}", given.value.kind());
                let problem = given.secret_problem(&self.shown(key), &fault, accepted);
                self.report.error(problem);
                None
            }
        }
    }

    pub(super) fn integer<T>(&mut self, key: &str, range: RangeInclusive<T>, meaning: &str) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        let given = self.given(key)?;
        let accepted = format!("an integer from {} to {}{meaning}", range.start(), range.end());
        let fault = match given.value {
            Value::Integer(integer) => match T::try_from(integer) {
                Ok(integer) if range.contains(&integer) => return Some(integer),
                _ => "is out of range",
            },
            _ => "is not an integer",
        };
        self.refuse(key, &given, fault, &accepted);
        None
    }

    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        let given = self.given(key)?;
        match given.value {
            Value::Boolean(boolean) => Some(boolean),
            _ => {
                self.refuse(key, &given, "is not a boolean", "true, false");
                None
            }
        }
    }

    pub(super) fn choice<T: Choice>(&mut self, key: &str) -> Option<T> {
        let given = self.given(key)?;
        let (parsed, hint) = match &given.value {
            Value::Text(text) => (T::parse(text), did_you_mean(text, T::names())),
            _ => (None, String::new()),
        };
        if parsed.is_none() {
            let accepted = format!("{}{hint}", T::names().collect::<Vec<_>>().join(", "));
            self.refuse(key, &given, "is not known", &accepted);
        }
        parsed
    }

    pub(super) fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let given = self.given(key)?;
        let parsed = match &given.value {
            Value::Text(text) => duration::parse_duration(text.trim()),
            // Only 0 needs no unit, and Go takes it without quotation marks too.
            Value::Integer(integer) => duration::parse_duration(&integer.to_string()),
            _ => Err("is not a duration".to_owned()),
        };
        let fault = match parsed {
            Ok(duration) if range.contains(&duration) => return Some(duration),
            Ok(_) => "is out of range".to_owned(),
            Err(fault) => fault,
        };
        let (least, most) = (duration::format(*range.start()), duration::format(*range.end()));
        let accepted = format!("a duration such as \"2m\", \"1h30m\" or \"500ms\", from {least} to {most}");
        self.refuse(key, &given, &fault, &accepted);
        None
    }

    /// A number of bytes.
    pub(super) fn size(&mut self, key: &str, range: RangeInclusive<usize>) -> Option<usize> {
        let given = self.given(key)?;
        let parsed = match &given.value {
            Value::Text(text) => size::parse(text).map(i128::from),
            Value::Integer(integer) => Ok(*integer),
            _ => Err("is not a size".to_owned()),
        };
        let fault = match parsed.map(usize::try_from) {
            Ok(Ok(bytes)) if range.contains(&bytes) => return Some(bytes),
            Ok(_) => "is out of range".to_owned(),
            Err(fault) => fault,
        };
        let shown = |bytes: &usize| size::format(*bytes as u64);
        let (least, most) = (shown(range.start()), shown(range.end()));
        let accepted = format!("a size such as \"64MiB\" or \"512KiB\", or a number of bytes, from {least} to {most}");
        self.refuse(key, &given, &fault, &accepted);
        None
    }

    /// The entries of a list; an empty list counts as given.
    pub(super) fn list(&mut self, key: &str, accepted: &str) -> Option<Vec<Given>> {
        let given = self.given(key)?;
        match given.value {
            Value::List(entries) => Some(entries),
            _ => {
                self.refuse(key, &given, "is not a list", accepted);
                None
            }
        }
    }

    /// The entries of a list of texts, without spaces around them and without those that are empty or come again.
    pub(super) fn texts(&mut self, key: &str, accepted: &str) -> Option<Vec<(String, Given)>> {
        let mut texts: Vec<(String, Given)> = Vec::new();
        for entry in self.list(key, accepted)? {
            match &entry.value {
                Value::Text(text) => {
                    let text = text.trim().to_owned();
                    if !text.is_empty() && texts.iter().all(|(known, _)| *known != text) {
                        texts.push((text, entry));
                    }
                }
                _ => self.refuse(key, &entry, "is not a text", accepted),
            }
        }
        Some(texts)
    }
}
