//! Files and environments of the original gateway mean what they meant.

use gateway_protocol::ShardId;

use super::*;

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn the_readme_of_the_json_era_means_what_it_meant() {
    let config = load(JSON_ERA, &[("DISCORD_TOKEN", "a.b.c")]).unwrap().config;
    assert_eq!(config.token.expose(), "a.b.c");
    assert_eq!(config.events, Events::Only(Vec::new()));
    assert_eq!(config.intents.bits(), 0);
    assert_eq!(config.shards, Shards::All { count: 2.try_into().unwrap() });
    assert_eq!((config.broker.kind, config.broker.encoding), (BrokerType::Amqp, Encoding::Json));
    assert_eq!((config.broker.group.as_str(), config.broker.message_timeout), ("gateway", SECONDS(120)));
    assert_eq!(config.broker.component, "broker-amqp");
    let prometheus = config.prometheus.unwrap();
    assert_eq!((prometheus.address.to_string().as_str(), prometheus.endpoint.as_deref()), (":8080", Some("/metrics")));
    assert_eq!((config.shard_store.kind, config.shard_store.prefix.as_str()), (StoreType::Redis, "gateway"));
    assert_eq!(config.amqp.url.expose(), "amqp://localhost");
    assert_eq!(config.redis, Redis { urls: vec![SecretUrl::new("localhost:6379")], pool_size: 5, ca_file: None });
    assert_eq!(config.presence, None, "an empty table is none");
}

#[test]
fn the_readme_of_the_msgpack_era_means_what_it_meant() {
    let config = config(MSGPACK_ERA);
    assert_eq!((config.broker.kind, config.broker.encoding), (BrokerType::Redis, Encoding::Msgpack));
    assert_eq!(
        config.api,
        Api { scheme: Scheme::Https, host: "discord.com".to_owned(), version: 10, gateway_version: 10 }
    );
    assert_eq!(config.redis, Redis { urls: vec![SecretUrl::new("localhost:6379")], pool_size: 5, ca_file: None });
    assert_eq!(config.amqp.url.expose(), "amqp://localhost");
    assert_eq!(
        config.presence.unwrap().to_json(),
        r#"{"activities":[{"name":"test","type":0}],"afk":false,"since":null,"status":"online"}"#
    );
}

#[test]
fn the_url_of_the_first_era_is_that_of_amqp() {
    let url = |file: &str, variables: &[(&'static str, &'static str)]| {
        load(file, variables).unwrap().config.amqp.url.expose().to_owned()
    };
    let old = "[broker]\nurl = \"amqp://old\"";
    let both = "[broker]\nurl = \"amqp://old\"\n[amqp]\nurl = \"amqp://new\"";
    assert_eq!(url(old, &[]), "amqp://old");
    assert_eq!(url(both, &[]), "amqp://new");
    assert_eq!(url(both, &[("BROKER_URL", "amqp://variable")]), "amqp://variable");
    assert_eq!(url(both, &[("BROKER_URL", "amqp://variable"), ("AMQP_URL", "amqp://strongest")]), "amqp://strongest");
    assert_eq!(url("", &[]), "amqp://localhost");
    assert_eq!(warnings(both), ["gateway.toml:2: broker.url is ignored, because amqp.url is given too"]);
}

#[test]
fn the_quick_start_of_the_readme_warns_of_its_unknown_intent() {
    let variables = [("DISCORD_EVENTS", "MESSAGE_CREATE"), ("DISCORD_INTENTS", "GUILD,GUILD_MESSAGES")];
    let loaded = load("", &variables).unwrap();
    assert_eq!(loaded.config.intents.bits(), 1 << 9);
    assert_eq!(loaded.config.events, Events::Only(vec!["MESSAGE_CREATE".to_owned()]));
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "environment variable DISCORD_INTENTS: intents has \"GUILD\", which is no intent and is ignored; did you mean \"GUILDS\"?"
        ]
    );
}

#[test]
fn key_names_match_in_any_case() {
    let file = "EVENTS = [\"READY\"]\nRawIntents = 513\n[SHARDS]\nCount = 3\nIDs = [1]\n[Broker]\nGroup = \"g\"\n\
                Message_Timeout = \"5s\"\n[API]\nHost = \"proxy\"\n[Presence]\nStatus = \"idle\"\n[Presence.Game]\nName = \"x\"";
    let config = config(file);
    assert_eq!(config.events, Events::Only(vec!["READY".to_owned()]));
    assert_eq!(config.intents.bits(), 513);
    assert_eq!(config.shards, Shards::Subset { count: 3.try_into().unwrap(), ids: vec![ShardId(1)] });
    assert_eq!((config.broker.group.as_str(), config.broker.message_timeout), ("g", SECONDS(5)));
    assert_eq!(config.api.host, "proxy");
    assert!(config.presence.unwrap().to_json().contains("\"name\":\"x\""));
}

#[test]
fn every_variable_of_the_original_is_read() {
    let loaded = load(
        "token = \"file\"\nevents = [\"READY\"]\n[broker]\ngroup = \"file\"",
        &[
            ("DISCORD_TOKEN", "Bot variable"),
            ("DISCORD_EVENTS", " MESSAGE_CREATE , GUILD_CREATE,,"),
            ("DISCORD_INTENTS", "GUILDS , GUILD_MESSAGES"),
            ("DISCORD_RAW_INTENTS", "513"),
            ("DISCORD_GATEWAY_VERSION", "9"),
            ("DISCORD_API_VERSION", "8"),
            ("DISCORD_API_PROTOCOL", "http"),
            ("DISCORD_API_HOST", "proxy:3000"),
            ("DISCORD_SHARD_COUNT", "16"),
            ("DISCORD_SHARD_IDS", "0, 4-6"),
            ("DISCORD_PRESENCE", r#"{"status":"dnd","game":{"name":"chess","type":5}}"#),
            ("BROKER_TYPE", "redis"),
            ("BROKER_GROUP", "bots"),
            ("BROKER_MESSAGE_TIMEOUT", "1h30m"),
            ("AMQP_URL", "amqps://a:b@rabbit/v"),
            ("REDIS_URL", "one:6379, redis://two"),
            ("REDIS_POOL_SIZE", "9"),
            ("SHARD_STORE_TYPE", "redis"),
            ("SHARD_STORE_PREFIX", "p"),
            ("PROMETHEUS_ADDRESS", "127.0.0.1:9090"),
            ("PROMETHEUS_ENDPOINT", "/m"),
        ],
    );
    let config = loaded.unwrap().config;
    assert_eq!(config.token.expose(), "variable");
    assert_eq!(config.events, Events::Only(vec!["MESSAGE_CREATE".to_owned(), "GUILD_CREATE".to_owned()]));
    assert_eq!(config.intents.bits(), 513);
    assert_eq!(config.api, Api { scheme: Scheme::Http, host: "proxy:3000".to_owned(), version: 8, gateway_version: 9 });
    let ids = [0, 4, 5, 6].map(ShardId).to_vec();
    assert_eq!(config.shards, Shards::Subset { count: 16.try_into().unwrap(), ids });
    assert!(config.presence.unwrap().to_json().contains(r#""activities":[{"name":"chess","type":5}]"#));
    assert_eq!((config.broker.kind, config.broker.group.as_str()), (BrokerType::Redis, "bots"));
    assert_eq!(config.broker.message_timeout, SECONDS(5400));
    assert_eq!(config.amqp.url.expose(), "amqps://a:b@rabbit/v");
    assert_eq!(
        config.redis,
        Redis { urls: vec![SecretUrl::new("one:6379"), SecretUrl::new("redis://two")], pool_size: 9, ca_file: None }
    );
    assert_eq!((config.shard_store.kind, config.shard_store.prefix.as_str()), (StoreType::Redis, "p"));
    let prometheus = config.prometheus.unwrap();
    assert_eq!(
        (prometheus.address.to_string().as_str(), prometheus.endpoint.as_deref()),
        ("127.0.0.1:9090", Some("/m"))
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let file = "events = [\"READY\"]\n[shards]\ncount = 2";
    for key in schema::KEYS {
        for variable in key.variables.iter().filter(|variable| **variable != "DISCORD_TOKEN") {
            assert_eq!(load(file, &[(*variable, "")]).unwrap().config, config(file), "{variable}");
        }
    }
}

#[test]
fn the_misspelt_documented_name_of_the_scheme_works_too() {
    assert_eq!(config_of(&[("DISCORD_API_SCHEME", "http")]).api.scheme, Scheme::Http);
    let both = [("DISCORD_API_SCHEME", "http"), ("DISCORD_API_PROTOCOL", "https")];
    assert_eq!(config_of(&both).api.scheme, Scheme::Https);
}

#[test]
fn zero_and_empty_mean_the_default_as_they_did() {
    let config = config(
        "gateway_version = 0\nrawintents = 0\n[api]\nversion = 0\nscheme = \"\"\nhost = \"\"\n[shards]\ncount = 0\nids = []\n\
         [broker]\ntype = \"\"\ngroup = \"\"\nmessage_timeout = \"0\"\n[redis]\npool_size = 0\n[prometheus]\naddress = \"\"\nendpoint = \"\"\n\
         [shard_store]\ntype = \"\"\n[amqp]\nurl = \"\"",
    );
    let mut defaults = config_of(&[]);
    defaults.origins = config.origins.clone();
    assert_eq!(config, defaults);
    assert_eq!((config.api.version, config.api.gateway_version), (10, 10));
    assert_eq!((config.redis.pool_size, config.broker.group.as_str()), (5, "gateway"));
}

/// The configuration of the README at v0.2.1.
const JSON_ERA: &str = include_str!("../../../../tests/interop/configurations/readme_of_the_json_era.toml");

/// The configuration of the README at the last revision, with its presence.
const MSGPACK_ERA: &str = include_str!("../../../../tests/interop/configurations/readme_of_the_msgpack_era.toml");
