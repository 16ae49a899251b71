//! The filters and what components may use.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::choice::OnError;
use super::component_config::{self, ComponentConfig};
use super::discord::Events;
use super::file::known_keys;
use super::schema::FILTER_KEYS;
use super::scope::Scope;
use super::value::{Given, Value};

/// One filter of the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterConfig {
    /// The name of a bundled component, or the path of a file.
    pub component: String,
    /// What the component's `init` gets.
    pub config: ComponentConfig,
    /// The events that it is asked about; `None` for all.
    pub events: Option<Vec<String>>,
    /// What happens to an event when the filter fails.
    pub on_error: OnError,
    /// Bytes of memory that an instance may use.
    pub memory: usize,
    /// How long one call may take.
    pub timeout: Duration,
}

/// What holds for every component that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// Where compiled components are kept; `None` for the platform's place.
    pub cache_directory: Option<PathBuf>,
    /// Bytes of memory that an instance may use.
    pub memory: usize,
    /// How long one call may take.
    pub timeout: Duration,
}

/// Reads `[components]`.
pub(super) fn read(scope: &mut Scope<'_>) -> Components {
    Components {
        cache_directory: scope.text("components.cache_directory", "the path of a directory").map(PathBuf::from),
        memory: scope.size("components.memory", LEAST_MEMORY..=MOST_MEMORY).unwrap_or(64 << 20),
        timeout: scope.duration("components.timeout", LEAST_TIMEOUT..=MOST_TIMEOUT).unwrap_or(Duration::from_secs(1)),
    }
}

/// Reads the `[[filters]]` tables.
pub(super) fn read_filters(scope: &mut Scope<'_>, defaults: &Components) -> Vec<FilterConfig> {
    let entries = scope.list("filters", FILTERS_ACCEPTED).unwrap_or_default();
    entries.into_iter().enumerate().filter_map(|(index, entry)| read_filter(scope, index, entry, defaults)).collect()
}

fn read_filter(scope: &mut Scope<'_>, index: usize, entry: Given, defaults: &Components) -> Option<FilterConfig> {
    let Value::Table(table) = entry.value else {
        scope.refuse("filters", &entry, "is not a table", FILTERS_ACCEPTED);
        return None;
    };
    let prefix = format!("filters[{index}].");
    let values = known_keys(FILTER_KEYS, &prefix, table, scope.report);
    let mut inner = Scope::new(prefix, values, scope.report);
    let component = inner.text("component", COMPONENT_ACCEPTED);
    if inner.given("component").is_none() {
        let missing = Given { value: Value::Table(Default::default()), place: entry.place };
        inner.refuse("component", &missing, "is missing", COMPONENT_ACCEPTED);
    }
    let events = inner.texts("events", "a list of event names such as [\"MESSAGE_CREATE\"]");
    Some(FilterConfig {
        component: component?,
        config: component_config::read(&mut inner, "config"),
        events: events.map(|events| events.into_iter().map(|(name, _)| name).collect()),
        on_error: inner.choice("on_error").unwrap_or(OnError::Pass),
        memory: inner.size("memory", LEAST_MEMORY..=MOST_MEMORY).unwrap_or(defaults.memory),
        timeout: inner.duration("timeout", LEAST_TIMEOUT..=MOST_TIMEOUT).unwrap_or(defaults.timeout),
    })
}

/// The filters in the order in which they run: first the bundled one for the list of events.
pub(super) fn effective_chain(events: &Events, filters: &[FilterConfig], defaults: &Components) -> Vec<FilterConfig> {
    let listed = match events {
        Events::All => None,
        Events::Only(names) => Some(FilterConfig {
            component: "filter-events".to_owned(),
            config: ComponentConfig::bundled(json!({ "events": names })),
            events: None,
            // Better an event too many than one lost.
            on_error: OnError::Pass,
            memory: defaults.memory,
            timeout: defaults.timeout,
        }),
    };
    listed.into_iter().chain(filters.iter().cloned()).collect()
}

const FILTERS_ACCEPTED: &str = "tables, each of which begins with [[filters]]";
const COMPONENT_ACCEPTED: &str = "the name of a bundled component, or the path of a file";
const LEAST_MEMORY: usize = 1 << 20;
/// Close to all that a 32-bit component can address.
const MOST_MEMORY: usize = 4095 << 20;
/// The clock that stops calls has this step.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
const MOST_TIMEOUT: Duration = Duration::from_secs(3600);
