//! Connections to servers that several parts of the gateway have in common: where Redis is, and how to reach it.

mod backoff;
mod redis;
mod socket;
mod tls;

pub use self::backoff::Backoff;
pub use self::redis::{Connection, RedisAddress, to_mend};
pub use self::socket::Socket;
