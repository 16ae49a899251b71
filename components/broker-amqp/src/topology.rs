//! What exists on the server: the exchange, and the queues for commands. Consumers of the original declare the same, so that
//! any other property would fail theirs or this one.

use spectacles_adapter::{Shards, Target};

use crate::LONGEST_NAME;
use crate::bindings::spectacles::gateway::amqp::{self, Binding, Consumer, Exchange, Queue};

/// All that the adapter declares.
#[derive(Debug)]
pub(crate) struct Topology {
    exchange: Exchange,
    inlets: Vec<Inlet>,
}

/// A queue that commands come from.
#[derive(Debug)]
struct Inlet {
    queue: Queue,
    binding: Binding,
    /// `None` for the commands of other gateways.
    consumer: Option<Consumer>,
}

impl Topology {
    /// The topology of a gateway with these shards. `group` is not empty. The queues of other gateways' shards are there too: a
    /// command for a gateway that has never run waits for it.
    ///
    /// # Errors
    /// A text for the operator, if the group's name cannot be the name of an exchange and begin the names of queues.
    pub(crate) fn new(group: &str, shards: &Shards) -> Result<Self, String> {
        if group.starts_with(RESERVED) {
            return Err(format!("`broker.group` must not begin with {RESERVED:?}, which is reserved by the server"));
        }
        if group.len() > LONGEST_GROUP {
            return Err(format!("`broker.group` must be at most {LONGEST_GROUP} bytes long"));
        }
        let others = (0..shards.count).filter(|id| !shards.ids.contains(id)).map(Target::Shard);
        let own = Target::all(&shards.ids).map(|target| Inlet::new(group, target).consumed(target));
        let inlets = own.chain(others.map(|target| Inlet::new(group, target))).collect();
        Ok(Self { exchange: exchange(group), inlets })
    }

    /// Declares everything, and consumes from the queues.
    pub(crate) fn declare(&self) {
        amqp::declare_exchange(&self.exchange);
        for Inlet { queue, binding, consumer } in &self.inlets {
            amqp::declare_queue(queue);
            amqp::bind_queue(binding);
            if let Some(consumer) = consumer {
                amqp::consume(consumer);
            }
        }
    }
}

/// What the messages of a queue are for. `None` if the queue is not for commands.
pub(crate) fn target(group: &str, queue: &str) -> Option<Target> {
    Target::of(queue.strip_prefix(group)?.strip_prefix(':')?)
}

impl Inlet {
    fn new(group: &str, target: Target) -> Self {
        let name = format!("{group}:{target}");
        Self {
            queue: Queue {
                name: name.clone(),
                durable: true,
                exclusive: false,
                auto_delete: false,
                arguments: Vec::new(),
            },
            binding: Binding {
                queue: name,
                exchange: group.to_owned(),
                routing_key: target.to_string(),
                arguments: Vec::new(),
            },
            consumer: None,
        }
    }

    fn consumed(mut self, target: Target) -> Self {
        let consumer = Consumer { queue: self.queue.name.clone(), prefetch: PREFETCH, shard: target.shard() };
        self.consumer = Some(consumer);
        self
    }
}

fn exchange(group: &str) -> Exchange {
    Exchange {
        name: group.to_owned(),
        kind: "direct".to_owned(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: Vec::new(),
    }
}

/// A shard sends 120 packets a minute at most. More would wait here that another gateway of the group could take.
const PREFETCH: u16 = 64;

/// What the names of the server's own exchanges begin with.
const RESERVED: &str = "amq.";

/// The longest queue is that of a shard, `group:4294967295`.
const LONGEST_GROUP: usize = LONGEST_NAME - ":4294967295".len();

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(group: &str) -> Topology {
        let shards = Shards { count: 0, ids: vec![0, 4_294_967_295] };
        Topology::new(group, &shards).unwrap_or_else(|reason| panic!("{reason}"))
    }

    #[test]
    fn the_exchange_is_the_one_that_consumers_declare() {
        let Exchange { name, kind, durable, auto_delete, internal, arguments } = topology("bot").exchange;
        assert_eq!((&name[..], &kind[..]), ("bot", "direct"));
        assert_eq!((durable, auto_delete, internal, arguments.len()), (true, false, false, 0));
    }

    #[test]
    fn queues_are_those_that_clients_send_commands_to() {
        let inlets = topology("bot").inlets;
        let names: Vec<_> = inlets.iter().map(|inlet| &inlet.queue.name[..]).collect();
        assert_eq!(names, ["bot:SEND", "bot:0", "bot:4294967295"]);
        for Inlet { queue: Queue { durable, exclusive, auto_delete, arguments, .. }, .. } in &inlets {
            assert_eq!((*durable, *exclusive, *auto_delete, arguments.len()), (true, false, false, 0));
        }
    }

    #[test]
    fn each_queue_is_bound_with_the_name_of_its_command() {
        let keys = topology("bot").inlets.into_iter().map(|Inlet { queue, binding, .. }| {
            assert_eq!((&binding.queue, &binding.exchange[..]), (&queue.name, "bot"));
            binding.routing_key
        });
        assert_eq!(keys.collect::<Vec<_>>(), ["SEND", "0", "4294967295"]);
    }

    #[test]
    fn a_shards_commands_wait_for_that_shard() {
        let shards = topology("bot").inlets.into_iter().map(|Inlet { queue, consumer, .. }| {
            let consumer = consumer.unwrap();
            assert_eq!((consumer.queue, consumer.prefetch), (queue.name, PREFETCH));
            consumer.shard
        });
        assert_eq!(shards.collect::<Vec<_>>(), [None, Some(0), Some(u32::MAX)]);
    }

    #[test]
    fn queues_of_other_gateways_are_there_and_not_consumed() {
        let inlets = Topology::new("bot", &Shards { count: 3, ids: vec![1] }).unwrap().inlets;
        let consumed: Vec<_> = inlets.iter().map(|inlet| (&inlet.queue.name[..], inlet.consumer.is_some())).collect();
        assert_eq!(consumed, [("bot:SEND", true), ("bot:1", true), ("bot:0", false), ("bot:2", false)]);
    }

    #[test]
    fn every_queue_reads_back_as_what_it_is_for() {
        for group in ["bot", "bot:SEND", "späť"] {
            let inlets = topology(group).inlets;
            let targets: Vec<_> = inlets.iter().filter_map(|inlet| target(group, &inlet.queue.name)).collect();
            assert_eq!(targets, Target::all(&[0, u32::MAX]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn names_that_the_server_would_refuse_are_refused_with_the_key() {
        let longest = "x".repeat(LONGEST_GROUP);
        assert_eq!(topology(&longest).inlets.last().map(|inlet| inlet.queue.name.len()), Some(LONGEST_NAME));
        for group in [&format!("{longest}x"), "amq.direct"] {
            assert!(
                Topology::new(group, &Shards { count: 0, ids: Vec::new() }).unwrap_err().contains("`broker.group`")
            );
        }
    }
}
