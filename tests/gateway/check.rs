//! `gateway check`.

use std::io::ErrorKind;
use std::net::TcpListener;

use gateway_tests::Setup;

use crate::GATEWAY;

fn check() -> Setup {
    Setup::new(GATEWAY)
        .argument("check")
        .variable("DISCORD_TOKEN", "MTIz.test.token")
        .variable("DISCORD_EVENTS", "READY")
        // Nothing listens there.
        .variable("DISCORD_API_HOST", "127.0.0.1:1")
}

#[tokio::test]
async fn a_valid_configuration_is_shown_with_the_way_of_an_event() {
    let output = check().output().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("# way of an event: Discord -> filter-events -> broker-stdio"), "{text}");
    assert!(text.trim_end().ends_with("# the configuration is valid"), "{text}");
    assert!(text.contains("token = \"[redacted]\"") && !text.contains("test.token"), "{text}");
}

#[tokio::test]
async fn what_is_doubtful_is_a_warning() {
    let output = check().variable("DISCORD_EVENTS", "").output().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.starts_with("warning: events is empty, so NOTHING IS PUBLISHED"), "{text}");
}

#[tokio::test]
async fn a_component_that_is_not_there_is_named_with_what_is_bundled() {
    let error = check().variable("BROKER_COMPONENT", "adapters/mine.wasm").failure().await;
    assert!(error.contains("component `adapters/mine.wasm` is neither a bundled component"), "{error}");
    assert!(error.contains("broker-stdio") && error.contains("filter-events"), "{error}");
}

#[tokio::test]
async fn files_that_are_no_components_are_told_with_a_hint() {
    for (content, hint) in [
        (&b"just text"[..], "component `mine` is not a WebAssembly component"),
        (b"(component)", "WebAssembly text (compile it first)"),
        (b"\0asm\x01\0\0\0", "a core module (make a component of it"),
        (b"", "component `mine` is not a WebAssembly component"),
        (b"\0asm\x0d\0\x01\0\xff\xff", "component `mine` is not a WebAssembly component"),
    ] {
        let setup = check().file("[[filters]]\ncomponent = \"mine.wasm\"\n");
        std::fs::write(setup.path("mine.wasm"), content).unwrap();
        let error = setup.failure().await;
        assert!(error.contains(hint), "{error}");
    }
}

#[tokio::test]
async fn a_component_of_another_world_is_told() {
    let error = check().variable("BROKER_COMPONENT", "filter-events").failure().await;
    assert!(error.contains("component `filter-events` does not export `spectacles:gateway/adapter"), "{error}");
    let error = check().file("[[filters]]\ncomponent = \"broker-stdio\"\n").failure().await;
    assert!(error.contains("component `broker-stdio` does not export `spectacles:gateway/filter"), "{error}");
}

#[tokio::test]
async fn a_component_that_refuses_its_configuration_is_told() {
    let error = check().file("[[filters]]\ncomponent = \"filter-events\"\nconfig = { evnets = [] }\n").failure().await;
    assert!(error.contains("component `filter-events` failed at its start"), "{error}");
}

#[tokio::test]
async fn brokers_and_stores_are_checked_without_connecting() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let on = |broker: &str| check().variable("BROKER_TYPE", broker).variable("REDIS_URL", &address);
    for setup in [
        on("amqp").variable("AMQP_URL", &format!("amqp://guest:hunter2@{address}/bots")),
        on("redis"),
        on("redis").variable("REDIS_URL", &format!("{address},{address}")),
        on("stdio").variable("SHARD_STORE_TYPE", "redis"),
    ] {
        let output = setup.output().await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("# the configuration is valid"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_address_of_a_server_is_told() {
    let amqp = |url: &str| check().variable("BROKER_TYPE", "amqp").variable("AMQP_URL", url);
    let redis = |url: &str| check().variable("BROKER_TYPE", "redis").variable("REDIS_URL", url);
    let store = |url: &str| check().variable("SHARD_STORE_TYPE", "redis").variable("REDIS_URL", url);
    for (setup, told) in [
        (amqp("http://:hunter2@rabbit"), "amqp.url is no AMQP address"),
        (amqp("amqp://:hunter2@rabbit:port"), "amqp.url cannot be used: its port is no number from 1 to 65535"),
        (amqp("amqp://:hunter2@rabbit/a/b"), "its virtual host has a slash in it, which is written %2f there"),
        (redis("http://:hunter2@redis"), "redis.urls has what is no Redis address"),
        (redis("redis://:hunter2@redis/bots"), "redis.urls: the address redis://:[redacted]@redis/bots cannot be used"),
        (store("redis://:hunter2@redis/-1"), "its database is no number from 0 on"),
        (redis("redis://:hunter2@one/1,redis://:hunter2@two/1"), "a cluster, which has no database but 0"),
        (redis("rediss://:hunter2@one,two"), "has addresses with TLS beside addresses without"),
    ] {
        let error = setup.failure().await;
        assert!(error.contains(told) && !error.contains("hunter2"), "{told} is not in\n{error}");
    }
}

#[tokio::test]
async fn a_file_of_certificates_that_cannot_be_used_is_told() {
    for (kind, key, url) in [("amqp", "AMQP", "amqps://rabbit"), ("redis", "REDIS", "rediss://redis")] {
        let setup = check().variable("BROKER_TYPE", kind).variable(&format!("{key}_URL"), url);
        let setup = setup.variable(&format!("{key}_CA_FILE"), "ca.pem");
        let error = setup.failure().await;
        assert!(error.contains(&format!("{kind}.ca_file = \"ca.pem\" cannot be read")), "{error}");
        std::fs::write(setup.path("ca.pem"), "no certificate").unwrap();
        let error = setup.failure().await;
        assert!(error.contains(&format!("{kind}.ca_file = \"ca.pem\" has no certificate in it")), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_ends_with_exit_code_1() {
    let error = check().file("tokne = 1").failure().await;
    assert!(error.contains("gateway.toml:1: unknown key \"tokne\"; did you mean \"token\"?"), "{error}");
}
