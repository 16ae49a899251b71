//! The servers of brokers and stores.

use super::*;

#[test]
fn the_settings_of_servers_are_read_from_file_and_environment() {
    let file = "[broker]\ncommand_age = \"90s\"\ndiscard_redelivered = true\n\
                [amqp]\nurl = \"amqps://rabbit\"\nca_file = \"ca.pem\"\nunroutable = \"dead-letter\"\n\
                [redis]\nurls = [\"rediss://one\"]\nca_file = \"ca.pem\"\n[dead_letters]\npath = \"letters\"";
    let variables = [
        ("BROKER_COMMAND_AGE", "1m30s"),
        ("BROKER_DISCARD_REDELIVERED", "True"),
        ("AMQP_URL", "amqps://rabbit"),
        ("AMQP_CA_FILE", "ca.pem"),
        ("AMQP_UNROUTABLE", "dead-letter"),
        ("REDIS_URL", "rediss://one"),
        ("REDIS_CA_FILE", "ca.pem"),
        ("DEAD_LETTERS_PATH", "letters"),
    ];
    for config in [config(file), config_of(&variables)] {
        let commands = CommandPolicy { greatest_age: Some(Duration::from_secs(90)), discard_redelivered: true };
        assert_eq!(config.broker.commands, commands);
        let ca_file = Some(PathBuf::from("ca.pem"));
        let amqp = Amqp {
            url: SecretUrl::new("amqps://rabbit"),
            ca_file: ca_file.clone(),
            unroutable: Unroutable::DeadLetter,
        };
        assert_eq!(config.amqp, amqp);
        assert_eq!(config.redis, Redis { urls: vec![SecretUrl::new("rediss://one")], pool_size: 5, ca_file });
        assert_eq!(config.dead_letters.path, Some("letters".into()));
    }
}

#[test]
fn what_is_left_unsaid_about_servers_has_these_defaults() {
    let config = config("");
    let commands = CommandPolicy { greatest_age: Some(Duration::from_secs(300)), discard_redelivered: false };
    assert_eq!(config.broker.commands, commands);
    let amqp = Amqp { url: SecretUrl::new("amqp://localhost"), ca_file: None, unroutable: Unroutable::Drop };
    assert_eq!(config.amqp, amqp);
    assert_eq!(config.redis, Redis { urls: Vec::new(), pool_size: 5, ca_file: None });
    assert_eq!(config.dead_letters.path, None);
}

#[test]
fn every_broker_has_its_adapter_and_its_encoding() {
    for (kind, component, encoding) in [
        ("stdio", "broker-stdio", Encoding::Json),
        ("amqp", "broker-amqp", Encoding::Json),
        ("redis", "broker-redis", Encoding::Msgpack),
    ] {
        let servers = "[redis]\nurls = [\"localhost:6379\"]";
        let broker = config(&format!("[broker]\ntype = \"{kind}\"\n{servers}")).broker;
        assert_eq!((broker.component.as_str(), broker.encoding), (component, encoding));
        let objects = config(&format!("[broker]\ntype = \"{kind}\"\nencoding = \"msgpack-object\"\n{servers}"));
        assert_eq!(objects.broker.encoding, Encoding::MsgpackObject);
    }
}

#[test]
fn a_command_age_of_zero_is_no_limit() {
    for value in ["0", "\"0\"", "\"0s\""] {
        assert_eq!(config(&format!("broker.command_age = {value}")).broker.commands.greatest_age, None, "{value}");
    }
}

#[test]
fn booleans_in_the_environment_are_words_or_digits() {
    for (value, boolean) in [("true", true), (" TRUE ", true), ("1", true), ("false", false), ("0", false)] {
        let commands = config_of(&[("BROKER_DISCARD_REDELIVERED", value)]).broker.commands;
        assert_eq!(commands.discard_redelivered, boolean, "{value}");
    }
}

#[test]
fn redis_without_an_address_is_told_with_key_and_variable() {
    let told = "needs the address of a Redis server; accepted: redis.urls or the environment variable REDIS_URL with host:port";
    for addresses in ["", "[redis]\nurls = []", "[redis]\nurl = \"\""] {
        let lines = errors(&format!("[broker]\ntype = \"redis\"\n[shard_store]\ntype = \"redis\"\n{addresses}"));
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with(&format!("gateway.toml:2: broker.type = \"redis\" {told}")), "{lines:?}");
        assert!(lines[1].starts_with(&format!("gateway.toml:4: shard_store.type = \"redis\" {told}")), "{lines:?}");
    }
    let lines = errors_of("", &[("BROKER_TYPE", "redis"), ("REDIS_URL", " , ")]);
    assert!(lines[0].starts_with("environment variable BROKER_TYPE: broker.type = \"redis\" needs"), "{lines:?}");
    let lines = errors("[broker]\ntype = \"redis\"\n[redis]\nurls = [\"http://x\"]");
    assert_eq!(lines.len(), 1, "a wrong address is not a missing one: {lines:?}");
}

#[test]
fn a_mixture_of_addresses_with_and_without_tls_is_refused() {
    for other in ["redis://two", "two:6379"] {
        let lines = errors(&format!("redis.urls = [\"rediss://:hunter2@one\", \"{other}\"]"));
        assert_eq!(
            lines,
            [
                "gateway.toml:1: redis.urls has addresses with TLS beside addresses without; accepted: rediss:// for all of \
              them, or for none"
            ]
        );
    }
}

#[test]
fn a_group_fits_into_the_name_of_a_queue() {
    let longest = "g".repeat(244);
    let group = config(&format!("broker.group = \"{longest}\"")).broker.group;
    assert_eq!(format!("{group}:{}", u32::MAX).len(), 255);
    for (value, told) in [
        (format!("{longest}g"), "has 245 bytes; accepted: a name of at most 244 bytes"),
        ("\u{e9}".repeat(123), "has 246 bytes"),
        ("a\\u0000".to_owned(), "has a control character in it"),
    ] {
        let lines = errors(&format!("broker.group = \"{value}\""));
        assert!(lines.len() == 1 && lines[0].contains(told), "{lines:?}");
    }
    assert!(errors_of("", &[("BROKER_GROUP", "gateway\n")])[0].contains("has a control character"));
}

#[test]
fn a_prefix_whose_keys_may_be_those_of_another_is_warned_of() {
    let redis = "[redis]\nurls = [\"localhost\"]\n[shard_store]\ntype = \"redis\"";
    let told = warnings(&format!("{redis}\nprefix = \"p1\""));
    assert!(told.len() == 1 && told[0].starts_with("gateway.toml:5: shard_store.prefix = \"p1\" ends with a digit"));
    for harmless in [format!("{redis}\nprefix = \"p1:\""), redis.to_owned(), "shard_store.prefix = \"p1\"".to_owned()] {
        assert_eq!(warnings(&harmless), [""; 0], "{harmless}");
    }
}

#[test]
fn a_file_of_certificates_holds_at_least_one_that_can_be_used() {
    for (file, fault) in [
        ("missing.pem", "cannot be read: "),
        ("empty.pem", "has no certificate in it"),
        ("broken.pem", "has a certificate that cannot be used: "),
    ] {
        for (key, variable) in [("amqp.ca_file", "AMQP_CA_FILE"), ("redis.ca_file", "REDIS_CA_FILE")] {
            let lines = errors_of("", &[(variable, file)]);
            let told = format!("environment variable {variable}: {key} = {file:?} {fault}");
            assert!(lines.len() == 1 && lines[0].starts_with(&told), "{lines:?}");
            assert!(lines[0].contains("; accepted: the path of a PEM file with at least one certificate"), "{lines:?}");
        }
    }
}

#[test]
fn certificates_beside_an_address_without_tls_are_warned_of() {
    let told =
        |key: &str| format!("gateway.toml:1: {key} has no effect, because the server's address does not ask for TLS");
    assert_eq!(warnings("amqp.ca_file = \"ca.pem\""), [told("amqp.ca_file")]);
    assert_eq!(warnings("redis.ca_file = \"ca.pem\"\nredis.urls = [\"one\"]"), [told("redis.ca_file")]);
}
