//! The bot's presence, in the shapes of both eras, as Discord takes it today.
//! <https://docs.discord.com/developers/events/gateway-events#update-presence>

use serde_json::{Map, Value as Json, json};

use super::error::Problem;
use super::nearest::did_you_mean;
use super::scope::Scope;
use super::value::{Given, Value};

/// What IDENTIFY carries as `presence`: a complete JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence(Json);

impl Presence {
    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.0.to_string()
    }

    pub(super) fn as_json(&self) -> &Json {
        &self.0
    }
}

/// Reads `presence`. `None` if there is none, or if it is empty: then Discord's default holds.
pub(super) fn read(scope: &mut Scope<'_>) -> Option<Presence> {
    let given = scope.given("presence")?;
    let Value::Table(members) = &given.value else {
        if !matches!(given.value, Value::Null) {
            scope.refuse(
                "presence",
                &given,
                "is not a table",
                "the table [presence], in the environment a JSON object",
            );
        }
        return None;
    };
    let (mut activities, mut game, mut presence) = (None, None, Map::new());
    // JSON's null says nothing.
    for (written, member) in members.iter().filter(|(_, member)| !matches!(member.value, Value::Null)) {
        let name = written.to_lowercase();
        let key = format!("presence.{name}");
        match name.as_str() {
            "activities" => activities = Some(member),
            "game" => game = Some(member),
            "status" => presence.extend(read_status(scope, &key, member).map(|status| (name, status))),
            "since" if matches!(member.value, Value::Integer(0..)) => {
                presence.extend(convert(scope, &key, member).map(|since| (name, since)));
            }
            "since" => scope.refuse(&key, member, "is not a time", "milliseconds since 1970, or nothing"),
            "afk" => match member.value {
                Value::Boolean(afk) => presence.extend([(name, Json::from(afk))]),
                _ => scope.refuse(&key, member, "is not a boolean", "true, false"),
            },
            _ => {
                let message = format!("unknown key \"presence.{written}\"{}", did_you_mean(&name, MEMBERS));
                scope.error(Problem::at(&member.place, message));
            }
        }
    }
    let activities = match (activities, game) {
        (Some(_), Some(game)) => {
            let message = "presence.game and presence.activities are both given; remove presence.game";
            scope.error(Problem::at(&game.place, message));
            return None;
        }
        (Some(activities), None) => read_activities(scope, activities),
        (None, Some(game)) => read_activity(scope, "presence.game", game).into_iter().collect(),
        (None, None) => Vec::new(),
    };
    if presence.is_empty() && activities.is_empty() {
        return None;
    }
    let mut complete = json!({ "since": null, "activities": activities, "status": "online", "afk": false });
    if let Some(complete) = complete.as_object_mut() {
        complete.extend(presence);
    }
    Some(Presence(complete))
}

fn read_status(scope: &mut Scope<'_>, key: &str, given: &Given) -> Option<Json> {
    match &given.value {
        Value::Text(status) if status.is_empty() => None,
        Value::Text(status) if STATUSES.contains(&status.as_str()) => Some(status.as_str().into()),
        value => {
            let hint = if let Value::Text(status) = value { did_you_mean(status, STATUSES) } else { String::new() };
            scope.refuse(key, given, "is not known", &format!("{}{hint}", STATUSES.join(", ")));
            None
        }
    }
}

fn read_activities(scope: &mut Scope<'_>, given: &Given) -> Vec<Json> {
    match &given.value {
        Value::List(entries) => {
            entries.iter().filter_map(|entry| read_activity(scope, "presence.activities", entry)).collect()
        }
        _ => {
            scope.refuse(
                "presence.activities",
                given,
                "is not a list",
                "a list of tables such as [{ name = \"chess\" }]",
            );
            Vec::new()
        }
    }
}

fn read_activity(scope: &mut Scope<'_>, key: &str, given: &Given) -> Option<Json> {
    let Value::Table(members) = &given.value else {
        scope.refuse(key, given, "is not a table", "a table with a name and a type");
        return None;
    };
    let mut activity = Map::from_iter([("type".to_owned(), Json::from(0))]);
    for (written, member) in members {
        let name = written.to_lowercase();
        let key = format!("{key}.{name}");
        match (name.as_str(), &member.value) {
            ("name" | "url" | "state", Value::Text(_)) | ("type", Value::Integer(0..=5)) => {}
            ("url" | "state", Value::Null) => continue,
            ("name" | "url" | "state", _) => scope.refuse(&key, member, "is not a text", "a text"),
            ("type", _) => scope.refuse(&key, member, "is not known", ACTIVITY_TYPES),
            _ => {
                let hint = did_you_mean(&name, ["name", "type", "url", "state"]);
                scope.warn(
                    member,
                    format!("{key} has no effect: from a bot Discord takes name, type, url and state{hint}"),
                );
            }
        }
        activity.extend(convert(scope, &key, member).map(|value| (name, value)));
    }
    if !activity.contains_key("name") {
        scope.refuse(key, given, "has no name", "a table with a name and a type");
    }
    Some(activity.into())
}

fn convert(scope: &mut Scope<'_>, key: &str, given: &Given) -> Option<Json> {
    given.to_json(key).map_err(|problem| scope.error(problem)).ok()
}

const MEMBERS: [&str; 5] = ["status", "activities", "game", "since", "afk"];
const STATUSES: [&str; 5] = ["online", "idle", "dnd", "invisible", "offline"];
const ACTIVITY_TYPES: &str = "0 (playing), 1 (streaming), 2 (listening), 3 (watching), 4 (custom), 5 (competing)";
