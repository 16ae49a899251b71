//! No server outlives its test.

use std::io::Write as _;
use std::process::Stdio;

use gateway_tests::{PATIENCE, Redis, RedisOptions};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
async fn a_server_ends_when_it_is_dropped() {
    let redis = Redis::start(RedisOptions::default()).await;
    let address = redis.address();
    drop(redis);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_server_ends_when_its_process_is_killed() {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "ends::a_process_that_is_to_be_killed", "--ignored", "--nocapture"]);
    let mut child = process.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("it says its server's address");
        if let Some((_, address)) = line.split_once("its server is at ") {
            break address.to_owned();
        }
    };
    let mut connection = TcpStream::connect(address).await.unwrap();
    child.kill().await.unwrap();
    let mut rest = Vec::new();
    // It says nothing more, and the connection ends with it.
    let _ = timeout(PATIENCE, connection.read_to_end(&mut rest)).await.expect("the server lives on");
    assert_eq!(rest, b"");
}

#[tokio::test]
#[ignore = "a_server_ends_when_its_process_is_killed runs it"]
async fn a_process_that_is_to_be_killed() {
    let redis = Redis::start(RedisOptions::default()).await;
    println!("its server is at {}", redis.address());
    std::io::stdout().flush().unwrap();
    // Until its STDIN ends, which it does not before it is killed.
    let _ = tokio::io::stdin().read_u8().await;
}
