//! An adapter that misbehaves in the way that its configuration says: `{"group":"…"}` names the mode, as that is a key that the
//! host hands over as it is. It writes one line for each event: name, shard, sequence and payload, with the event's identity
//! before the payload in the mode `identities`.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "broker" });
}

use std::cell::{Cell, RefCell};
use std::hint::black_box;

use bindings::exports::spectacles::gateway::adapter::{Command, Error, Event, Guest, Message};
use bindings::spectacles::gateway::payloads;
use bindings::spectacles::gateway::stdio::{self, PayloadForm};

thread_local! {
    static MODE: RefCell<String> = const { RefCell::new(String::new()) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Hostile;

impl Guest for Hostile {
    fn open(config: String) -> Result<(), Error> {
        let mode = config.split("\"group\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        match mode {
            "refuse-in-open" => return Err(Error::InvalidConfiguration("`group` is refused, as asked".into())),
            "trap-in-open" => core::arch::wasm32::unreachable(),
            "write-in-open" => stdio::write(0, b"", PayloadForm::Verbatim, b""),
            _ => {}
        }
        MODE.set(mode.to_owned());
        Ok(())
    }

    fn publish(events: Vec<Event>) -> Result<(), Error> {
        let mode = MODE.with_borrow(String::clone);
        let call = CALLS.get() + 1;
        CALLS.set(call);
        for (index, event) in (0..).zip(&events) {
            let mut before = format!("{} {} {} ", event.name, event.shard, event.sequence);
            if mode == "identities" {
                before += &payloads::identity(index).map_or_else(|| "none ".to_owned(), |identity| identity + " ");
            }
            stdio::write(index, before.as_bytes(), PayloadForm::SingleLine, b"\n");
            match mode.as_str() {
                // A part of the batch is handed over by then, and must not go out twice.
                "trap-on-third-call" if call == 3 => core::arch::wasm32::unreachable(),
                "error-on-third-call" if call == 3 => return Err(Error::Unavailable("not this time".into())),
                "loop-on-third-call" if call == 3 => endless(),
                "trap-on-poison" if event.name == "POISON" => core::arch::wasm32::unreachable(),
                "past-the-end" => stdio::write(u32::MAX, b"", PayloadForm::Verbatim, b""),
                "hand-over-without-end" => hand_over_without_end(index),
                _ => {}
            }
        }
        Ok(())
    }

    fn receive(message: Message) -> Result<Vec<Command>, Error> {
        match message.body.first() {
            Some(b'{') => Ok(vec![Command::Send(message.body)]),
            _ => core::arch::wasm32::unreachable(),
        }
    }

    fn close() {}
}

fn endless() -> ! {
    loop {
        black_box(());
    }
}

fn hand_over_without_end(index: u32) -> ! {
    let before = vec![b'x'; 1 << 20];
    loop {
        stdio::write(index, &before, PayloadForm::Verbatim, b"");
    }
}

bindings::export!(Hostile with_types_in bindings);
