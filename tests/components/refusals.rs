//! Components that cannot be used: `gateway check` and the start say which one, why, and what to do.

use std::process::Output;

use gateway_simulator::Happening;
use gateway_tests::{Setup, guest};

use crate::GATEWAY;
use crate::binary::{hostile_filter, quiet_discord};

#[tokio::test]
async fn a_filter_that_traps_in_init() {
    let file = hostile_filter("trap-in-init", "");
    assert_refused(check(&file), &["`hostile_filter` failed at its start", "it crashed"]).await;
}

#[tokio::test]
async fn a_filter_that_loops_in_init() {
    let file = hostile_filter("loop-in-init", "timeout = '50ms'");
    assert_refused(check(&file), &["`hostile_filter`", "longer than the 50 ms", "raise its `timeout`"]).await;
}

#[tokio::test]
async fn a_filter_that_allocates_in_init() {
    let file = hostile_filter("allocate-in-init", "memory = '8MiB'");
    assert_refused(check(&file), &["`hostile_filter`", "more than the 8 MiB", "raise its `memory`"]).await;
}

#[tokio::test]
async fn a_filter_that_does_not_fit_into_its_memory() {
    let file = hostile_filter("", "memory = '1MiB'");
    assert_refused(check(&file), &["`hostile_filter`", "more than the 1 MiB", "raise its `memory`"]).await;
}

#[tokio::test]
async fn a_filter_that_uses_a_payload_in_init() {
    let file = hostile_filter("payload-in-init", "");
    assert_refused(check(&file), &["`hostile_filter`", "outside a call that has events"]).await;
}

#[tokio::test]
async fn a_filter_that_refuses_its_configuration() {
    let file = hostile_filter("refuse-in-init", "");
    assert_refused(check(&file), &["`hostile_filter`", "`mode` is refused, as asked"]).await;
}

#[tokio::test]
async fn an_adapter_that_refuses_its_configuration() {
    let file = adapter(&guest_path("hostile-adapter")) + "group = 'refuse-in-open'";
    assert_refused(check(&file), &["`hostile_adapter`", "`group` is refused, as asked"]).await;
}

#[tokio::test]
async fn an_adapter_that_traps_in_open() {
    let file = adapter(&guest_path("hostile-adapter")) + "group = 'trap-in-open'";
    assert_refused(check(&file), &["`hostile_adapter` failed at its start", "it crashed"]).await;
}

#[tokio::test]
async fn a_name_that_is_neither_bundled_nor_a_file() {
    let parts = [
        "`filter-evnts`",
        "neither a bundled component (broker-amqp, broker-redis, broker-stdio, filter-events) nor a file",
    ];
    assert_refused(check(&filter("filter-evnts")), &parts).await;
}

#[tokio::test]
async fn a_file_that_is_no_component() {
    assert_file_is_refused(b"#!/bin/sh\nexit 0\n", &["`guest` is not a WebAssembly component"]).await;
}

#[tokio::test]
async fn a_core_module() {
    let parts = ["`guest`", "a core module", "`wasm-tools component new`"];
    assert_file_is_refused(b"\0asm\x01\0\0\0", &parts).await;
}

#[tokio::test]
async fn webassembly_text() {
    assert_file_is_refused(b"(component)", &["`guest`", "WebAssembly text (compile it first)"]).await;
}

#[tokio::test]
async fn a_component_that_is_cut_off() {
    let bytes = std::fs::read(guest("hostile-filter")).unwrap();
    assert_file_is_refused(&bytes[..bytes.len() / 2], &["`guest` is not a WebAssembly component"]).await;
}

#[tokio::test]
async fn a_component_that_exports_nothing() {
    let parts = ["`guest` does not export `spectacles:gateway/filter@0.1.0`", "the world `event-filter`"];
    assert_file_is_refused(b"\0asm\x0d\0\x01\0", &parts).await;
}

#[tokio::test]
async fn an_adapter_in_place_of_a_filter() {
    let file = filter(&guest_path("hostile-adapter"));
    assert_refused(check(&file), &["`hostile_adapter`", "`event-filter`", "name it in `broker.component`"]).await;
}

#[tokio::test]
async fn a_filter_in_place_of_an_adapter() {
    let file = adapter(&guest_path("hostile-filter"));
    assert_refused(check(&file), &["`hostile_filter`", "`broker`", "name it in a [[filters]] table"]).await;
}

#[tokio::test]
async fn a_filter_that_imports_what_only_adapters_may() {
    let file = filter(&guest_path("overreaching-filter"));
    let parts = ["`overreaching_filter`", "`event-filter` does not grant", "spectacles:gateway/stdio"];
    assert_refused(check(&file), &parts).await;
}

#[tokio::test]
async fn a_filter_for_another_contract() {
    let file = filter(&guest_path("outdated-filter"));
    assert_refused(check(&file), &["`outdated_filter` is built for another contract", "wit/"]).await;
}

#[tokio::test]
async fn the_start_refuses_a_component_before_it_connects() {
    let cases = [
        (hostile_filter("trap-in-init", ""), "`hostile_filter` failed at its start"),
        (filter(&guest_path("overreaching-filter")), "does not grant"),
        (adapter(&guest_path("hostile-adapter")) + "group = 'refuse-in-open'", "`group` is refused"),
    ];
    for (file, part) in cases {
        let simulator = quiet_discord().await;
        assert_refused(Setup::on(GATEWAY, &simulator).file(&file), &[part]).await;
        let journal = simulator.control().journal();
        assert!(!journal.iter().any(|entry| matches!(entry.happening, Happening::Identify { .. })), "{journal:?}");
    }
}

fn check(file: &str) -> Setup {
    Setup::new(GATEWAY).argument("check").variable("DISCORD_TOKEN", "MTIz.test.token").file(file)
}

fn filter(component: &str) -> String {
    format!("[[filters]]\ncomponent = '{component}'\n")
}

fn adapter(component: &str) -> String {
    format!("[broker]\ncomponent = '{component}'\n")
}

fn guest_path(name: &str) -> String {
    guest(name).display().to_string()
}

async fn assert_file_is_refused(bytes: &[u8], parts: &[&str]) {
    let setup = check(&filter("guest.wasm"));
    std::fs::write(setup.path("guest.wasm"), bytes).unwrap();
    assert_refused(setup, parts).await;
}

/// Runs it: it must end with the exit code 1 and one error that holds all parts.
async fn assert_refused(setup: Setup, parts: &[&str]) {
    let Output { status, stderr, .. } = setup.output().await;
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    let error = &stderr[stderr.rfind("gateway: component").unwrap_or_else(|| panic!("{stderr}"))..];
    for part in parts {
        assert!(error.contains(part), "{part:?} is missing in: {stderr}");
    }
}
