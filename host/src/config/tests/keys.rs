//! What each key takes.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use gateway_protocol::{Reserve, ShardId};
use serde_json::json;

use super::*;
use crate::delivery::Pace;

/// The file that users start from.
const EXAMPLE: &str = include_str!("../../../../gateway.toml");

/// The example with every setting switched on.
fn example_switched_on() -> String {
    let switch_on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|first: char| first.is_ascii_alphabetic() || first == '[') => {
            setting.to_owned()
        }
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(switch_on).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_as_it_is_gives_the_defaults() {
    assert_eq!(config(EXAMPLE), config(""));
}

#[test]
fn the_example_shows_the_defaults() {
    let mut shown = config(&example_switched_on());
    let mut defaults = config("");
    // These two have no value that means "none".
    assert!(shown.presence.take().is_some());
    assert_eq!(shown.large_threshold.take(), Some(50));
    assert_eq!(shown.filters.len(), 1);
    assert_eq!(
        (shown.filters[0].memory, shown.filters[0].timeout),
        (defaults.components.memory, defaults.components.timeout)
    );
    shown.filters.clear();
    defaults.origins = shown.origins.clone();
    assert_eq!(shown, defaults);
}

#[test]
fn the_example_has_every_key_and_every_variable() {
    let text = example_switched_on();
    let table: toml::Table = text.parse().unwrap();
    let mut written = BTreeSet::new();
    for (key, value) in &table {
        written.insert(key.clone());
        for (inner, _) in value.as_table().into_iter().flatten() {
            written.insert(format!("{key}.{inner}"));
        }
    }
    let filter = table["filters"][0].as_table().unwrap();
    for key in schema::KEYS {
        assert!(written.contains(key.name), "gateway.toml lacks {}", key.name);
        // The token's file is named beside the token, the alternative name of the scheme is only for old set-ups.
        for variable in key.variables.iter().filter(|name| **name != "DISCORD_API_SCHEME") {
            assert!(EXAMPLE.contains(variable), "gateway.toml lacks {variable}");
        }
    }
    for key in schema::FILTER_KEYS {
        assert!(filter.contains_key(key.name), "gateway.toml lacks {} of a filter", key.name);
    }
}

#[test]
fn the_documentation_has_every_key_and_every_variable() {
    let documentation = include_str!("../../../../docs/configuration.md");
    for key in schema::KEYS.iter().chain(schema::FILTER_KEYS) {
        for name in [key.name].iter().chain(key.aliases).chain(key.variables) {
            assert!(documentation.contains(&format!("`{name}`")), "docs/configuration.md lacks {name}");
        }
    }
}

#[test]
fn new_variables_are_read() {
    let config = config_of(&[
        ("DISCORD_COMPRESSION", "none"),
        ("DISCORD_LARGE_THRESHOLD", "250"),
        ("BROKER_ENCODING", "msgpack-object"),
        ("BROKER_COMPONENT", "./mine.wasm"),
        ("SHARD_STORE_TYPE", "memory"),
        ("SHARD_STORE_PATH", "/data/sessions"),
        ("GATEWAY_COMPONENTS_CACHE_DIRECTORY", "/cache"),
        ("GATEWAY_COMPONENTS_MEMORY", "32MiB"),
        ("GATEWAY_COMPONENTS_TIMEOUT", "250ms"),
        ("GATEWAY_LANES_COUNT", "3"),
        ("GATEWAY_BUFFER_PER_SHARD", "1048576"),
        ("GATEWAY_BUFFER_TOTAL", "1GiB"),
        ("GATEWAY_BUFFER_GREATEST_AGE", "0s"),
        ("GATEWAY_BUFFER_PATIENCE", "90s"),
        ("DISCORD_SHARD_SILENCE", "5m"),
        ("SHARD_STORE_INTERVAL", "2s"),
        ("SHARD_STORE_EVENTS", "100"),
        ("GATEWAY_LIMITS_MESSAGE_SIZE", "64 MiB"),
        ("GATEWAY_SHUTDOWN_GRACE", "0"),
        ("GATEWAY_IDENTIFY_RESERVE", "20"),
        ("GATEWAY_LOG_LEVEL", "debug"),
        ("GATEWAY_LOG_FORMAT", "json"),
    ]);
    assert_eq!((config.compression, config.large_threshold), (Compression::None, Some(250)));
    assert_eq!((config.broker.encoding, config.broker.component.as_str()), (Encoding::MsgpackObject, "./mine.wasm"));
    assert_eq!((config.shard_store.kind, config.shard_store.path), (StoreType::Memory, Some("/data/sessions".into())));
    let timeout = Duration::from_millis(250);
    assert_eq!(config.components, Components { cache_directory: Some("/cache".into()), memory: 32 << 20, timeout });
    assert_eq!(config.lanes, NonZeroUsize::new(3));
    assert_eq!(config.silence, Some(Duration::from_secs(300)));
    let patience = Some(Duration::from_secs(90));
    assert_eq!(config.buffer, Buffer { per_shard: 1 << 20, total: 1 << 30, greatest_age: None, patience });
    let pace = Pace { interval: Duration::from_secs(2), events: NonZeroU64::new(100).unwrap() };
    assert_eq!(config.shard_store.pace, pace);
    assert_eq!((config.limits.message_size, config.shutdown_grace), (64 << 20, Duration::ZERO));
    assert_eq!(config.identify_reserve, Reserve::Starts(20));
    assert_eq!(config.log, Log { level: LogLevel::Debug, format: LogFormat::Json });
}

#[test]
fn the_flag_for_the_log_level_is_the_strongest() {
    let flags = Flags { log_level: Some(LogLevel::Error), ..Flags::default() };
    let environment = BTreeMap::from([("DISCORD_TOKEN", "x"), ("GATEWAY_LOG_LEVEL", "debug")]);
    let loaded = Config::load(&flags, &environment, &only_gateway_toml("[log]\nlevel = \"warn\"")).unwrap();
    assert_eq!(loaded.config.log.level, LogLevel::Error);
}

#[test]
fn the_flag_for_the_reserve_is_the_strongest() {
    for (file, reserve) in
        [("", Reserve::Percent(5)), ("reserve = 7", Reserve::Starts(7)), ("reserve = \"7%\"", Reserve::Percent(7))]
    {
        let file = format!("[identify]\n{file}");
        assert_eq!(config(&file).identify_reserve, reserve);
        let flags = Flags { spend_reserve: true, ..Flags::default() };
        let environment = BTreeMap::from([("DISCORD_TOKEN", "x")]);
        let config = Config::load(&flags, &environment, &only_gateway_toml(&file)).unwrap().config;
        assert_eq!(config.identify_reserve, Reserve::NONE);
        assert!(config.effective().contains("reserve = \"0\" # flag --spend-reserve"), "{}", config.effective());
    }
}

#[test]
fn intents_are_names_and_numbers() {
    for (file, bits) in [
        ("intents = [\"GUILDS\", \"GUILD_MESSAGES\"]", 513),
        ("intents = [\"GUILD_MODERATION\", \"GUILD_BANS\"]", 4),
        ("intents = [\"GUILDS\", \"512\", 32768]", 33281),
        ("intents = 513", 513),
        ("intents = [\"GUILDS\"]\nrawintents = 2", 2),
        ("intents = [\"GUILDS\"]\nraw_intents = 2", 2),
        ("rawintents = 0xFFFF_FFFF", u32::MAX),
    ] {
        assert_eq!(config(file).intents.bits(), bits, "{file}");
    }
    assert_eq!(config_of(&[("DISCORD_INTENTS", "513")]).intents.bits(), 513);
}

#[test]
fn doubtful_intents_and_events_are_warned_of() {
    assert_eq!(
        warnings(
            "intents = [\"GUILD_MESAGES\", 8388608]\nevents = [\"message_create\", \"MESSAGE_CREATE\", \"MESSAGE_DELETE\", \"READY\"]"
        ),
        [
            "gateway.toml:2: events has \"message_create\", which Discord does not document (names are in upper case); did you mean \"MESSAGE_CREATE\"?",
            "gateway.toml:1: intents has \"GUILD_MESAGES\", which is no intent and is ignored; did you mean \"GUILD_MESSAGES\"?",
            "the intents have bits that Discord does not document (0x800000): it may refuse them with close code 4013",
            "events has MESSAGE_CREATE, MESSAGE_DELETE, sent by Discord only with the intent GUILD_MESSAGES or DIRECT_MESSAGES; add it to intents",
        ]
    );
    assert_eq!(
        warnings("events = [\"*\"]"),
        ["intents is empty, so Discord sends hardly any event; see intents in gateway.toml"]
    );
    assert_eq!(
        warnings("rawintents = 1\nintents = [\"GUILDS\"]"),
        ["intents is ignored, because rawintents is given too"]
    );
}

#[test]
fn no_event_is_published_unless_it_is_listed() {
    let loaded = load("", &[]).unwrap();
    assert_eq!(loaded.config.effective_chain()[0].config.expose(), &json!({ "events": [] }));
    assert!(loaded.warnings[0].to_string().starts_with("events is empty, so NOTHING IS PUBLISHED"));
    assert_eq!(config("events = [\"READY\", \"*\"]").events, Events::All);
    assert!(!config("events = [\"*\"]").tells_gaps, "old consumers of everything do not know that event");
    let told = config("events = [\"*\", \"GATEWAY_GAP\"]");
    assert_eq!((told.events, told.tells_gaps), (Events::All, true));
    assert!(config("events = [\"READY\", \"GATEWAY_GAP\"]").tells_gaps);
}

#[test]
fn the_list_of_events_runs_before_the_filters_of_the_file() {
    let filters = "[components]\ntimeout = \"2s\"\n[[filters]]\ncomponent = \"one\"\n[[filters]]\ncomponent = \"two\"\n\
                   events = [\" A \", \"A\", \"B\"]\non_error = \"stop\"\nmemory = 2097152\ntimeout = \"50ms\"\n\
                   config = { Words = [\"x\"], nested = { at = 2020-01-01, big = 9007199254740993, half = 0.5, on = true } }";
    let listed = config(&format!("events = [\"READY\"]\n{filters}")).effective_chain();
    let names: Vec<&str> = listed.iter().map(|filter| filter.component.as_str()).collect();
    assert_eq!(names, ["filter-events", "one", "two"]);
    assert_eq!(listed[0].config.expose(), &json!({ "events": ["READY"] }));
    assert_eq!(
        (listed[1].on_error, listed[1].memory, listed[1].timeout),
        (OnError::Pass, 64 << 20, Duration::from_secs(2))
    );
    assert_eq!(listed[1].config.expose(), &json!({}));
    assert_eq!(
        (listed[2].on_error, listed[2].memory, listed[2].timeout),
        (OnError::Stop, 2 << 20, Duration::from_millis(50))
    );
    assert_eq!(listed[2].events, Some(vec!["A".to_owned(), "B".to_owned()]));
    let nested = json!({ "at": "2020-01-01", "big": 9_007_199_254_740_993_i64, "half": 0.5, "on": true });
    assert_eq!(listed[2].config.expose(), &json!({ "Words": ["x"], "nested": nested }));
    let all = config(&format!("events = [\"*\"]\n{filters}")).effective_chain();
    assert_eq!(all.len(), 2, "nothing to decide for the bundled filter");
}

#[test]
fn shards_are_ids_and_ranges() {
    let subset = |count: u32, ids: &[u32]| Shards::Subset {
        count: count.try_into().unwrap(),
        ids: ids.iter().copied().map(ShardId).collect(),
    };
    for (file, shards) in [
        ("", Shards::Recommended),
        ("[shards]\ncount = 4", Shards::All { count: 4.try_into().unwrap() }),
        ("[shards]\ncount = 4\nids = [3, 0]", subset(4, &[0, 3])),
        ("[shards]\ncount = 12\nids = [\"8-10\", 1, \"3\"]", subset(12, &[1, 3, 8, 9, 10])),
        ("[shards]\ncount = 4\nids = [\"0-3\"]", Shards::All { count: 4.try_into().unwrap() }),
    ] {
        assert_eq!(config(file).shards, shards, "{file}");
    }
}

#[test]
fn a_presence_is_completed() {
    for (file, presence) in [
        ("[presence]", None),
        ("[presence]\nstatus = \"\"", None),
        (
            "[presence]\nstatus = \"idle\"",
            Some(json!({ "since": null, "activities": [], "status": "idle", "afk": false })),
        ),
        (
            "[presence]\nafk = true\nsince = 5\nactivities = [{ name = \"a\", type = 1, url = \"u\" }, { name = \"b\", state = \"s\" }]",
            Some(json!({
                "since": 5,
                "activities": [{ "name": "a", "type": 1, "url": "u" }, { "name": "b", "type": 0, "state": "s" }],
                "status": "online",
                "afk": true,
            })),
        ),
    ] {
        assert_eq!(
            config(file).presence.map(|presence| serde_json::from_str(&presence.to_json()).unwrap()),
            presence,
            "{file}"
        );
    }
    assert_eq!(config_of(&[("DISCORD_PRESENCE", "null")]).presence, None);
    assert_eq!(
        config_of(&[("DISCORD_PRESENCE", r#"{"game":null,"status":"dnd","since":null,"activities":null,"afk":null}"#)])
            .presence
            .unwrap()
            .to_json(),
        r#"{"activities":[],"afk":false,"since":null,"status":"dnd"}"#
    );
}

#[test]
fn message_timeouts_are_whole_milliseconds() {
    for (value, milliseconds) in [
        ("\"2m\"", 120_000),
        ("\"1.5h\"", 5_400_000),
        ("\"1500us\"", 1),
        ("\"0\"", 120_000),
        ("0", 120_000),
        ("\".5s\"", 500),
    ] {
        let timeout = config(&format!("[broker]\nmessage_timeout = {value}")).broker.message_timeout;
        assert_eq!(timeout, Duration::from_millis(milliseconds), "{value}");
    }
}

#[test]
fn an_unknown_broker_goes_to_stdout_with_a_warning() {
    let config = load("[broker]\ntype = \"AMQP\"", &[]).unwrap();
    assert_eq!(
        (config.config.broker.kind, config.config.broker.component.as_str()),
        (BrokerType::Stdio, "broker-stdio")
    );
    assert_eq!(
        warnings("[broker]\ntype = \"AMQP\""),
        ["gateway.toml:2: broker.type = \"AMQP\" IS NOT KNOWN, so events go to STDOUT and commands come from STDIN; \
          known: stdio, amqp, redis; did you mean \"amqp\"?"]
    );
    assert_eq!(warnings("[broker]\ntype = \"stdio\""), [""; 0]);
}

#[test]
fn messages_carry_ids_where_no_consumer_stumbles_over_them_or_as_the_operator_says() {
    for (kind, default) in [("stdio", false), ("amqp", true), ("redis", false)] {
        let message_ids = |own: &str| {
            let file = format!("redis.urls = [\"redis://localhost\"]\n[broker]\ntype = \"{kind}\"\n{own}");
            config(&file).broker.message_ids
        };
        assert_eq!(message_ids(""), default, "{kind}");
        assert!(message_ids("message_ids = true") && !message_ids("message_ids = false"), "{kind}");
    }
    assert!(config_of(&[("BROKER_MESSAGE_IDS", "1")]).broker.message_ids);
}

#[test]
fn the_adapter_gets_the_broker_table() {
    let broker = config("[broker]\ngroup = \"g\"\nconfig = { topic = \"t\" }").broker;
    assert_eq!(
        broker.component_config(3, &[0, 2]),
        json!({
            "type": "stdio",
            "group": "g",
            "encoding": "json",
            "message_timeout_ms": 120_000,
            "message_ids": false,
            "shards": { "count": 3, "ids": [0, 2] },
            "config": { "topic": "t" }
        })
    );
}

#[test]
fn the_file_is_optional_unless_it_is_named() {
    let environment = BTreeMap::from([("DISCORD_TOKEN", "x")]);
    let nothing = |_: &Path| Err(io::Error::new(io::ErrorKind::NotFound, "no such file"));
    let loaded = Config::load(&Flags::default(), &environment, &nothing).unwrap();
    assert_eq!(loaded.file, None);
    let flags = Flags { config: Some("other.toml".into()), ..Flags::default() };
    assert_eq!(
        Config::load(&flags, &environment, &nothing).unwrap_err().to_string(),
        "the configuration has an error:\n  flag --config: other.toml cannot be read: no such file; give the path of a readable file"
    );
}

#[test]
fn a_file_is_read_up_to_a_megabyte() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, "\u{feff}events = [\"READY\"]\r\n[shards]\r\ncount = 3\r\n").unwrap();
    let flags = Flags { config: Some(path.clone()), ..Flags::default() };
    let loaded = Config::load(&flags, &BTreeMap::from([("DISCORD_TOKEN", "x")]), &read_file).unwrap();
    assert_eq!((loaded.config.events, loaded.file), (Events::Only(vec!["READY".to_owned()]), Some(path.clone())));
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(read_file(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}
