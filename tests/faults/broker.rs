//! Brokers that go away and come back, or take nothing for a time.

use std::time::Duration;

use gateway_tests::{RabbitMq, RabbitMqOptions, Redis, RedisOptions, Setup};
use tokio::time::sleep;

use crate::scene::{SHARDS, Scene};
use crate::sink::Sink;

#[tokio::test]
async fn a_redis_that_restarts_or_is_away_for_longer_than_the_buffer_lasts_loses_nothing() {
    let mut redis = Redis::start(RedisOptions { append_only: true, ..RedisOptions::default() }).await;
    let mut scene = Scene::with("redis restarts", Sink::Redis(redis.url()), small_buffers).await;
    for _ in 0..3 {
        scene.audit.allow_repeats(1);
        redis.stop().await;
        redis.restart().await;
        scene.events_arrive(20).await;
    }
    scene.audit.allow_repeats(1);
    redis.kill().await;
    buffers_are_full(&mut scene).await;
    redis.restart().await;
    scene.finish().await;
}

#[tokio::test]
async fn a_rabbitmq_that_restarts_or_is_away_for_longer_than_the_buffer_lasts_loses_nothing() {
    let mut rabbit = RabbitMq::start(RabbitMqOptions::default()).await;
    let mut scene = Scene::with("rabbitmq restarts", Sink::Amqp(rabbit.url()), small_buffers).await;
    scene.audit.allow_repeats(1);
    rabbit.stop().await;
    rabbit.restart().await;
    scene.events_arrive(20).await;
    scene.audit.allow_repeats(1);
    rabbit.kill().await;
    buffers_are_full(&mut scene).await;
    rabbit.restart().await;
    scene.finish().await;
}

#[tokio::test]
async fn rabbitmqs_memory_alarm_for_longer_than_the_buffer_lasts_loses_and_repeats_nothing() {
    let rabbit = RabbitMq::start(RabbitMqOptions::default()).await;
    let mut scene = Scene::with("memory alarm", Sink::Amqp(rabbit.url()), small_buffers).await;
    rabbit.raise_memory_alarm().await;
    scene.figure_is(r#"gateway_broker_blocked{broker="amqp"}"#, |blocked| blocked > 0.0).await;
    buffers_are_full(&mut scene).await;
    rabbit.clear_memory_alarm().await;
    scene.finish().await;
}

fn small_buffers(setup: Setup) -> Setup {
    setup.variable("GATEWAY_BUFFER_PER_SHARD", "256KiB").variable("GATEWAY_BUFFER_TOTAL", "512KiB")
}

/// Waits until each shard has stopped reading, lets more come, and looks whether the buffers keep to their bounds.
async fn buffers_are_full(scene: &mut Scene) {
    for shard in 0..SHARDS {
        scene.figure_is(&format!(r#"gateway_shard_paused{{shard="{shard}"}}"#), |paused| paused > 0.0).await;
    }
    sleep(Duration::from_secs(2)).await;
    for shard in 0..SHARDS {
        let held = scene.gateway.figures().await.of(&format!(r#"gateway_queue_bytes{{shard="{shard}"}}"#)).unwrap();
        assert!(held <= f64::from(256 << 10), "shard {shard} holds {held} bytes");
    }
}
