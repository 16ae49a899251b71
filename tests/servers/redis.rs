//! redis-server.

use gateway_tests::{Redis, RedisCluster, RedisOptions};
use redis::{AsyncCommands as _, ErrorKind, RedisResult, ServerErrorKind};

#[tokio::test]
async fn what_was_written_outlives_a_kill_on_the_same_port() {
    let mut redis = Redis::start(RedisOptions { append_only: true, ..RedisOptions::default() }).await;
    let url = redis.url();
    let () = redis.command(&["SET", "key", "value"]).await;
    redis.kill().await;
    redis.restart().await;
    assert_eq!(redis.command::<String>(&["GET", "key"]).await, "value");
    redis.stop().await;
    redis.restart().await;
    assert_eq!((redis.command::<String>(&["GET", "key"]).await, redis.url()), ("value".to_owned(), url));
}

#[tokio::test]
async fn it_asks_for_its_password_over_tls() {
    let options = RedisOptions { password: Some("secret".to_owned()), tls: true, ..RedisOptions::default() };
    let redis = Redis::start(options).await;
    assert!(redis.ca_file().is_some() && redis.url().starts_with("rediss://:secret@127.0.0.1:"));
    assert_eq!(redis.command::<String>(&["PING"]).await, "PONG");
}

#[tokio::test]
async fn its_settings_hold() {
    let settings = vec![("maxmemory".to_owned(), "1".to_owned())];
    let redis = Redis::start(RedisOptions { settings, ..RedisOptions::default() }).await;
    let set: RedisResult<()> = redis.connect().await.set("key", "value").await;
    assert!(set.unwrap_err().to_string().contains("OOM"));
}

#[tokio::test]
async fn a_cluster_serves_every_key_and_a_moved_slot_too() {
    let cluster = RedisCluster::start(3).await;
    let client = redis::cluster::ClusterClient::new(cluster.urls()).unwrap();
    let mut connection = client.get_async_connection().await.unwrap();
    for key in ["a", "b", "c", "d", "e", "f"] {
        let () = connection.set(key, key).await.unwrap();
    }
    let from = cluster.owner("a").await;
    let to = (from + 1) % 3;
    cluster.move_slot("a", to).await;
    assert_eq!(cluster.owner("a").await, to);
    let asked: RedisResult<String> = cluster.nodes[from].connect().await.get("a").await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Server(ServerErrorKind::Moved));
    assert_eq!(connection.get::<_, String>("a").await.unwrap(), "a");
}
