//! The simulator serves `@discordjs/ws`.

use foreign_clients::{SHARDS, discordjs, heartbeats_are_acknowledged, lively, resumes_without_loss};
use gateway_simulator::{Compression, Happening};

#[tokio::test]
async fn discordjs_resumes_without_loss_uncompressed() {
    resumes("none", Compression::None).await;
}

#[tokio::test]
async fn discordjs_resumes_without_loss_with_compressed_payloads() {
    resumes("payload", Compression::Payload).await;
}

#[tokio::test]
async fn discordjs_resumes_without_loss_with_zlib() {
    resumes("zlib", Compression::Zlib).await;
}

#[tokio::test]
async fn discordjs_has_its_heartbeats_acknowledged() {
    let simulator = lively(1).await;
    heartbeats_are_acknowledged(&simulator, discordjs(&simulator, "none")).await;
}

async fn resumes(script: &str, compression: Compression) {
    let simulator = lively(SHARDS).await;
    let received = resumes_without_loss(&simulator, discordjs(&simulator, script), compression).await;
    assert!(received.kinds().len() >= 50, "{:?}", received.kinds());
    for entry in simulator.control().journal() {
        if let Happening::Identify { data } = entry.happening {
            assert_eq!(data.get("compress"), Some(&(compression == Compression::Payload).into()));
        }
    }
}
