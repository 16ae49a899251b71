//! The simulator serves `discord.py`.

use foreign_clients::{SHARDS, discordpy, heartbeats_are_acknowledged, lively, resumes_without_loss};
use gateway_simulator::Compression;

#[tokio::test]
async fn discordpy_resumes_without_loss_with_zlib() {
    resumes("zlib", Compression::Zlib).await;
}

#[tokio::test]
async fn discordpy_resumes_without_loss_with_zstd() {
    resumes("zstd", Compression::Zstd).await;
}

#[tokio::test]
async fn discordpy_has_its_heartbeats_acknowledged() {
    let simulator = lively(1).await;
    heartbeats_are_acknowledged(&simulator, discordpy(&simulator, "zlib")).await;
}

async fn resumes(script: &str, compression: Compression) {
    let simulator = lively(SHARDS).await;
    let mut client = discordpy(&simulator, script);
    // It asks for the members that the guilds came without, and is ready once it has them.
    client.until(|received| received.decoded().contains("ready")).await;
    let received = resumes_without_loss(&simulator, client, compression).await;
    assert!(received.kinds().len() >= 50, "{:?}", received.kinds());
    assert!(received.kinds().contains("GUILD_MEMBERS_CHUNK"));
    assert!(received.decoded().len() >= 40, "{:?}", received.decoded());
}
