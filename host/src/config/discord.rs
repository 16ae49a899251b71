//! What is asked of Discord: events, intents, versions and addresses.

use super::choice::Scheme;
use super::error::Problem;
use super::intents::{self, Intents};
use super::nearest::did_you_mean;
use super::scope::Scope;
use super::value::Value;
use crate::delivery::GAP_EVENT;

/// Which events are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Events {
    /// All that Discord sends, `"*"` in the configuration.
    All,
    /// Those of these names; none of them if there is no name.
    Only(Vec<String>),
}

/// Discord's REST interface and gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// How the REST interface is reached.
    pub scheme: Scheme,
    /// Its host, with a port if it is not the usual one.
    pub host: String,
    /// The version of the REST interface.
    pub version: u8,
    /// The version of the gateway.
    pub gateway_version: u8,
}

/// Reads `events`, and whether gaps are to be published: that is meant only by its name.
pub(super) fn read_events(scope: &mut Scope<'_>) -> (Events, bool) {
    let names = scope.texts("events", "a list of event names such as [\"MESSAGE_CREATE\"], or [\"*\"] for all");
    let names = names.unwrap_or_default();
    let tells_gaps = names.iter().any(|(name, _)| name == GAP_EVENT);
    if names.iter().any(|(name, _)| name == "*") {
        return (Events::All, tells_gaps);
    }
    for (name, given) in &names {
        if name != GAP_EVENT && intents::required_by(name).is_none() {
            let hint = did_you_mean(name, intents::event_names().chain([GAP_EVENT]));
            scope.warn(
                given,
                format!("events has {name:?}, which Discord does not document (names are in upper case){hint}"),
            );
        }
    }
    if names.is_empty() {
        scope.report.warn(Problem::missing(
            "events is empty, so NOTHING IS PUBLISHED; list event names in events or DISCORD_EVENTS, or \"*\" for all",
        ));
    }
    (Events::Only(names.into_iter().map(|(name, _)| name).collect()), tells_gaps)
}

/// Reads `rawintents` and `intents`, and warns of events that cannot come.
pub(super) fn read_intents(scope: &mut Scope<'_>, events: &Events) -> Intents {
    let raw = scope.integer("rawintents", 0..=u32::MAX, "").unwrap_or(0);
    let listed = read_intent_list(scope);
    let intents = if raw == 0 { listed } else { Intents::from_bits(raw) };
    if raw != 0 && !listed.is_empty() {
        scope.report.warn(Problem::missing("intents is ignored, because rawintents is given too"));
    }
    let undocumented = intents.undocumented();
    if !undocumented.is_empty() {
        scope.report.warn(Problem::missing(format!(
            "the intents have bits that Discord does not document ({undocumented}): it may refuse them with close code 4013"
        )));
    }
    warn_of_missing_intents(scope, intents, events);
    intents
}

fn read_intent_list(scope: &mut Scope<'_>) -> Intents {
    let mut intents = Intents::default();
    let Some(given) = scope.given("intents") else { return intents };
    let entries = match given.value {
        Value::List(entries) => entries,
        Value::Integer(_) => vec![given],
        _ => {
            scope.refuse("intents", &given, "is not a list", INTENTS_ACCEPTED);
            return intents;
        }
    };
    for entry in entries {
        let number = match &entry.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
            _ => {
                scope.refuse("intents", &entry, "is neither a name nor a number", INTENTS_ACCEPTED);
                continue;
            }
        };
        match (&entry.value, number.map(u32::try_from)) {
            (_, Some(Ok(bits))) => intents |= Intents::from_bits(bits),
            (_, Some(Err(_))) => scope.refuse("intents", &entry, "is out of range", INTENTS_ACCEPTED),
            (Value::Text(name), None) => match Intents::named(name.trim()) {
                Some(intent) => intents |= intent,
                None if name.trim().is_empty() => {}
                None => {
                    let hint = did_you_mean(name, Intents::names());
                    scope.warn(&entry, format!("intents has {name:?}, which is no intent and is ignored{hint}"));
                }
            },
            _ => {}
        }
    }
    intents
}

fn warn_of_missing_intents(scope: &mut Scope<'_>, intents: Intents, events: &Events) {
    let Events::Only(events) = events else {
        if intents.is_empty() {
            scope.report.warn(Problem::missing(
                "intents is empty, so Discord sends hardly any event; see intents in gateway.toml",
            ));
        }
        return;
    };
    let mut missing: Vec<(Intents, Vec<&str>)> = Vec::new();
    for event in events {
        let required = intents::required_by(event).unwrap_or_default();
        if required.is_empty() || required.bits() & intents.bits() != 0 {
            continue;
        }
        match missing.iter_mut().find(|(known, _)| *known == required) {
            Some((_, events)) => events.push(event),
            None => missing.push((required, vec![event])),
        }
    }
    for (required, events) in missing {
        scope.report.warn(Problem::missing(format!(
            "events has {}, sent by Discord only with the intent {required}; add it to intents",
            events.join(", ")
        )));
    }
}

/// Reads `[api]` and `gateway_version`.
pub(super) fn read_api(scope: &mut Scope<'_>) -> Api {
    let scheme = scope.choice("api.scheme").unwrap_or(Scheme::Https);
    let host = scope.text("api.host", HOST_ACCEPTED).unwrap_or_else(|| "discord.com".to_owned());
    let is_host = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    if let Some(given) = scope.given("api.host").filter(|_| !is_host(&host)) {
        scope.refuse("api.host", &given, "is not a host", HOST_ACCEPTED);
    }
    let mut version = |key| scope.integer(key, 0..=u8::MAX, ", 0 for the default").filter(|version| *version != 0);
    let api = version("api.version").unwrap_or(10);
    let gateway_version = version("gateway_version").unwrap_or(api);
    Api { scheme, host, version: api, gateway_version }
}

const HOST_ACCEPTED: &str = "a host such as \"discord.com\" or \"127.0.0.1:8080\"; http or https goes into api.scheme";
const INTENTS_ACCEPTED: &str = "a list of names such as [\"GUILDS\", \"GUILD_MESSAGES\"], or Discord's values as numbers of at \
                                most 32 bits";
