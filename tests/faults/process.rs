//! What an operator does to the gateway's process.

use std::time::Duration;

use gateway_tests::{RabbitMq, Redis, RedisOptions};
use tokio::join;

use crate::scene::Scene;
use crate::sink::Sink;

#[tokio::test]
async fn sigterm_under_load_loses_and_repeats_nothing() {
    let redis = Redis::start(RedisOptions::default()).await;
    let rabbit = RabbitMq::virtual_host().await;
    join!(
        terminated_again_and_again(Sink::Stdout),
        terminated_again_and_again(Sink::Redis(redis.url())),
        terminated_again_and_again(Sink::Amqp(rabbit.url())),
    );
}

async fn terminated_again_and_again(sink: Sink) {
    let mut scene = Scene::start("SIGTERM", sink).await;
    for _ in 0..5 {
        scene.events_arrive(1).await;
        scene.moment(Duration::from_millis(300)).await;
        scene.terminate().await;
        scene.start_again().await;
    }
    scene.finish().await;
}
