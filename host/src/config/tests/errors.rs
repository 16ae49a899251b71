//! What is refused, and with what words.

use std::ffi::OsString;

use super::*;

#[test]
fn everything_wrong_is_told_at_once() {
    let file = "evnets = []\ncompression = \"zstd\"\n[broker]\nmessage_timeout = \"2min\"\n[shards]\ncount = -1\n";
    let environment = BTreeMap::from([("DISCORD_LARGE_THRESHOLD", "many"), ("GATEWAY_BUFFER_TOTAL", "1MB")]);
    assert_eq!(
        load_exactly(file, &environment).unwrap_err().to_string(),
        "the configuration has 7 errors:
  gateway.toml:1: unknown key \"evnets\"; did you mean \"events\"?
  gateway.toml:2: compression = \"zstd\" is not known; accepted: zstd-stream, zlib-stream, none
  gateway.toml:4: broker.message_timeout = \"2min\" has an unknown unit \"min\"; accepted: a duration such as \"2m\", \"1h30m\" or \"500ms\", from 0s to 1193h2m47s295ms
  gateway.toml:6: shards.count = -1 is out of range; accepted: an integer from 0 to 100000, 0 to ask Discord
  environment variable DISCORD_LARGE_THRESHOLD: large_threshold = \"many\" is not an integer; accepted: an integer from 50 to 250
  environment variable GATEWAY_BUFFER_TOTAL: buffer.total = \"1MB\" has an unknown unit \"MB\"; accepted: a size such as \"64MiB\" or \"512KiB\", or a number of bytes, from 64KiB to 2047MiB
  token is missing; set token in gateway.toml, or the environment variable DISCORD_TOKEN, or DISCORD_TOKEN_FILE to the path of a file that holds the token"
    );
}

#[test]
fn unknown_keys_are_told_with_the_nearest() {
    for (file, error) in [
        ("tokne = \"x\"", "gateway.toml:1: unknown key \"tokne\"; did you mean \"token\"?"),
        ("\n\n[shard_stor]\ntype = \"\"", "gateway.toml:3: unknown key \"shard_stor\"; did you mean \"shard_store\"?"),
        ("[Broker]\nGruop = \"x\"", "gateway.toml:2: unknown key \"broker.Gruop\"; did you mean \"broker.group\"?"),
        ("prefix = \"x\"", "gateway.toml:1: unknown key \"prefix\"; did you mean \"shard_store.prefix\"?"),
        ("[kafka]\nurl = 1", "gateway.toml:1: unknown key \"kafka\""),
        ("[presence]\nstatsu = 1", "gateway.toml:2: unknown key \"presence.statsu\"; did you mean \"status\"?"),
        ("broker.groop = 1", "gateway.toml:1: unknown key \"broker.groop\"; did you mean \"broker.group\"?"),
        (
            "[[filters]]\ncomponent = \"x\"\n\ntimout = 1",
            "gateway.toml:4: unknown key \"filters[0].timout\"; did you mean \"timeout\"?",
        ),
    ] {
        assert_eq!(errors(file), [error], "{file}");
    }
}

#[test]
fn broken_toml_is_told_with_its_line_and_what_the_environment_has_wrong() {
    let told = errors_of("events = [\"READY\"]\n[shards\ncount = 2\nids = = 3\n", &[("DISCORD_LARGE_THRESHOLD", "1")]);
    assert!(told[0].starts_with("gateway.toml:2: this is not TOML: "), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("gateway.toml:4: this is not TOML: ")), "{told:?}");
    assert!(told.last().unwrap().starts_with("environment variable DISCORD_LARGE_THRESHOLD: "), "{told:?}");
    assert!(errors("a = 1\na = 2")[0].starts_with("gateway.toml:2: this is not TOML: duplicate key"));
}

#[test]
fn a_key_in_two_spellings_is_told() {
    let told = errors("events = []\nEvents = []");
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with("events is given twice; upper and lower case make no difference"), "{told:?}");
}

#[test]
fn wrong_values_are_told_with_place_value_and_what_is_accepted() {
    for (file, told) in [
        ("events = \"READY\"", "1: events = \"READY\" is not a list; accepted: a list of event names"),
        ("events = [\n\"READY\",\n5]", "3: events = 5 is not a text; accepted: a list of event names"),
        ("intents = \"GUILDS\"", "1: intents = \"GUILDS\" is not a list; accepted: a list of names"),
        ("intents = [1.5]", "1: intents = 1.5 is neither a name nor a number"),
        ("intents = [4294967296]", "1: intents = 4294967296 is out of range"),
        ("intents = [\"-1\"]", "1: intents = \"-1\" is out of range"),
        (
            "rawintents = 4294967296",
            "1: rawintents = 4294967296 is out of range; accepted: an integer from 0 to 4294967295",
        ),
        ("rawintents = \"513\"", "1: rawintents = \"513\" is not an integer"),
        ("rawintents = 1.0", "1: rawintents = 1 is not an integer"),
        ("gateway_version = 256", "1: gateway_version = 256 is out of range"),
        ("large_threshold = 49", "1: large_threshold = 49 is out of range; accepted: an integer from 50 to 250"),
        ("compression = true", "1: compression = true is not known"),
        ("broker = \"amqp\"", "1: broker = \"amqp\" is not a table; accepted: a table, which begins with [broker]"),
        ("broker.type = 5", "1: broker.type = 5 is not a text; accepted: stdio, amqp, redis"),
        (
            "broker.encoding = \"msgpck\"",
            "1: broker.encoding = \"msgpck\" is not known; accepted: json, msgpack, msgpack-object; did you mean \"msgpack\"?",
        ),
        ("broker.message_timeout = \"-1s\"", "1: broker.message_timeout = \"-1s\" is negative"),
        (
            "broker.message_timeout = \"999us\"",
            "1: broker.message_timeout = \"999us\" is less than a millisecond; accepted: 0 for the default (2m), or at least 1ms",
        ),
        ("broker.message_timeout = 120", "1: broker.message_timeout = 120 has no unit"),
        ("broker.message_timeout = \"2000h\"", "1: broker.message_timeout = \"2000h\" is out of range"),
        ("broker.message_timeout = [1]", "1: broker.message_timeout = […] is not a duration"),
        ("broker.config = \"x\"", "1: broker.config = \"x\" is not a table"),
        (
            "broker.config = { x = nan }",
            "1: broker.config.x = NaN cannot be written as JSON; accepted: a finite number",
        ),
        (
            "broker.config = { x = 99999999999999999999 }",
            "1: broker.config.x = 99999999999999999999 cannot be written as JSON",
        ),
        ("amqp.url = \"localhost\"", "1: amqp.url is no AMQP address; accepted: amqp://"),
        ("amqp.url = 5", "1: amqp.url is an integer; accepted: amqp://"),
        ("redis.urls = [\"amqp://x\"]", "1: redis.urls has what is no Redis address; accepted: host:port"),
        ("redis.url = \"a\"\nredis.urls = [\"b\"]", "1: redis.url and redis.urls are both given; remove redis.url"),
        ("redis.pool_size = -5", "1: redis.pool_size = -5 is out of range"),
        (
            "shard_store.type = \"memry\"",
            "1: shard_store.type = \"memry\" is not known; accepted: local, memory, redis; did you mean \"memory\"?",
        ),
        ("api.scheme = \"wss\"", "1: api.scheme = \"wss\" is not known; accepted: https, http"),
        ("api.host = \"https://discord.com\"", "1: api.host = \"https://discord.com\" is not a host"),
        (
            "prometheus.address = \"8080\"",
            "1: prometheus.address = \"8080\" is no address to listen on; accepted: \":8080\"",
        ),
        ("prometheus.endpoint = \"metrics\"", "1: prometheus.endpoint = \"metrics\" does not begin with /"),
        ("shards.ids = [0]", "1: shards.ids = […] needs shards.count"),
        ("shards.count = 0\nshards.ids = [0]", "2: shards.ids = […] needs shards.count"),
        (
            "shards.count = 2\nshards.ids = [2]",
            "2: shards.ids = 2 is out of range; accepted: ids from 0 to 1, because shards.count is 2",
        ),
        ("shards.count = 9\nshards.ids = [1, \"0-3\"]", "2: shards.ids = \"0-3\" names shard 1 again"),
        ("shards.count = 9\nshards.ids = [\"3-1\"]", "2: shards.ids = \"3-1\" is no shard"),
        ("shards.count = 9\nshards.ids = [-1]", "2: shards.ids = -1 is no shard"),
        ("shards.count = 9\nshards.ids = [\"0-4294967295\"]", "2: shards.ids = \"0-4294967295\" is out of range"),
        (
            "shards.count = 99999999999999999999999999999999999999999",
            "1: shards.count = \"99999999999999999999999999999999999999999\" is not an integer",
        ),
        ("filters = []\n[components]\nmemory = \"1KiB\"", "3: components.memory = \"1KiB\" is out of range"),
        ("[[filters]]\n", "1: filters[0].component = {…} is missing"),
        (
            "[[filters]]\ncomponent = \"a\"\non_error = \"skip\"",
            "3: filters[0].on_error = \"skip\" is not known; accepted: pass, drop, stop",
        ),
        ("filters = [1]", "1: filters = 1 is not a table"),
        ("filters = 1", "1: filters = 1 is not a list"),
        ("components.timeout = \"1ms\"", "1: components.timeout = \"1ms\" is out of range"),
        ("lanes.count = 2000", "1: lanes.count = 2000 is out of range"),
        ("buffer.per_shard = \"1GiB\"", "1: buffer.per_shard = \"1GiB\" leaves buffer.total below buffer.per_shard"),
        (
            "identify.reserve = \"60%\"",
            "1: identify.reserve = \"60%\" is no reserve; accepted: a number of session starts such as 50",
        ),
        ("shutdown.grace = \"-1s\"", "1: shutdown.grace = \"-1s\" is negative"),
        (
            "log.level = \"verbose\"",
            "1: log.level = \"verbose\" is not known; accepted: suppress, error, warn, info, debug",
        ),
        ("presence = 1", "1: presence = 1 is not a table"),
        (
            "presence.status = \"onlien\"",
            "1: presence.status = \"onlien\" is not known; accepted: online, idle, dnd, invisible, offline; did you mean \"online\"?",
        ),
        ("presence.game = { type = 0 }", "1: presence.game = {…} has no name"),
        (
            "presence.activities = [{ name = \"x\", type = 6 }]",
            "1: presence.activities.type = 6 is not known; accepted: 0 (playing)",
        ),
        (
            "presence.activities = []\npresence.game = { name = \"x\" }",
            "2: presence.game and presence.activities are both given",
        ),
        ("presence.afk = 1", "1: presence.afk = 1 is not a boolean"),
        ("presence.since = -1", "1: presence.since = -1 is not a time"),
    ] {
        let lines = errors(file);
        assert!(lines.len() == 1 && lines[0].starts_with(&format!("gateway.toml:{told}")), "{file}: {lines:?}");
    }
}

#[test]
fn wrong_variables_are_told_by_their_names() {
    for (variable, value, told) in [
        ("DISCORD_SHARD_COUNT", "two", "shards.count = \"two\" is not an integer"),
        ("DISCORD_RAW_INTENTS", "0x1", "rawintents = \"0x1\" is not an integer"),
        ("DISCORD_PRESENCE", "{", "presence is not JSON: EOF while parsing"),
        ("DISCORD_PRESENCE", "[]", "presence = […] is not a table"),
        ("BROKER_MESSAGE_TIMEOUT", "1h 2m", "broker.message_timeout = \"1h 2m\" has an unknown unit \"h \""),
        ("BROKER_DISCARD_REDELIVERED", "yes", "broker.discard_redelivered = \"yes\" is not a boolean; accepted: true"),
        ("AMQP_UNROUTABLE", "keep", "amqp.unroutable = \"keep\" is not known; accepted: drop, dead-letter"),
        ("GATEWAY_LOG_FORMAT", "xml", "log.format = \"xml\" is not known; accepted: text, json"),
    ] {
        let lines = errors_of("", &[(variable, value)]);
        assert!(
            lines.len() == 1 && lines[0].starts_with(&format!("environment variable {variable}: {told}")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_variable_that_is_no_text_is_told() {
    struct Broken;
    impl Environment for Broken {
        fn variable(&self, name: &str) -> Option<OsString> {
            match name {
                "DISCORD_TOKEN" => Some("x".into()),
                "BROKER_GROUP" => Some(broken_text()),
                _ => None,
            }
        }
    }
    let error = Config::load(&Flags::default(), &Broken, &only_gateway_toml("")).unwrap_err();
    assert_eq!(error.problems()[0].to_string(), "environment variable BROKER_GROUP: broker.group is not UTF-8 text");
}

#[cfg(unix)]
fn broken_text() -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![0xff])
}

#[cfg(windows)]
fn broken_text() -> OsString {
    std::os::windows::ffi::OsStringExt::from_wide(&[0xd800])
}
