//! What is wrong with a configuration: where, what, and what is accepted instead.

use std::fmt;
use std::sync::Arc;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of a file, from 1.
    Line {
        /// The file, as it was named.
        file: Arc<str>,
        /// The line.
        line: usize,
    },
    /// A file as a whole.
    File(Arc<str>),
    /// An environment variable.
    Variable(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(formatter, "{file}:{line}"),
            Self::File(file) => formatter.write_str(file),
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::Flag(name) => write!(formatter, "flag {name}"),
        }
    }
}

/// One thing that is wrong, in one line: the place, the key with its value (never a secret), and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the value stands; `None` if it is missing.
    pub place: Option<Place>,
    /// What is wrong with which key, and what to do.
    pub message: String,
}

impl Problem {
    /// A problem at a place.
    pub(super) fn at(place: &Place, message: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), message: one_line(&message.into()) }
    }

    /// A problem with what is not there.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self { place: None, message: one_line(&message.into()) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(formatter, "{place}: {}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

/// All that is wrong with a configuration. `Display` gives one line for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(.0))]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// The problems, those of the file first, in its order; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

/// Something that is accepted, but is likely not what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(Problem);

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Collects problems and warnings, so that all are told at once.
#[derive(Default)]
pub(super) struct Report {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn error(&mut self, problem: Problem) {
        self.errors.push(problem);
    }

    pub(super) fn warn(&mut self, problem: Problem) {
        self.warnings.push(problem);
    }

    /// Forgets all that does not come from the environment: nothing else can be said while the file is broken.
    pub(super) fn retain_environment(&mut self) {
        self.errors.retain(|problem| matches!(problem.place, Some(Place::Variable(_))));
    }

    /// Adds what another report has collected.
    pub(super) fn append(mut self, other: Self) -> Self {
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
        self
    }

    /// The warnings, or all errors.
    pub(super) fn finish(self) -> Result<Vec<Warning>, ConfigErrors> {
        if self.errors.is_empty() { Ok(self.warnings.into_iter().map(Warning).collect()) } else { Err(self.fail()) }
    }

    /// All errors.
    pub(super) fn fail(mut self) -> ConfigErrors {
        // `None` would come first, but a missing value is best read last.
        self.errors.sort_by(|a, b| (a.place.is_none(), &a.place).cmp(&(b.place.is_none(), &b.place)));
        self.errors.dedup();
        ConfigErrors(self.errors)
    }
}

fn list(problems: &[Problem]) -> String {
    let count = match problems.len() {
        1 => "the configuration has an error:".to_owned(),
        count => format!("the configuration has {count} errors:"),
    };
    problems.iter().fold(count, |text, problem| format!("{text}\n  {problem}"))
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
