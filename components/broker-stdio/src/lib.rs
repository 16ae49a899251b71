//! The broker adapter for standard streams: events go out on STDOUT, commands come in on STDIN.
//!
//! Configuration: the `[broker]` table, of which it reads `encoding`: `"json"` (the default) or `"msgpack"`.

mod bindings;
mod encoding;
mod frame;
mod inbound;

use std::cell::Cell;

use bindings::exports::spectacles::gateway::adapter::{Command, Error, Event, Guest, Message};
use bindings::spectacles::gateway::log::{self, Level};
use bindings::spectacles::gateway::payloads;
use bindings::spectacles::gateway::stdio::{self, PayloadForm};
use encoding::Encoding;
use inbound::{Inbound, Target};

struct Adapter;

bindings::export!(Adapter with_types_in bindings);

impl Guest for Adapter {
    fn open(config: String) -> Result<(), Error> {
        ENCODING.set(Encoding::parse(&config).map_err(Error::InvalidConfiguration)?);
        Ok(())
    }

    fn publish(events: Vec<Event>) -> Result<(), Error> {
        let encoding = ENCODING.get();
        let mut before = Vec::new();
        for (index, event) in (0..).zip(&events) {
            before.clear();
            match encoding {
                Encoding::Json => {
                    frame::begin_json(&mut before, &event.name);
                    stdio::write(index, &before, PayloadForm::SingleLine, frame::END_OF_JSON);
                }
                Encoding::MessagePack => {
                    frame::begin_msgpack(&mut before, &event.name, payloads::size(index));
                    stdio::write(index, &before, PayloadForm::Verbatim, &[]);
                }
            }
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

thread_local! {
    static ENCODING: Cell<Encoding> = const { Cell::new(Encoding::Json) };
}
