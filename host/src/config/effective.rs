//! The configuration as TOML text: what holds in the end, and where each value comes from.

use std::path::Path;

use serde_json::Value as Json;

use super::choice::Choice;
use super::discord::Events;
use super::secret::REDACTED;
use super::shards::Shards;
use super::{Config, FilterConfig, duration, reserve, size};
use crate::delivery::GAP_EVENT;

/// Writes it without any secret.
pub(super) fn write(config: &Config) -> String {
    let mut text = Writer { config, text: String::new(), table: "" };
    write_discord(&mut text);
    write_broker(&mut text);
    write_service(&mut text);
    config.filters.iter().for_each(|filter| write_filter(&mut text.text, filter));
    text.text
}

fn write_discord(text: &mut Writer<'_>) {
    let config = text.config;
    text.entry("token", quoted(REDACTED));
    match &config.events {
        Events::All if config.tells_gaps => text.entry("events", list(["*", GAP_EVENT].map(quoted).into_iter())),
        Events::All => text.entry("events", "[\"*\"]"),
        Events::Only(names) => text.entry("events", list(names.iter().map(|name| quoted(name)))),
    }
    // Both settings end in these bits.
    let origin = if config.origins.contains_key("rawintents") { "rawintents" } else { "intents" };
    text.entry_from("rawintents", config.intents.bits().to_string(), origin);
    text.entry("gateway_version", config.api.gateway_version.to_string());
    text.entry("compression", quoted(config.compression.name()));
    if let Some(threshold) = config.large_threshold {
        text.entry("large_threshold", threshold.to_string());
    }
    if let Some(presence) = &config.presence {
        text.entry("presence", toml(presence.as_json()));
    }
    text.begin("api");
    text.entry("version", config.api.version.to_string());
    text.entry("scheme", quoted(config.api.scheme.name()));
    text.entry("host", quoted(&config.api.host));
    text.begin("shards");
    match &config.shards {
        Shards::Recommended => text.entry("count", "0"),
        Shards::All { count } => text.entry("count", count.to_string()),
        Shards::Subset { count, ids } => {
            text.entry("count", count.to_string());
            text.entry("ids", list(ids.iter().map(|id| id.0.to_string())));
        }
    }
    text.entry("silence", quoted(&duration::format(config.silence.unwrap_or_default())));
}

fn write_broker(text: &mut Writer<'_>) {
    let config = text.config;
    text.begin("broker");
    text.entry("type", quoted(config.broker.kind.name()));
    text.entry("group", quoted(&config.broker.group));
    text.entry("message_timeout", quoted(&duration::format(config.broker.message_timeout)));
    text.entry("message_ids", config.broker.message_ids.to_string());
    text.entry("encoding", quoted(config.broker.encoding.name()));
    let commands = config.broker.commands;
    text.entry("command_age", quoted(&duration::format(commands.greatest_age.unwrap_or_default())));
    text.entry("discard_redelivered", commands.discard_redelivered.to_string());
    text.entry("component", quoted(&config.broker.component));
    text.entry("config", toml(&config.broker.config.redacted()));
    text.begin("amqp");
    text.entry("url", quoted(&config.amqp.url.to_string()));
    text.path("ca_file", config.amqp.ca_file.as_deref());
    text.entry("unroutable", quoted(config.amqp.unroutable.name()));
    text.begin("redis");
    let origin = if config.origins.contains_key("redis.urls") { "redis.urls" } else { "redis.url" };
    text.entry_from("urls", list(config.redis.urls.iter().map(|url| quoted(&url.to_string()))), origin);
    text.entry("pool_size", config.redis.pool_size.to_string());
    text.path("ca_file", config.redis.ca_file.as_deref());
    text.begin("dead_letters");
    text.path("path", config.dead_letters.path.as_deref());
}

fn write_service(text: &mut Writer<'_>) {
    let config = text.config;
    text.begin("shard_store");
    text.entry("type", quoted(config.shard_store.kind.name()));
    text.entry("prefix", quoted(&config.shard_store.prefix));
    text.path("path", config.shard_store.path.as_deref());
    text.entry("interval", quoted(&duration::format(config.shard_store.pace.interval)));
    text.entry("events", config.shard_store.pace.events.to_string());
    text.begin("identify");
    text.entry("reserve", quoted(&reserve::format(config.identify_reserve)));
    text.begin("prometheus");
    text.entry("address", quoted(&config.prometheus.as_ref().map_or_else(String::new, |it| it.address.to_string())));
    if let Some(endpoint) = config.prometheus.as_ref().and_then(|prometheus| prometheus.endpoint.as_ref()) {
        text.entry("endpoint", quoted(endpoint));
    }
    text.begin("components");
    text.path("cache_directory", config.components.cache_directory.as_deref());
    text.entry("memory", quoted(&size::format(config.components.memory as u64)));
    text.entry("timeout", quoted(&duration::format(config.components.timeout)));
    text.begin("lanes");
    text.entry("count", config.lanes.map_or(0, usize::from).to_string());
    text.begin("buffer");
    text.entry("per_shard", quoted(&size::format(config.buffer.per_shard as u64)));
    text.entry("total", quoted(&size::format(config.buffer.total as u64)));
    text.entry("greatest_age", quoted(&duration::format(config.buffer.greatest_age.unwrap_or_default())));
    text.entry("patience", quoted(&duration::format(config.buffer.patience.unwrap_or_default())));
    text.begin("limits");
    text.entry("message_size", quoted(&size::format(config.limits.message_size as u64)));
    text.begin("shutdown");
    text.entry("grace", quoted(&duration::format(config.shutdown_grace)));
    text.begin("log");
    text.entry("level", quoted(config.log.level.name()));
    text.entry("format", quoted(config.log.format.name()));
}

fn write_filter(text: &mut String, filter: &FilterConfig) {
    let mut line = |key: &str, value: String| text.push_str(&format!("{key} = {value}\n"));
    line("\n[[filters]]\ncomponent", quoted(&filter.component));
    line("config", toml(&filter.config.redacted()));
    if let Some(events) = &filter.events {
        line("events", list(events.iter().map(|name| quoted(name))));
    }
    line("on_error", quoted(filter.on_error.name()));
    line("memory", quoted(&size::format(filter.memory as u64)));
    line("timeout", quoted(&duration::format(filter.timeout)));
}

/// Writes tables and their entries.
struct Writer<'a> {
    config: &'a Config,
    text: String,
    table: &'static str,
}

impl Writer<'_> {
    fn begin(&mut self, table: &'static str) {
        self.table = table;
        self.text.push_str(&format!("\n[{table}]\n"));
    }

    fn entry(&mut self, key: &str, value: impl AsRef<str>) {
        let origin = if self.table.is_empty() { key.to_owned() } else { format!("{}.{key}", self.table) };
        self.entry_from(key, value, &origin);
    }

    /// A path that is left out where there is none.
    fn path(&mut self, key: &str, path: Option<&Path>) {
        if let Some(path) = path {
            self.entry(key, quoted(&path.to_string_lossy()));
        }
    }

    fn entry_from(&mut self, key: &str, value: impl AsRef<str>, origin: &str) {
        let place = self.config.origins.get(origin).map_or_else(|| "default".to_owned(), ToString::to_string);
        self.text.push_str(&format!("{key} = {} # {}\n", value.as_ref(), place.escape_debug()));
    }
}

/// One value in TOML. There is no null in TOML; a member that is null is left out.
fn toml(value: &Json) -> String {
    match value {
        Json::Object(members) if members.is_empty() => "{}".to_owned(),
        Json::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members: Vec<String> =
                members.map(|(name, value)| format!("{} = {}", quoted(name), toml(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Json::Array(entries) => list(entries.iter().map(toml)),
        Json::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

/// A basic string; TOML knows JSON's escapes, and wants one for the character 7F too.
fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007f")
}
