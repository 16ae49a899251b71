//! The capability `redis` (wit/redis.wit): commands go out, pipelined; entries of streams come in.

mod answers;
mod blocked;
mod cluster;
mod commands;
mod consumer;
mod entries;
mod failure;
mod host;
mod outbox;
mod publisher;
mod query;
mod reply;
mod server;
mod status;
mod stream;
mod window;

pub use commands::{Commands, Trim};
pub use host::link;
pub use query::QueryClient;
pub use server::{Publisher, Server};
pub use stream::Consumer;
