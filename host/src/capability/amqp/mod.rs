//! The capability `amqp` (wit/amqp.wit): events go out to exchanges of an AMQP 0-9-1 server, commands come in from its
//! queues.
//!
//! The gateway has one connection, which `connection` makes again whenever it is lost. Each lane publishes on a
//! channel of its own (`publisher`), and each consumer has one (`consumer`). Of the client library, its own
//! recovery stays off: here it is known what was confirmed.

mod address;
mod connection;
mod consumer;
mod declare;
mod failure;
mod flight;
mod host;
mod messages;
mod publisher;
mod server;
mod topology;
mod undeliverable;

pub use host::link;
pub use messages::Messages;
pub use publisher::Publisher;
pub use server::{Server, check};
pub use topology::Topology;
