//! The effective configuration: complete, and without secrets.

use proptest::prelude::*;

use super::*;

const FULL: &str = r#"
token = "hunter2"
events = ["READY"]
intents = ["GUILDS"]
large_threshold = 100
presence = { status = "idle", activities = [{ name = "a \"b\" \u007f" }] }
gateway_version = 9
[shards]
count = 5
ids = [1, "3-4"]
[broker]
command_age = "0"
discard_redelivered = true
config = { topic = "t", api_key = "hunter2", "webhook url" = "https://u:hunter2@h/p?token=hunter2", empty = {} }
[amqp]
url = "amqps://user:hunter2@rabbit/vhost"
ca_file = "ca.pem"
unroutable = "dead-letter"
[redis]
urls = ["rediss://:hunter2@one", "rediss://two?password=hunter2"]
ca_file = "ca.pem"
[dead_letters]
path = "/var/letters.ndjson"
[shard_store]
type = "memory"
path = "C:\\data"
[prometheus]
address = ":8080"
endpoint = "/metrics"
[components]
cache_directory = "/cache"
[[filters]]
component = "mine"
events = ["READY"]
config = { nested = [{ Secret = "hunter2" }] }
"#;

#[test]
fn no_secret_is_shown() {
    let config = load_exactly(FULL, &BTreeMap::new()).unwrap().config;
    assert_eq!(config.token.expose(), "hunter2");
    assert!(!config.effective().contains("hunter2"), "{}", config.effective());
    assert!(config.effective().contains("url = \"amqps://user:[redacted]@rabbit/vhost\" # gateway.toml:16"));
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
}

#[test]
fn the_effective_configuration_reads_as_the_same() {
    for file in [FULL, "", "events = [\"*\"]\n[shards]\ncount = 2"] {
        let environment = BTreeMap::from([("DISCORD_TOKEN", "[redacted]")]);
        let first = load_exactly(file, &environment).unwrap().config;
        let text = first.effective();
        let mut second = load_exactly(&text, &environment).unwrap().config;
        second.origins = first.origins.clone();
        // What is redacted stays so.
        second.amqp = first.amqp.clone();
        second.redis = first.redis.clone();
        second.broker.config = first.broker.config.clone();
        second.filters = first.filters.clone();
        assert_eq!(second, first, "{text}");
    }
}

#[test]
fn each_value_has_its_origin() {
    let variables = [("BROKER_GROUP", "g"), ("DISCORD_INTENTS", "GUILDS")];
    let text = load("\nevents = [\"READY\"]", &variables).unwrap().config.effective();
    for line in [
        "token = \"[redacted]\" # environment variable DISCORD_TOKEN",
        "events = [\"READY\"] # gateway.toml:2",
        "rawintents = 1 # environment variable DISCORD_INTENTS",
        "group = \"g\" # environment variable BROKER_GROUP",
        "message_timeout = \"2m\" # default",
        "message_ids = false # default",
        "command_age = \"5m\" # default",
        "unroutable = \"drop\" # default",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    }
}

#[test]
fn every_key_is_shown() {
    let text = load_exactly(FULL, &BTreeMap::new()).unwrap().config.effective();
    let table: toml::Table = text.parse().unwrap();
    // Their values are shown under token, rawintents and redis.urls.
    let elsewhere = ["token_file", "intents", "redis.url"];
    for key in schema::KEYS.iter().filter(|key| !elsewhere.contains(&key.name)) {
        let found =
            key.name.split('.').try_fold(&toml::Value::Table(table.clone()), |value, part| value.get(part)).is_some();
        assert!(found, "{} is not in\n{text}", key.name);
    }
}

proptest! {
    /// Whatever is wrong with a secret's value or beside it, no error shows it.
    #[test]
    fn no_error_shows_a_secret(
        key in prop::sample::select(vec!["token", "amqp.url", "broker.url", "redis.url", "redis.urls"]),
        shape in prop::sample::select(vec!["\"S\"", "\"a S\"", "[\"S\"]", "[[\"S\"]]", "{ x = \"S\" }", "\"http://u:S@h\"", "\"S", "\"amqp://u:S@h\"\nwrong = 1"]),
        secret in "[a-zA-Z0-9/?#@:]{12,40}",
    ) {
        let file = format!("{key} = {}\nlanes.count = -1\n", shape.replace('S', &secret));
        let error = load_exactly(&file, &BTreeMap::new()).unwrap_err().to_string();
        prop_assert!(!error.contains(&secret), "{}", error);
    }

    #[test]
    fn no_variable_shows_a_secret(
        variable in prop::sample::select(vec!["DISCORD_TOKEN", "AMQP_URL", "BROKER_URL", "REDIS_URL"]),
        before in prop::sample::select(vec!["", "amqp://user:", "redis://user:", "http://", "a b "]),
        secret in "[a-zA-Z0-9]{12,40}",
    ) {
        let value = format!("{before}{secret}@host");
        let file = if variable == "DISCORD_TOKEN" { "" } else { "token = \"t\"" };
        let shown = match load_exactly(file, &BTreeMap::from([(variable, value.as_str())])) {
            Ok(loaded) => format!("{:?}{}", loaded, loaded.config.effective()),
            Err(errors) => format!("{errors}{errors:?}"),
        };
        prop_assert!(!shown.contains(&secret), "{}", shown);
    }

    #[test]
    fn no_file_panics(file in "(?s).{0,200}") {
        let _ = load(&file, &[]);
    }

    #[test]
    fn no_setting_panics(key in prop::sample::select(schema::names(schema::KEYS).collect::<Vec<_>>()), value in "[-+0-9a-z\"'\\[\\]{}=., ]{0,30}") {
        let _ = load(&format!("{key} = {value}"), &[]);
    }
}
