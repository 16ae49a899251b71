//! A table of the configuration, read key by key.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A table of the configuration. Errors name the key and what is accepted, and never show a value, which could be a secret.
#[derive(Debug)]
pub struct Table {
    name: &'static str,
    values: Map<String, Value>,
    /// The keys that were asked for.
    known: Vec<&'static str>,
}

impl Table {
    /// A table that the operator knows as `name`.
    pub(crate) fn new(name: &'static str, values: Map<String, Value>) -> Self {
        Self { name, values, known: Vec::new() }
    }

    /// Takes out the value of a key. `None` if the table has none.
    ///
    /// # Errors
    /// If the value is not what is accepted, as `accepted` says it to the operator.
    pub fn take<T: DeserializeOwned>(&mut self, key: &'static str, accepted: &str) -> Result<Option<T>, String> {
        self.known.push(key);
        let Some(value) = self.values.remove(key) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|_| format!("`{}.{key}` must be {accepted}", self.name))
    }

    /// Takes out the value of a key that must be there.
    ///
    /// # Errors
    /// As [`Self::take`], and if the table has no such key.
    pub fn require<T: DeserializeOwned>(&mut self, key: &'static str, accepted: &str) -> Result<T, String> {
        self.take(key, accepted)?.ok_or_else(|| format!("`{}.{key}` is missing; it must be {accepted}", self.name))
    }

    /// Makes sure that nothing was given that nobody asked for.
    ///
    /// # Errors
    /// If there is such a key: most likely one of the known ones, misspelt.
    pub fn finish(self) -> Result<(), String> {
        let Some(unknown) = self.values.keys().next() else { return Ok(()) };
        let known = if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") };
        Err(format!("`{}.{unknown}` is no key of this adapter; known: {known}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(json: &str) -> Table {
        Table::new("broker.config", serde_json::from_str(json).unwrap())
    }

    #[test]
    fn values_are_taken_by_their_keys() {
        let mut table = table(r#"{"a": 7, "b": true}"#);
        assert_eq!(table.take("a", "a number"), Ok(Some(7)));
        assert_eq!(table.require("b", "true or false"), Ok(true));
        assert_eq!(table.take::<bool>("c", "true or false"), Ok(None));
        assert_eq!(table.finish(), Ok(()));
    }

    #[test]
    fn errors_name_the_key_and_what_is_accepted_and_show_no_value() {
        let mut table = table(r#"{"a": "secret"}"#);
        assert_eq!(
            table.require::<u32>("b", "a number").unwrap_err(),
            "`broker.config.b` is missing; it must be a number"
        );
        assert_eq!(table.take::<u32>("a", "a number").unwrap_err(), "`broker.config.a` must be a number");
    }

    #[test]
    fn a_misspelt_key_is_refused_with_the_known_ones() {
        let mut misspelt = table(r#"{"persistant": true}"#);
        misspelt.take::<bool>("persistent", "true or false").unwrap();
        let reason = misspelt.finish().unwrap_err();
        assert_eq!(reason, "`broker.config.persistant` is no key of this adapter; known: persistent");
        let reason = table(r#"{"a": 1}"#).finish().unwrap_err();
        assert_eq!(reason, "`broker.config.a` is no key of this adapter; known: none");
    }
}
