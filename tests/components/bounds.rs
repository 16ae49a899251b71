//! The bounds of the configuration hold, and the process stays small whatever a component does.

use gateway_simulator::Simulator;
use gateway_tests::{Gateway, Setup, guest};

use crate::GATEWAY;
use crate::binary::{hostile_filter, quiet_discord, ready, send_and_receive};

/// More than an unoptimised gateway needs with a few small components, and less than one breach would take.
const GREATEST: u64 = 400 << 20;

#[tokio::test]
async fn a_filters_memory_ends_where_its_table_says() {
    let simulator = quiet_discord().await;
    let setup = Setup::on(GATEWAY, &simulator).file(&hostile_filter("allocate", "memory = '16MiB'"));
    let mut gateway = start(&simulator, &setup).await;
    send_and_receive(&simulator, &mut gateway, 20).await;
    gateway.logged("it wanted more than the 16 MiB of memory").await;
    assert_is_small(&gateway);
    gateway.drain().await;
}

#[tokio::test]
async fn a_filters_time_ends_where_its_table_says() {
    let simulator = quiet_discord().await;
    let setup = Setup::on(GATEWAY, &simulator).file(&hostile_filter("loop", "timeout = '70ms'"));
    let mut gateway = start(&simulator, &setup).await;
    send_and_receive(&simulator, &mut gateway, 2).await;
    gateway.logged("it took longer than the 70 ms").await;
    gateway.drain().await;
}

#[tokio::test]
async fn bounds_for_all_components_hold_for_filters_without_their_own() {
    let simulator = quiet_discord().await;
    let general = "[components]\nmemory = '17MiB'\n";
    let setup = Setup::on(GATEWAY, &simulator).file(&(hostile_filter("allocate", "") + general));
    let mut gateway = start(&simulator, &setup).await;
    send_and_receive(&simulator, &mut gateway, 1).await;
    gateway.logged("it wanted more than the 17 MiB of memory").await;
    gateway.drain().await;
}

#[tokio::test]
async fn huge_pointers_are_not_kept() {
    let simulator = quiet_discord().await;
    let setup = Setup::on(GATEWAY, &simulator).file(&hostile_filter("huge-pointers", "timeout = '1m'"));
    let mut gateway = start(&simulator, &setup).await;
    send_and_receive(&simulator, &mut gateway, 1).await;
    assert_is_small(&gateway);
    let log = gateway.log();
    assert!(!log.contains("filter failed"), "{log}");
    gateway.drain().await;
}

#[tokio::test]
async fn an_adapter_cannot_fill_the_hosts_memory() {
    let simulator = quiet_discord().await;
    let path = guest("hostile-adapter").display().to_string();
    let file = format!("[broker]\ncomponent = '{path}'\ngroup = 'hand-over-without-end'\n[shutdown]\ngrace = '10ms'\n");
    let setup = Setup::on(GATEWAY, &simulator).file(&file);
    let mut gateway = start(&simulator, &setup).await;
    gateway.logged("publishing 1 events failed: it crashed: `publish` handed over more than the 32 MiB").await;
    assert_is_small(&gateway);
    gateway.signal("TERM").await;
    gateway.ended().await;
}

async fn start(simulator: &Simulator, setup: &Setup) -> Gateway {
    let gateway = setup.start();
    ready(simulator).await;
    gateway
}

fn assert_is_small(gateway: &Gateway) {
    if cfg!(target_os = "linux") {
        let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kibibytes: u64 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        assert!(kibibytes << 10 < GREATEST, "{} MiB at the peak", kibibytes >> 10);
    }
}
