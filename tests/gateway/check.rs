//! `gateway check`.

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
async fn a_wrong_configuration_ends_with_exit_code_1() {
    let error = check().file("tokne = 1").failure().await;
    assert!(error.contains("gateway.toml:1: unknown key \"tokne\"; did you mean \"token\"?"), "{error}");
}
