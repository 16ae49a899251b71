//! Which events pass.

use std::collections::BTreeSet;

use serde::Deserialize;

/// The events that pass.
pub(crate) enum EventList {
    /// All of them.
    All,
    /// Those of these names.
    Named(BTreeSet<String>),
}

impl EventList {
    /// Reads the filter's configuration.
    ///
    /// # Errors
    /// A text that says which key is wrong, and what is accepted.
    pub(crate) fn parse(config: &str) -> Result<Self, String> {
        let config: Config = serde_json::from_str(config).map_err(|error| format!("{ACCEPTED} ({error})"))?;
        let is_all = config.events.contains(ALL);
        Ok(if is_all { Self::All } else { Self::Named(config.events) })
    }

    /// Whether events of that name pass.
    pub(crate) fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    events: BTreeSet<String>,
}

const ALL: &str = "*";
const ACCEPTED: &str = r#"the key `events` must be a list of event names such as ["MESSAGE_CREATE"], or ["*"] for all events; no other key is accepted"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        let list = EventList::parse(r#"{"events": ["MESSAGE_CREATE"]}"#).unwrap_or_else(|reason| panic!("{reason}"));
        assert!(list.contains("MESSAGE_CREATE"));
        assert!(!list.contains("MESSAGE_CREAT") && !list.contains("message_create") && !list.contains("*"));
    }

    #[test]
    fn an_empty_list_passes_nothing() {
        let list = EventList::parse(r#"{"events": []}"#).unwrap_or_else(|reason| panic!("{reason}"));
        assert!(!list.contains("READY") && !list.contains(""));
    }

    #[test]
    fn a_star_among_the_names_passes_everything() {
        let list = EventList::parse(r#"{"events": ["READY", "*"]}"#).unwrap_or_else(|reason| panic!("{reason}"));
        assert!(list.contains("READY") && list.contains("A_NEW_EVENT"));
    }

    #[test]
    fn what_is_no_list_of_names_is_refused_with_the_key_and_what_is_accepted() {
        for config in ["{}", "[]", "", r#"{"events": "READY"}"#, r#"{"events": [1]}"#, r#"{"events": [], "event": []}"#]
        {
            let reason = EventList::parse(config).err().unwrap_or_else(|| panic!("{config} was accepted"));
            assert!(reason.contains("`events`") && reason.contains("[\"*\"]"), "{reason}");
        }
    }
}
