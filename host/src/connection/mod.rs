//! Connections to servers that several parts of the gateway have in common: where Redis is, how to reach it, and TLS.

mod backoff;
mod redis;
mod socket;
mod tls;

pub use self::backoff::Backoff;
pub use self::redis::{Connection, RedisAddress, to_mend};
pub use self::socket::Socket;
pub use self::tls::server_tls;
