//! A filter that passes every event but each thousandth of a session, on which it traps, however often it is asked.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "event-filter" });
}

use bindings::exports::spectacles::gateway::filter::{Error, Event, Guest, Interest, Verdict};

struct Trapping;

impl Guest for Trapping {
    fn init(_config: String) -> Result<Interest, Error> {
        Ok(Interest { events: None })
    }

    #[expect(clippy::panic, reason = "it is what the filter is for")]
    fn decide(events: Vec<Event>) -> Vec<Verdict> {
        let verdict = |event: &Event| match event.sequence % 1000 {
            0 => panic!("event {} is one of those", event.sequence),
            _ => Verdict::Pass,
        };
        events.iter().map(verdict).collect()
    }
}

bindings::export!(Trapping with_types_in bindings);
