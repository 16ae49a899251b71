//! A network that fails between the gateway and what it talks to.

use std::time::Duration;

use gateway_simulator::{Entry, Happening};
use gateway_tests::{Direction, RabbitMq, Redis, RedisOptions};
use tokio::join;

use crate::scene::{SHARDS, Scene};
use crate::sink::Sink;

#[tokio::test]
async fn cuts_to_discord_lose_and_repeat_nothing() {
    let mut scene = Scene::start("cuts to discord", Sink::Stdout).await;
    for _ in 0..3 {
        let position = scene.control.position();
        scene.discord.refuse();
        scene.discord.cut();
        scene.moment(Duration::from_millis(300)).await;
        scene.discord.pass();
        each_resumes(&scene, position).await;
        scene.moment(Duration::from_millis(300)).await;
    }
    // Connections that end in the middle of a message.
    for _ in 0..3 {
        scene.discord.cut_after(scene.random.usize(1_000..40_000));
        scene.discord.cut();
        scene.events_arrive(10).await;
    }
    scene.discord.pass();
    scene.finish().await;
}

#[tokio::test]
async fn half_open_connections_to_discord_lose_and_repeat_nothing() {
    join!(half_open_discord(Direction::ToClient), half_open_discord(Direction::ToServer));
}

async fn half_open_discord(direction: Direction) {
    let mut scene = Scene::start("half-open discord", Sink::Stdout).await;
    scene.discord.stall(direction);
    // The side that hears nothing has to find out: the gateway, or Discord, whose close then comes through.
    for shard in 0..SHARDS {
        scene.gateway.logged(&format!("shard {shard}: connecting anew")).await;
    }
    scene.discord.pass();
    scene.events_arrive(20).await;
    scene.finish().await;
}

#[tokio::test]
async fn cuts_to_the_broker_lose_nothing() {
    let redis = Redis::start(RedisOptions::default()).await;
    let rabbit = RabbitMq::virtual_host().await;
    join!(cut_broker(Sink::Redis(redis.url())), cut_broker(Sink::Amqp(rabbit.url())));
}

async fn cut_broker(sink: Sink) {
    let mut scene = Scene::start("cuts to the broker", sink).await;
    for _ in 0..10 {
        scene.audit.allow_repeats(1);
        scene.broker().refuse();
        scene.broker().cut();
        scene.moment(Duration::from_millis(300)).await;
        scene.broker().pass();
        scene.events_arrive(10).await;
    }
    // Connections that end in the middle of a message, and again and again.
    for _ in 0..5 {
        let bytes = scene.random.usize(5_000..200_000);
        scene.broker().cut_after(bytes);
        scene.broker().cut();
        scene.audit.allow_repeats(20);
        scene.moment(Duration::from_secs(1)).await;
        scene.broker().pass();
        scene.events_arrive(10).await;
    }
    scene.broker().delay(Duration::from_millis(50));
    scene.events_arrive(100).await;
    scene.broker().pass();
    scene.finish().await;
}

#[tokio::test]
async fn half_open_connections_to_the_broker_lose_nothing() {
    let (one, two) = (Redis::start(RedisOptions::default()).await, Redis::start(RedisOptions::default()).await);
    let (three, four) = (RabbitMq::virtual_host().await, RabbitMq::virtual_host().await);
    join!(
        half_open_broker(Sink::Redis(one.url()), "redis", Direction::ToClient),
        half_open_broker(Sink::Redis(two.url()), "redis", Direction::ToServer),
        half_open_broker(Sink::Amqp(three.url()), "amqp", Direction::ToClient),
        half_open_broker(Sink::Amqp(four.url()), "amqp", Direction::ToServer),
    );
}

async fn half_open_broker(sink: Sink, broker: &str, direction: Direction) {
    let mut scene = Scene::start("half-open broker", sink).await;
    scene.broker().stall(direction);
    scene.audit.allow_repeats(1);
    // Nobody tells the gateway: it has to find out.
    scene.figure_is(&format!(r#"gateway_broker_connected{{broker="{broker}"}}"#), |connected| connected < 1.0).await;
    scene.broker().pass();
    scene.finish().await;
}

#[tokio::test]
async fn a_slow_network_loses_and_repeats_nothing() {
    let mut scene = Scene::start("slow network", Sink::Stdout).await;
    scene.discord.delay(Duration::from_millis(100));
    scene.events_arrive(200).await;
    scene.discord.pass();
    scene.finish().await;
}

/// Waits until each shard has resumed.
async fn each_resumes(scene: &Scene, position: u64) {
    for shard in 0..SHARDS {
        let resumed =
            |entry: &Entry| entry.shard == Some(shard) && matches!(entry.happening, Happening::Resumed { .. });
        let found = scene.control.wait_for_after(position, resumed).await;
        found.unwrap_or_else(|error| panic!("{error}\n{}", scene.gateway.log()));
    }
}
