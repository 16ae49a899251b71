//! A value as the user gave it, with the place where it stands.

use std::collections::BTreeMap;

use super::error::{Place, Problem};

/// A value and its place.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What can be given. It may be a secret, so it has no `Debug`.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    /// Also what JSON alone has.
    Null,
    List(Vec<Given>),
    Table(BTreeMap<String, Given>),
}

impl Given {
    /// An empty text says nothing, as an empty environment variable does.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.value, Value::Text(text) if text.is_empty())
    }

    /// From JSON; everything in it has the same place.
    pub(super) fn from_json(json: serde_json::Value, place: &Place) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(boolean) => Value::Boolean(boolean),
            serde_json::Value::Number(number) => {
                number.as_i128().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Integer)
            }
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Array(entries) => {
                Value::List(entries.into_iter().map(|entry| Self::from_json(entry, place)).collect())
            }
            serde_json::Value::Object(members) => {
                Value::Table(members.into_iter().map(|(key, member)| (key, Self::from_json(member, place))).collect())
            }
        };
        Self { value, place: place.clone() }
    }

    /// As JSON, for what is handed on as it is.
    ///
    /// # Errors
    /// JSON has no infinite numbers and no integers beyond 64 bits.
    pub(super) fn to_json(&self, key: &str) -> Result<serde_json::Value, Problem> {
        Ok(match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Integer(integer) => match (i64::try_from(*integer), u64::try_from(*integer)) {
                (Ok(integer), _) => integer.into(),
                (_, Ok(integer)) => integer.into(),
                _ => return Err(self.unfit(key, "an integer of at most 64 bits")),
            },
            Value::Float(float) => match serde_json::Number::from_f64(*float) {
                Some(number) => number.into(),
                None => return Err(self.unfit(key, "a finite number")),
            },
            Value::Text(text) => text.as_str().into(),
            Value::List(entries) => entries.iter().map(|entry| entry.to_json(key)).collect::<Result<_, _>>()?,
            Value::Table(members) => members
                .iter()
                .map(|(name, member)| Ok((name.clone(), member.to_json(&format!("{key}.{name}"))?)))
                .collect::<Result<serde_json::Map<_, _>, _>>()?
                .into(),
        })
    }

    /// `message_timeout = "2min" has an unknown unit; accepted: …`.
    pub(super) fn problem(&self, key: &str, fault: &str, accepted: &str) -> Problem {
        Problem::at(&self.place, format!("{key} = {} {fault}; accepted: {accepted}", self.value.shown()))
    }

    /// The same without the value.
    pub(super) fn secret_problem(&self, key: &str, fault: &str, accepted: &str) -> Problem {
        Problem::at(&self.place, format!("{key} {fault}; accepted: {accepted}"))
    }

    fn unfit(&self, key: &str, accepted: &str) -> Problem {
        self.problem(key, "cannot be written as JSON", accepted)
    }
}

impl Value {
    /// The value as it may stand in an error: short, in one line.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => shorten(&format!("{text:?}")),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => float.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Null => "null".to_owned(),
            Self::List(_) => "[…]".to_owned(),
            Self::Table(_) => "{…}".to_owned(),
        }
    }

    /// What kind of value it is, for errors about secrets.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a fraction",
            Self::Boolean(_) => "a boolean",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…', '"']).collect()
}

/// Characters of a value that an error shows.
const SHOWN: usize = 100;
