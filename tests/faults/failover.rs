//! A Redis that dies while its replica takes its place.
//!
//! What a master confirms and has not replicated dies with it: that is Redis's loss, and no client can prevent it. Here the
//! gateway's writes are held back until the replica has everything that was confirmed, and the load goes on meanwhile. So nothing
//! may be missing.

use gateway_tests::{Direction, Redis, RedisOptions};
use tokio::time::{sleep, timeout};

use crate::scene::{POLL, Scene};
use crate::sink::Sink;

#[tokio::test]
async fn a_failover_to_a_replica_loses_nothing_that_was_replicated() {
    let mut master = Redis::start(RedisOptions::default()).await;
    let replica = Redis::start(RedisOptions::default()).await;
    let () = replica.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
    let mut scene = Scene::start("redis failover", Sink::Redis(master.url())).await;
    scene.broker().stall(Direction::ToServer);
    // In step with a master that has nothing more to do: at two looks the same.
    let replicated = async {
        let mut before = None;
        loop {
            let offset = common_offset(&master, &replica).await;
            if offset.is_some() && offset == before {
                return;
            }
            before = offset;
            sleep(POLL).await;
        }
    };
    timeout(gateway_tests::PATIENCE, replicated).await.expect("the replica does not catch up");

    scene.audit.allow_repeats(1);
    master.kill().await;
    let () = replica.command(&["REPLICAOF", "NO", "ONE"]).await;
    scene.consumer.move_to(replica.url());
    scene.broker().cut();
    scene.broker().point_to(replica.address().parse().unwrap());
    scene.broker().pass();
    scene.events_arrive(100).await;
    scene.finish().await;
}

/// How far both are, if they are in step and the replica's link is up.
async fn common_offset(master: &Redis, replica: &Redis) -> Option<u64> {
    let (ours, theirs): (String, String) =
        (master.command(&["INFO", "replication"]).await, replica.command(&["INFO", "replication"]).await);
    let offset = |text: &str, name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok());
    let written = offset(&ours, "master_repl_offset:").filter(|_| theirs.contains("master_link_status:up"));
    written.filter(|written| offset(&theirs, "slave_repl_offset:") == Some(*written))
}
