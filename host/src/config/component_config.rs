//! What a component is configured with: a table that only the component understands.

use std::fmt;

use serde_json::{Value as Json, json};

use super::scope::Scope;
use super::secret::{REDACTED, redact_url};
use super::value::Value;

/// A JSON object for a component. It may hold secrets of its own: `Debug` hides what looks like one.
#[derive(Clone, PartialEq)]
pub struct ComponentConfig(Json);

impl ComponentConfig {
    /// The object with all it holds: for the component, never for a log or an error.
    #[must_use]
    pub fn expose(&self) -> &Json {
        &self.0
    }

    /// The object without what is a secret by its name, and without passwords in addresses.
    pub(super) fn redacted(&self) -> Json {
        redact(&self.0)
    }

    /// For a bundled component.
    pub(super) fn bundled(object: Json) -> Self {
        Self(object)
    }
}

impl fmt::Debug for ComponentConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.redacted())
    }
}

/// Reads such a table; it is empty if there is none.
pub(super) fn read(scope: &mut Scope<'_>, key: &str) -> ComponentConfig {
    let Some(given) = scope.given(key) else { return ComponentConfig(json!({})) };
    let Value::Table(_) = given.value else {
        scope.refuse(key, &given, "is not a table", "a table with what the component documents");
        return ComponentConfig(json!({}));
    };
    ComponentConfig(given.to_json(&scope.shown(key)).unwrap_or_else(|problem| {
        scope.error(problem);
        json!({})
    }))
}

fn redact(config: &Json) -> Json {
    match config {
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let lower = name.to_lowercase();
                let secret = SECRET_NAMES.iter().any(|word| lower.contains(word));
                (name.clone(), if secret { REDACTED.into() } else { redact(value) })
            })
            .collect(),
        Json::Array(entries) => entries.iter().map(redact).collect(),
        Json::String(text) if text.contains("://") => redact_url(text).into(),
        other => other.clone(),
    }
}

const SECRET_NAMES: [&str; 6] = ["token", "secret", "password", "key", "credential", "auth"];
