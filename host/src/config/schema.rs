//! Every key that a configuration may hold, with its environment variables.

/// How a key's text is read from the environment, where all is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is: texts, durations, sizes.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `1`, `false` or `0`.
    Boolean,
    /// Entries with commas between them; spaces around them do not count.
    List,
    /// JSON.
    Json,
    /// Only in the file.
    FileOnly,
}

/// A key of the file.
#[derive(Debug)]
pub(super) struct Key {
    /// The key with its tables, in lower case: `broker.message_timeout`.
    pub(super) name: &'static str,
    /// Other names of it, weaker than `name`.
    pub(super) aliases: &'static [&'static str],
    /// Environment variables, the strongest first.
    pub(super) variables: &'static [&'static str],
    pub(super) form: Form,
}

/// The key of that name or alias, in lower case.
pub(super) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name || key.aliases.contains(&name))
}

/// Whether the name is that of a table which holds known keys.
pub(super) fn is_table(keys: &[Key], name: &str) -> bool {
    names(keys).any(|key| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// All names and aliases.
pub(super) fn names(keys: &[Key]) -> impl Iterator<Item = &'static str> {
    keys.iter().flat_map(|key| std::iter::once(key.name).chain(key.aliases.iter().copied()))
}

const fn key(name: &'static str, form: Form, variables: &'static [&'static str]) -> Key {
    Key { name, aliases: &[], variables, form }
}

/// The keys of the whole file.
pub(super) const KEYS: &[Key] = &[
    key("token", Form::Text, &["DISCORD_TOKEN"]),
    key("token_file", Form::Text, &["DISCORD_TOKEN_FILE"]),
    key("events", Form::List, &["DISCORD_EVENTS"]),
    key("intents", Form::List, &["DISCORD_INTENTS"]),
    Key { name: "rawintents", aliases: &["raw_intents"], variables: &["DISCORD_RAW_INTENTS"], form: Form::Integer },
    key("gateway_version", Form::Integer, &["DISCORD_GATEWAY_VERSION"]),
    key("compression", Form::Text, &["DISCORD_COMPRESSION"]),
    key("large_threshold", Form::Integer, &["DISCORD_LARGE_THRESHOLD"]),
    key("presence", Form::Json, &["DISCORD_PRESENCE"]),
    key("api.version", Form::Integer, &["DISCORD_API_VERSION"]),
    key("api.scheme", Form::Text, &["DISCORD_API_PROTOCOL", "DISCORD_API_SCHEME"]),
    key("api.host", Form::Text, &["DISCORD_API_HOST"]),
    key("shards.count", Form::Integer, &["DISCORD_SHARD_COUNT"]),
    key("shards.ids", Form::List, &["DISCORD_SHARD_IDS"]),
    key("shards.silence", Form::Text, &["DISCORD_SHARD_SILENCE"]),
    key("broker.type", Form::Text, &["BROKER_TYPE"]),
    key("broker.group", Form::Text, &["BROKER_GROUP"]),
    key("broker.message_timeout", Form::Text, &["BROKER_MESSAGE_TIMEOUT"]),
    key("broker.message_ids", Form::Boolean, &["BROKER_MESSAGE_IDS"]),
    key("broker.encoding", Form::Text, &["BROKER_ENCODING"]),
    key("broker.command_age", Form::Text, &["BROKER_COMMAND_AGE"]),
    key("broker.discard_redelivered", Form::Boolean, &["BROKER_DISCARD_REDELIVERED"]),
    key("broker.component", Form::Text, &["BROKER_COMPONENT"]),
    key("broker.config", Form::FileOnly, &[]),
    Key { name: "amqp.url", aliases: &["broker.url"], variables: &["AMQP_URL", "BROKER_URL"], form: Form::Text },
    key("amqp.ca_file", Form::Text, &["AMQP_CA_FILE"]),
    key("amqp.unroutable", Form::Text, &["AMQP_UNROUTABLE"]),
    key("redis.urls", Form::List, &["REDIS_URL"]),
    key("redis.url", Form::FileOnly, &[]),
    key("redis.pool_size", Form::Integer, &["REDIS_POOL_SIZE"]),
    key("redis.ca_file", Form::Text, &["REDIS_CA_FILE"]),
    key("dead_letters.path", Form::Text, &["DEAD_LETTERS_PATH"]),
    key("shard_store.type", Form::Text, &["SHARD_STORE_TYPE"]),
    key("shard_store.prefix", Form::Text, &["SHARD_STORE_PREFIX"]),
    key("shard_store.path", Form::Text, &["SHARD_STORE_PATH"]),
    key("shard_store.interval", Form::Text, &["SHARD_STORE_INTERVAL"]),
    key("shard_store.events", Form::Integer, &["SHARD_STORE_EVENTS"]),
    key("identify.reserve", Form::Text, &["GATEWAY_IDENTIFY_RESERVE"]),
    key("prometheus.address", Form::Text, &["PROMETHEUS_ADDRESS"]),
    key("prometheus.endpoint", Form::Text, &["PROMETHEUS_ENDPOINT"]),
    key("filters", Form::FileOnly, &[]),
    key("components.cache_directory", Form::Text, &["GATEWAY_COMPONENTS_CACHE_DIRECTORY"]),
    key("components.memory", Form::Text, &["GATEWAY_COMPONENTS_MEMORY"]),
    key("components.timeout", Form::Text, &["GATEWAY_COMPONENTS_TIMEOUT"]),
    key("lanes.count", Form::Integer, &["GATEWAY_LANES_COUNT"]),
    key("buffer.per_shard", Form::Text, &["GATEWAY_BUFFER_PER_SHARD"]),
    key("buffer.total", Form::Text, &["GATEWAY_BUFFER_TOTAL"]),
    key("buffer.greatest_age", Form::Text, &["GATEWAY_BUFFER_GREATEST_AGE"]),
    key("buffer.patience", Form::Text, &["GATEWAY_BUFFER_PATIENCE"]),
    key("limits.message_size", Form::Text, &["GATEWAY_LIMITS_MESSAGE_SIZE"]),
    key("shutdown.grace", Form::Text, &["GATEWAY_SHUTDOWN_GRACE"]),
    key("log.level", Form::Text, &["GATEWAY_LOG_LEVEL"]),
    key("log.format", Form::Text, &["GATEWAY_LOG_FORMAT"]),
];

/// The keys of one `[[filters]]` table.
pub(super) const FILTER_KEYS: &[Key] = &[
    key("component", Form::FileOnly, &[]),
    key("config", Form::FileOnly, &[]),
    key("events", Form::FileOnly, &[]),
    key("on_error", Form::FileOnly, &[]),
    key("memory", Form::FileOnly, &[]),
    key("timeout", Form::FileOnly, &[]),
];
