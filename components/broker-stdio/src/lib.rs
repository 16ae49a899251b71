//! The broker adapter for standard streams: events go out on STDOUT, commands come in on STDIN.
//!
//! Configuration: the `[broker]` table, of which it reads `encoding`. It has no keys of its own.

mod bindings;
mod frame;
mod inbound;

use std::cell::Cell;

use bindings::exports::spectacles::gateway::adapter::{Command, Error, Event, Guest, Message};
use bindings::spectacles::gateway::log::{self, Level};
use bindings::spectacles::gateway::stdio;
use inbound::Inbound;
use spectacles_adapter::{Encoding, Settings, Target};

struct Adapter;

bindings::export!(Adapter with_types_in bindings);

impl Guest for Adapter {
    fn open(config: String) -> Result<(), Error> {
        ENCODING.set(configure(&config).map_err(Error::InvalidConfiguration)?);
        Ok(())
    }

    fn publish(events: Vec<Event>) -> Result<(), Error> {
        let encoding = ENCODING.get();
        let (form, after) = (frame::payload_form(encoding), frame::end(encoding));
        let mut before = Vec::new();
        for (index, event) in (0..).zip(&events) {
            before.clear();
            frame::begin(&mut before, encoding, &event.name);
            stdio::write(index, &before, form, after);
        }
        Ok(())
    }

    fn receive(message: Message) -> Result<Vec<Command>, Error> {
        let Inbound { event, data } =
            Inbound::parse(&message.body).map_err(|invalid| Error::Other(invalid.to_string()))?;
        Ok(match Target::of(&event) {
            Some(Target::Guild) => vec![Command::Send(data.to_vec())],
            Some(Target::Shard(shard)) => vec![Command::Packet((shard, data.to_vec()))],
            None => {
                log::write(
                    Level::Warn,
                    &format!(
                        "skipped a command for {event:?}: commands are for \"SEND\", or for a shard by its number"
                    ),
                );
                Vec::new()
            }
        })
    }

    fn close() {}
}

fn configure(config: &str) -> Result<Encoding, String> {
    let mut settings = Settings::parse(config)?;
    settings.own()?.finish()?;
    settings.encoding()
}

thread_local! {
    static ENCODING: Cell<Encoding> = const { Cell::new(Encoding::Json) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_broker() {
        assert_eq!(
            configure(r#"{"type": "stdio", "group": "gateway", "message_timeout_ms": 120}"#),
            Ok(Encoding::Json)
        );
        assert_eq!(configure(r#"{"encoding": "msgpack", "config": {}}"#), Ok(Encoding::Msgpack));
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_refused_with_its_key() {
        for (config, key) in
            [(r#"{"encoding": "bson"}"#, "`broker.encoding`"), (r#"{"config": {"x": 1}}"#, "`broker.config.x`")]
        {
            assert!(configure(config).unwrap_err().contains(key), "{config}");
        }
    }
}
