//! The broker adapter for standard streams: events go out on STDOUT, commands come in on STDIN.
//!
//! Configuration: the `[broker]` table, of which it reads `encoding` and `message_ids`. It has no keys of its own.

mod bindings;
mod frame;
mod inbound;

use std::cell::Cell;

use bindings::exports::spectacles::gateway::adapter::{Command, Error, Event, Guest, Message};
use bindings::spectacles::gateway::log::{self, Level};
use bindings::spectacles::gateway::{payloads, stdio};
use frame::Frame;
use inbound::Inbound;
use spectacles_adapter::{Encoding, Settings, Target};

struct Adapter;

bindings::export!(Adapter with_types_in bindings);

impl Guest for Adapter {
    fn open(config: String) -> Result<(), Error> {
        OUTLET.set(configure(&config).map_err(Error::InvalidConfiguration)?);
        Ok(())
    }

    fn publish(events: Vec<Event>) -> Result<(), Error> {
        let Outlet { encoding, message_ids } = OUTLET.get();
        let mut frame = Frame::default();
        for (index, event) in (0..).zip(&events) {
            let id = if message_ids { payloads::identity(index) } else { None };
            frame.set(encoding, &event.name, id.as_deref());
            stdio::write(index, &frame.before, frame::payload_form(encoding), &frame.after);
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

/// How events go out.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Outlet {
    encoding: Encoding,
    /// Whether a frame has its event's identity in it.
    message_ids: bool,
}

fn configure(config: &str) -> Result<Outlet, String> {
    let mut settings = Settings::parse(config)?;
    settings.own()?.finish()?;
    Ok(Outlet { encoding: settings.encoding()?, message_ids: settings.message_ids()? })
}

thread_local! {
    static OUTLET: Cell<Outlet> = const { Cell::new(Outlet { encoding: Encoding::Json, message_ids: false }) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_and_whether_there_are_ids_is_as_the_broker_has_it() {
        assert_eq!(
            configure(r#"{"type": "stdio", "group": "gateway", "message_timeout_ms": 120}"#),
            Ok(Outlet { encoding: Encoding::Json, message_ids: false })
        );
        assert_eq!(
            configure(r#"{"encoding": "msgpack", "message_ids": true, "config": {}}"#),
            Ok(Outlet { encoding: Encoding::Msgpack, message_ids: true })
        );
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
