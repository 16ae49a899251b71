//! Declaring the topology on a connection.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::ShortString;
use lapin::{Channel, Connection};

use super::failure::{Failure, reason};
use super::topology::{Declaration, Topology};

/// Declares everything in order, on a channel of its own.
///
/// # Errors
/// At the first that the server does not take. What stands before it is declared then.
pub(super) async fn declare(connection: &Connection, topology: &Topology) -> Result<(), Failure> {
    if topology.declarations.is_empty() {
        return Ok(());
    }
    let channel = connection.create_channel().await.map_err(|error| Failure::Passing(reason(&error)))?;
    for declaration in &topology.declarations {
        if let Err(error) = declare_one(&channel, declaration).await {
            return Err(Failure::declaring(&error, declaration));
        }
    }
    // Nothing depends on how it ends.
    let _ = channel.close(REPLY_SUCCESS, ShortString::default()).await;
    Ok(())
}

async fn declare_one(channel: &Channel, declaration: &Declaration) -> lapin::Result<()> {
    match declaration.clone() {
        Declaration::Exchange(exchange) => {
            let options = ExchangeDeclareOptions {
                durable: exchange.durable,
                auto_delete: exchange.auto_delete,
                internal: exchange.internal,
                ..ExchangeDeclareOptions::default()
            };
            channel.exchange_declare(short(&exchange.name), exchange.kind, options, exchange.arguments).await
        }
        Declaration::Queue(queue) => {
            let options = QueueDeclareOptions {
                durable: queue.durable,
                exclusive: queue.exclusive,
                auto_delete: queue.auto_delete,
                ..QueueDeclareOptions::default()
            };
            channel.queue_declare(short(&queue.name), options, queue.arguments).await.map(|_| ())
        }
        Declaration::Binding(binding) => {
            let (queue, exchange) = (short(&binding.queue), short(&binding.exchange));
            let options = QueueBindOptions::default();
            channel.queue_bind(queue, exchange, short(&binding.routing_key), options, binding.arguments).await
        }
    }
}

/// Names come through [`super::host`], which takes none that is too long.
pub(super) fn short(name: &str) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}

pub(super) const REPLY_SUCCESS: u16 = 200;
