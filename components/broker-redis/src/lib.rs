//! The broker adapter for Redis: events go out to streams, commands come in from streams.
//!
//! An event is an entry of the stream that is named after it; commands come from the streams `SEND` and `<id>` for each
//! shard of this gateway. Keys have no prefix, as consumers expect it: two bots need two databases.
//!
//! Configuration: the `[broker]` table, of which it reads `group` (the consumer group for commands), `encoding`,
//! `message_timeout`, `message_ids`, and `config.retention_ms`: for how long entries are kept (an hour, the default).

mod bindings;
mod inlets;
mod outlet;

use std::sync::OnceLock;

use bindings::exports::spectacles::gateway::adapter::{Command, Error, Event, Guest, Message};
use bindings::spectacles::gateway::log::{self, Level};
use bindings::spectacles::gateway::payloads;
use bindings::spectacles::gateway::redis::{self, Consumer};
use outlet::Outlet;
use spectacles_adapter::{Settings, Target};

struct Adapter;

bindings::export!(Adapter with_types_in bindings);

impl Guest for Adapter {
    fn open(config: String) -> Result<(), Error> {
        let (consumers, outlet) = configure(&config).map_err(Error::InvalidConfiguration)?;
        consumers.iter().for_each(redis::consume);
        OUTLET.get_or_init(|| outlet);
        Ok(())
    }

    fn publish(events: Vec<Event>) -> Result<(), Error> {
        let Outlet { body, trim, message_ids } = OUTLET.get().ok_or_else(not_open)?;
        for (index, event) in (0..).zip(&events) {
            if event.name.is_empty() {
                log::write(Level::Warn, "dropped an event without a name, which no stream could be named after");
            } else {
                let id = if *message_ids { payloads::identity(index) } else { None };
                let more = id.map(|id| (ID_FIELD.to_owned(), id));
                redis::append(index, &event.name, FIELD, body, more.as_slice(), *trim);
            }
        }
        Ok(())
    }

    fn receive(message: Message) -> Result<Vec<Command>, Error> {
        match Target::of(&message.source) {
            Some(Target::Guild) => Ok(vec![Command::Send(message.body)]),
            Some(Target::Shard(shard)) => Ok(vec![Command::Packet((shard, message.body))]),
            None => Err(Error::Other(format!("the stream {:?} is not for commands", message.source))),
        }
    }

    fn close() {}
}

fn configure(config: &str) -> Result<(Vec<Consumer>, Outlet), String> {
    let mut settings = Settings::parse(config)?;
    let outlet = Outlet::new(&mut settings)?;
    Ok((inlets::consumers(&mut settings)?, outlet))
}

fn not_open() -> Error {
    Error::Other("`open` has not been called, or has failed".to_owned())
}

/// Set by `open`.
static OUTLET: OnceLock<Outlet> = OnceLock::new();

/// The field of an entry that holds the message, in both directions.
const FIELD: &str = "data";

/// The field of an entry that holds the identity of its event.
const ID_FIELD: &str = "id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_command_for_what_its_stream_is_for() {
        let receive = |source: &str| Adapter::receive(Message { source: source.into(), body: b"body".into() });
        assert!(matches!(&receive("SEND").unwrap()[..], [Command::Send(body)] if body == b"body"));
        assert!(matches!(&receive("3").unwrap()[..], [Command::Packet((3, body))] if body == b"body"));
        for source in ["", "gateway:SEND", "-1", "MESSAGE_CREATE"] {
            assert!(matches!(receive(source), Err(Error::Other(_))), "{source}");
        }
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_refused_with_its_key() {
        for (config, key) in [
            ("7", "`broker`"),
            (r#"{"group": "", "message_timeout_ms": 1, "shards": {"ids": []}}"#, "`broker.group`"),
            (r#"{"group": "bot", "message_timeout_ms": 1}"#, "`broker.shards`"),
            (r#"{"group": "bot", "shards": {"ids": []}}"#, "`broker.message_timeout_ms`"),
            (r#"{"encoding": "bson"}"#, "`broker.encoding`"),
        ] {
            let reason = configure(config).err().unwrap_or_else(|| panic!("{config} was accepted"));
            assert!(reason.contains(key), "{reason}");
        }
    }
}
