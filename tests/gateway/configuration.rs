//! The configuration of the running binary.

use gateway_simulator::Options;
use gateway_tests::Setup;

use crate::GATEWAY;
use crate::support::{quiet, setup, start, without_guilds};

#[tokio::test]
async fn everything_wrong_is_told_at_once_with_place_value_and_what_is_accepted() {
    let file = "evnets = []\ncompression = \"zstd\"\n\n[broker]\nmessage_timeout = \"2min\"\n";
    let setup = Setup::new(GATEWAY).file(file).variable("DISCORD_SHARD_COUNT", "two");
    let error = setup.failure().await;
    for expected in [
        "gateway: the configuration has 5 errors:",
        "  gateway.toml:1: unknown key \"evnets\"; did you mean \"events\"?",
        "  gateway.toml:2: compression = \"zstd\" is not known; accepted: zstd-stream, zlib-stream, none",
        "  gateway.toml:5: broker.message_timeout = \"2min\" has an unknown unit \"min\"; accepted: a duration",
        "  environment variable DISCORD_SHARD_COUNT: shards.count = \"two\" is not an integer; accepted: an integer",
        "  token is missing; set token in gateway.toml, or the environment variable DISCORD_TOKEN, or DISCORD_TOKEN_FILE",
    ] {
        assert!(error.lines().any(|line| line.starts_with(expected)), "{expected} is not in\n{error}");
    }
    assert_eq!(error.lines().count(), 6, "{error}");
}

#[tokio::test]
async fn broken_toml_is_an_error_with_its_line() {
    let error = Setup::new(GATEWAY).file("events = [\"READY\"]\n[shards\n").failure().await;
    assert!(error.contains("gateway.toml:2: this is not TOML: "), "{error}");
}

#[tokio::test]
async fn an_unknown_broker_goes_to_stdout_with_a_loud_warning() {
    let simulator = quiet().await;
    let mut gateway = setup(&simulator).variable("BROKER_TYPE", "stdoi").start();
    let line = gateway.logged("broker.type = \"stdoi\" IS NOT KNOWN").await;
    assert!(line.contains("WARN") && line.contains("did you mean \"stdio\"?"), "{line}");
    gateway.next_named("READY").await;
}

#[tokio::test]
async fn redis_without_an_address_is_an_error_that_names_key_and_variable() {
    let simulator = quiet().await;
    for (key, variable) in [("broker.type", "BROKER_TYPE"), ("shard_store.type", "SHARD_STORE_TYPE")] {
        let error = setup(&simulator).variable(variable, "redis").failure().await;
        let told = format!("environment variable {variable}: {key} = \"redis\" needs the address of a Redis server");
        assert!(error.contains(&told) && error.contains("redis.urls or the environment variable REDIS_URL"), "{error}");
    }
}

#[tokio::test]
async fn the_token_can_come_from_a_file_of_its_own() {
    let simulator = start(Options { token: Some("MTIz.from.file".into()), ..without_guilds() }).await;
    let setup = setup(&simulator).variable("DISCORD_TOKEN", "").variable("DISCORD_TOKEN_FILE", "token");
    let error = setup.failure().await;
    assert!(error.contains("token_file = \"token\" cannot be read"), "{error}");
    std::fs::write(setup.path("token"), "Bot MTIz.from.file\n").unwrap();
    let mut gateway = setup.start();
    gateway.next_named("READY").await;
    assert!(!gateway.log().contains("from.file"), "{}", gateway.log());
}

#[tokio::test]
async fn the_effective_configuration_is_told_at_the_start_with_origins_and_without_secrets() {
    let simulator = quiet().await;
    let file = "[AMQP]\nURL = \"amqps://user:hunter2@rabbit\"\n[broker]\ngroup = \"mine\"\n";
    let mut gateway = setup(&simulator).file(file).start();
    gateway.next_named("READY").await;
    let log = gateway.log();
    for line in [
        "token = \"[redacted]\" # environment variable DISCORD_TOKEN",
        "events = [\"*\"] # environment variable DISCORD_EVENTS",
        "group = \"mine\" # gateway.toml:4",
        "encoding = \"json\" # default",
    ] {
        assert!(log.lines().any(|logged| logged.ends_with(line)), "{line} is not in\n{log}");
    }
    assert!(!log.contains("test.token") && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn the_originals_flags_work_and_a_file_that_was_asked_for_must_be_there() {
    let simulator = quiet().await;
    let flags = |setup: Setup| ["-config", "other.toml", "-loglevel", "debug"].into_iter().fold(setup, Setup::argument);
    let setup = flags(setup(&simulator).file("broken = "));
    let error = setup.failure().await;
    assert!(error.contains("other.toml cannot be read"), "{error}");
    std::fs::write(setup.path("other.toml"), "[broker]\ngroup = \"mine\"\n").unwrap();
    let mut gateway = setup.start();
    gateway.next_named("READY").await;
    gateway.logged("DEBUG").await;
    gateway.logged("group = \"mine\" # other.toml:2").await;
}

#[tokio::test]
async fn a_file_of_the_originals_readme_works_as_it_is() {
    let simulator = quiet().await;
    let file = r#"
token = ""
events = [
	"MESSAGE_CREATE",
]
intents = ["GUILD", "GUILD_MESSAGES"]

[shards]
count = 1
ids = [0]

[broker]
type = ""
group = "gateway"
message_timeout = "2m"

[prometheus]
address = "127.0.0.1:0"
endpoint = "/metrics"

[shard_store]
type = ""
prefix = "gateway"

[presence]
status = "online"

[presence.game]
name = "test"
type = 0

[amqp]
url = "amqp://localhost"

[redis]
url = "localhost:6379"
"#;
    let setup = setup(&simulator).file(file).variable("DISCORD_EVENTS", "").variable("DISCORD_RAW_INTENTS", "");
    let mut gateway = setup.start();
    gateway.logged("intents has \"GUILD\", which is no intent and is ignored").await;
    simulator.control().wait_for(|entry| entry.shard == Some(0)).await.unwrap();
    assert_eq!(gateway.get("/metrics").await.status, 200);
    gateway.drain().await;
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_exit_code_2() {
    let output = Setup::new(GATEWAY).argument("--confg").output().await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--config"));
}

#[tokio::test]
async fn the_log_can_be_json() {
    let simulator = quiet().await;
    let mut gateway = setup(&simulator).variable("GATEWAY_LOG_FORMAT", "json").start();
    gateway.next_named("READY").await;
    gateway.drain().await;
    for line in gateway.whole_log().await.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["message"].is_string() && line["level"].is_string(), "{line}");
    }
}
