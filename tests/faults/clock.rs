//! A time of day that jumps while the gateway runs.
//!
//! The gateway measures times with the monotonic clock, which does not jump; what tells the time of day is shifted under it by
//! a small library that is loaded before the system's own.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gateway_tests::{Redis, RedisOptions};
use tempfile::TempDir;
use tokio::process::Command;

use crate::scene::Scene;
use crate::sink::Sink;

#[tokio::test]
async fn jumps_of_the_clock_lose_and_repeat_nothing() {
    let redis = Redis::start(RedisOptions::default()).await;
    let folder = TempDir::new().unwrap();
    let (library, shift) = (build(folder.path()).await, folder.path().join("shift"));
    jump(&shift, 0);
    let mut scene = Scene::with("clock jumps", Sink::Redis(redis.url()), |setup| {
        setup
            .variable("LD_PRELOAD", &library.display().to_string())
            .variable("CLOCK_SHIFT", &shift.display().to_string())
            .variable("SHARD_STORE_TYPE", "redis")
    })
    .await;
    // Less than a consumer may lag behind: `retention_ms` is an hour.
    for seconds in [HALF_AN_HOUR, -HALF_AN_HOUR, -10 * YEAR, 0] {
        jump(&shift, seconds);
        scene.events_arrive(200).await;
        scene.terminate().await;
        scene.start_again().await;
        scene.events_arrive(20).await;
        // It does see the jumps.
        let connected = r#"gateway_broker_state_changed_timestamp_seconds{broker="redis"}"#;
        let expected = now() + seconds as f64;
        scene.figure_is(connected, |seen| (seen - expected).abs() < MINUTE).await;
    }
    scene.finish().await;
}

/// Builds the library that shifts the clock.
async fn build(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, include_str!("clock.c")).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
    assert!(compiler.status().await.unwrap().success());
    library
}

/// Sets how many seconds the gateway's clock differs from the true one. The file stays the same: it is mapped.
fn jump(file: &Path, seconds: i64) {
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(file).unwrap();
    file.write_all(&seconds.to_ne_bytes()).unwrap();
}

/// The true time, in seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

const MINUTE: f64 = 60.0;
const HALF_AN_HOUR: i64 = 1800;
const YEAR: i64 = 365 * 24 * 3600;
