//! Where sessions are kept: a disk that takes nothing, a Redis that is cut off, and two gateways that keep the same.

use std::time::Duration;

use gateway_tests::{Direction, Proxy, Redis, RedisOptions, Setup};
use tokio::process::Command;
use tokio::time::sleep;

use crate::scene::Scene;
use crate::sink::Sink;

/// What a full disk does to a write, `RLIMIT_FSIZE` does too, and needs no disk: the file does not grow. The error is another
/// (`EFBIG` for `ENOSPC`).
#[tokio::test]
async fn a_store_whose_files_cannot_grow_costs_repeats_and_loses_nothing() {
    let launcher = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let mut scene = Scene::with("full disk", Sink::Stdout, |setup| setup.launched_by(&launcher)).await;
    scene.sessions_are_kept().await;
    files_may_grow(&scene, "0").await;
    scene.figure_is("gateway_checkpoints_unsaved", |unsaved| unsaved > 0.0).await;
    scene.events_arrive(200).await;
    // What it has delivered since is in no file.
    scene.kill().await;
    scene.start_again().await;
    // The limit is for files in memory too, which instances of components are made from.
    scene.gateway.logged(": resumed").await;
    scene.events_arrive(20).await;

    files_may_grow(&scene, "0").await;
    scene.figure_is("gateway_checkpoints_unsaved", |unsaved| unsaved > 0.0).await;
    files_may_grow(&scene, "unlimited").await;
    scene.figure_is("gateway_checkpoints_unsaved", |unsaved| unsaved < 1.0).await;
    // The end saves too: nothing comes twice.
    scene.terminate().await;
    scene.start_again().await;
    scene.finish().await;
}

/// Sets the soft limit of the gateway's files.
async fn files_may_grow(scene: &Scene, bytes: &str) {
    let process = scene.gateway.id().to_string();
    let set = Command::new("prlimit").args(["--pid", &process, &format!("--fsize={bytes}:")]).status().await;
    assert!(set.unwrap().success());
}

#[tokio::test]
async fn a_redis_store_that_is_cut_off_costs_repeats_and_loses_nothing() {
    let redis = Redis::start(RedisOptions::default()).await;
    let proxy = Proxy::start(redis.address().parse().unwrap()).await;
    let url = proxy.in_place_of(&redis.url());
    let mut scene = Scene::with("cuts to the store", Sink::Stdout, |setup| {
        setup.variable("SHARD_STORE_TYPE", "redis").variable("REDIS_URL", &url)
    })
    .await;
    scene.sessions_are_kept().await;
    for _ in 0..3 {
        proxy.cut();
        scene.moment(Duration::from_millis(500)).await;
    }
    for direction in [Direction::ToServer, Direction::ToClient] {
        proxy.stall(direction);
        scene.events_arrive(300).await;
        proxy.pass();
        scene.events_arrive(20).await;
    }
    proxy.refuse();
    proxy.cut();
    scene.figure_is("gateway_checkpoints_unsaved", |unsaved| unsaved > 0.0).await;
    scene.events_arrive(100).await;
    scene.kill().await;
    // Without its sessions it waits, rather than starting new ones.
    scene.start_again().await;
    scene.gateway.logged("waiting for Redis").await;
    proxy.pass();
    scene.finish().await;
}

#[tokio::test]
async fn a_second_gateway_on_the_same_local_store_refuses_and_disturbs_nothing() {
    let mut scene = Scene::start("two gateways, local store", Sink::Stdout).await;
    for _ in 0..3 {
        let error = scene.setup.failure().await;
        assert!(error.contains("another gateway on this machine runs shard"), "{error}");
        scene.events_arrive(20).await;
    }
    scene.finish().await;
}

/// Nobody refuses there: the two take the session from each other. Events come twice then, and none is missing.
#[tokio::test]
async fn two_gateways_on_the_same_redis_store_repeat_events_and_lose_nothing() {
    let redis = Redis::start(RedisOptions::default()).await;
    let in_redis = |setup: Setup| setup.variable("SHARD_STORE_TYPE", "redis");
    let mut scene = Scene::with("two gateways, redis store", Sink::Redis(redis.url()), in_redis).await;
    scene.sessions_are_kept().await;
    scene.audit.allow_repeats(u64::from(u32::MAX));
    let mut second = scene.setup.start_unread();
    second.logged("going on with the session of an earlier run").await;
    sleep(Duration::from_secs(4)).await;
    scene.all_arrives().await;
    second.signal("TERM").await;
    let status = second.ended().await;
    assert!(status.success(), "{status}\n{}", second.whole_log().await);
    scene.events_arrive(20).await;
    scene.finish().await;
}
