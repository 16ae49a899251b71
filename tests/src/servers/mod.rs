//! Real brokers, started by the tests on free ports of loopback, with private folders.
//!
//! A server ends when its value is dropped, and in any case with the test's process, however that ends.

mod authority;
mod process;
mod rabbitmq;
mod redis;
mod redis_cluster;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

pub use rabbitmq::{RabbitMq, RabbitMqOptions, VirtualHost};
pub use redis::{Redis, RedisOptions};
pub use redis_cluster::RedisCluster;

/// A port that nobody listens on, and that this process has not been given before.
fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        if given.insert(port) {
            return port;
        }
    }
}
