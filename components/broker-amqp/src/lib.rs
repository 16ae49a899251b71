//! The broker adapter for AMQP: events go out to an exchange, commands come in from queues.
//!
//! The exchange is named after `broker.group`. An event is a message whose routing key is the event's name; commands come
//! from the queues `group:SEND` and `group:<id>` for each shard of this gateway.
//!
//! Configuration: the `[broker]` table, of which it reads `group`, `encoding`, `message_timeout`, `message_ids`, and
//! `config.persistent`: whether messages in durable queues outlive a restart of the server (`true`, the default).

mod bindings;
mod outlet;
mod topology;

use std::sync::OnceLock;

use bindings::exports::spectacles::gateway::adapter::{Command, Error, Event, Guest, Message};
use bindings::spectacles::gateway::log::{self, Level};
use bindings::spectacles::gateway::{amqp, payloads};
use outlet::Outlet;
use spectacles_adapter::{Settings, Target};
use topology::Topology;

struct Adapter;

bindings::export!(Adapter with_types_in bindings);

impl Guest for Adapter {
    fn open(config: String) -> Result<(), Error> {
        let (topology, outlet) = configure(&config).map_err(Error::InvalidConfiguration)?;
        topology.declare();
        OUTLET.get_or_init(|| outlet);
        Ok(())
    }

    fn publish(events: Vec<Event>) -> Result<(), Error> {
        let Outlet { exchange, body, properties, message_ids } = OUTLET.get().ok_or_else(not_open)?;
        let mut properties = properties.clone();
        for (index, event) in (0..).zip(&events) {
            if event.name.len() <= LONGEST_NAME {
                if *message_ids {
                    properties.message_id = payloads::identity(index);
                }
                amqp::publish(index, exchange, &event.name, body, &properties);
            } else {
                log::write(Level::Warn, "dropped an event whose name is longer than the 255 bytes of a routing key");
            }
        }
        Ok(())
    }

    fn receive(message: Message) -> Result<Vec<Command>, Error> {
        let Outlet { exchange, .. } = OUTLET.get().ok_or_else(not_open)?;
        match topology::target(exchange, &message.source) {
            Some(Target::Guild) => Ok(vec![Command::Send(message.body)]),
            Some(Target::Shard(shard)) => Ok(vec![Command::Packet((shard, message.body))]),
            None => Err(Error::Other(format!("the queue {:?} is not for commands", message.source))),
        }
    }

    fn close() {}
}

fn configure(config: &str) -> Result<(Topology, Outlet), String> {
    let mut settings = Settings::parse(config)?;
    let outlet = Outlet::new(&mut settings)?;
    let topology = Topology::new(&outlet.exchange, &settings.shards()?)?;
    Ok((topology, outlet))
}

fn not_open() -> Error {
    Error::Other("`open` has not been called, or has failed".to_owned())
}

/// Set by `open`.
static OUTLET: OnceLock<Outlet> = OnceLock::new();

/// AMQP's bound for names and routing keys, in bytes.
const LONGEST_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(source: &str) -> Message {
        Message { source: source.into(), body: b"body".into() }
    }

    #[test]
    fn a_message_is_a_command_for_what_its_queue_is_for() {
        let config = r#"{"group": "bot", "message_timeout_ms": 1, "shards": {"ids": [3]}}"#;
        let (_, outlet) = configure(config).unwrap_or_else(|reason| panic!("{reason}"));
        OUTLET.get_or_init(|| outlet);
        let receive = |source| Adapter::receive(message(source));
        assert!(matches!(&receive("bot:SEND").unwrap()[..], [Command::Send(body)] if body == b"body"));
        assert!(matches!(&receive("bot:3").unwrap()[..], [Command::Packet((3, body))] if body == b"body"));
        for source in ["", "SEND", "3", "bot:", "other:SEND", "bot:MESSAGE_CREATE"] {
            assert!(matches!(receive(source), Err(Error::Other(_))), "{source}");
        }
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_refused_with_its_key() {
        for (config, key) in [
            ("7", "`broker`"),
            (r#"{"group": "", "message_timeout_ms": 1, "shards": {"ids": []}}"#, "`broker.group`"),
            (r#"{"group": "amq.mine", "message_timeout_ms": 1, "shards": {"ids": []}}"#, "`broker.group`"),
            (r#"{"group": "bot", "message_timeout_ms": 1}"#, "`broker.shards`"),
            (r#"{"group": "bot", "shards": {"ids": []}}"#, "`broker.message_timeout_ms`"),
        ] {
            let reason = configure(config).err().unwrap_or_else(|| panic!("{config} was accepted"));
            assert!(reason.contains(key), "{reason}");
        }
    }
}
