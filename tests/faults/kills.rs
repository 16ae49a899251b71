//! `kill -9` at random moments, again and again, while events flow.

use std::time::Duration;

use gateway_tests::{RabbitMq, Redis, RedisOptions};

use crate::scene::Scene;
use crate::sink::Sink;

const KILLS: u32 = 50;

#[tokio::test]
async fn fifty_kills_lose_nothing_on_stdout() {
    killed_again_and_again(Scene::start("kills on stdout", Sink::Stdout).await).await;
}

#[tokio::test]
async fn fifty_kills_lose_nothing_on_redis_with_sessions_there() {
    let redis = Redis::start(RedisOptions::default()).await;
    let sink = Sink::Redis(redis.url());
    let scene = Scene::with("kills on redis", sink, |setup| setup.variable("SHARD_STORE_TYPE", "redis"));
    killed_again_and_again(scene.await).await;
}

#[tokio::test]
async fn fifty_kills_lose_nothing_on_rabbitmq() {
    let sink = Sink::Amqp(RabbitMq::virtual_host().await.url());
    killed_again_and_again(Scene::start("kills on rabbitmq", sink).await).await;
}

async fn killed_again_and_again(mut scene: Scene) {
    scene.sessions_are_kept().await;
    for _ in 0..KILLS {
        // Some die before they have delivered anything.
        if scene.random.u8(..4) > 0 {
            scene.events_arrive(1).await;
        }
        scene.moment(Duration::from_millis(400)).await;
        scene.kill().await;
        scene.start_again().await;
    }
    scene.finish().await;
}
