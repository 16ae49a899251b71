//! A filter that misbehaves in the way that its configuration says: `{"mode":"…"}`. Whatever the mode, it counts the events
//! that it is asked about in its metric `asked`.

mod breaches;
mod verdicts;

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "event-filter" });
}

use std::cell::RefCell;

use bindings::exports::spectacles::gateway::filter::{Error, Event, Guest, Interest, Verdict};
use bindings::spectacles::gateway::{metrics, payloads};

thread_local! {
    static MODE: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Hostile;

impl Guest for Hostile {
    fn init(config: String) -> Result<Interest, Error> {
        let mode = config.split("\"mode\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        match mode {
            "refuse-in-init" => return Err(Error::InvalidConfiguration("`mode` is refused, as asked".into())),
            "trap-in-init" => breaches::trap(),
            "loop-in-init" => breaches::endless(),
            "allocate-in-init" => breaches::allocate(),
            "payload-in-init" => drop(payloads::size(0)),
            _ => {}
        }
        let events = (mode == "interested-in-wanted").then(|| vec!["WANTED".into()]);
        MODE.set(mode.to_owned());
        Ok(Interest { events })
    }

    fn decide(events: Vec<Event>) -> Vec<Verdict> {
        metrics::increment("asked", events.len() as u64);
        MODE.with_borrow(|mode| {
            breaches::commit(mode, &events);
            verdicts::all(mode, &events)
        })
    }
}

bindings::export!(Hostile with_types_in bindings);
