//! What adapters declare: exchanges, queues, bindings and consumers.

use gateway_protocol::ShardId;
use lapin::ExchangeKind;
use lapin::types::FieldTable;

/// What is declared on every new connection, in this order, and what is consumed then.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Topology {
    pub(super) declarations: Vec<Declaration>,
    pub(super) consumers: Vec<Consumer>,
    held: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Declaration {
    Exchange(Exchange),
    Queue(Queue),
    Binding(Binding),
}

/// `exchange` of wit/amqp.wit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exchange {
    pub(super) name: String,
    pub(super) kind: ExchangeKind,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) internal: bool,
    pub(super) arguments: FieldTable,
}

/// `queue` of wit/amqp.wit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) durable: bool,
    pub(super) exclusive: bool,
    pub(super) auto_delete: bool,
    pub(super) arguments: FieldTable,
}

/// `binding` of wit/amqp.wit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Binding {
    pub(super) queue: String,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) arguments: FieldTable,
}

/// `consumer` of wit/amqp.wit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) queue: String,
    pub(super) prefetch: u16,
    /// Consumes while this shard is ready; `None`: while any is.
    pub(super) shard: Option<ShardId>,
}

impl Topology {
    /// Adds a declaration that takes `size` bytes of names and arguments.
    pub(super) fn declare(&mut self, declaration: Declaration, size: usize) {
        self.held += size + size_of::<Declaration>();
        self.declarations.push(declaration);
    }

    /// Adds a consumer.
    pub(super) fn consume(&mut self, consumer: Consumer) {
        self.held += consumer.queue.len() + size_of::<Consumer>();
        self.consumers.push(consumer);
    }

    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.declarations.is_empty() && self.consumers.is_empty()
    }

    /// Bytes that it takes.
    pub(super) fn held(&self) -> usize {
        self.held
    }
}
