//! A filter that imports what only adapters are granted.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package tests:overreaching;

            world overreaching {
                import spectacles:gateway/stdio@0.1.0;
                export spectacles:gateway/filter@0.1.0;
            }
        ",
        world: "tests:overreaching/overreaching",
        generate_all,
    });
}

use bindings::exports::spectacles::gateway::filter::{Error, Event, Guest, Interest, Verdict};
use bindings::spectacles::gateway::stdio::{self, PayloadForm};

struct Overreaching;

impl Guest for Overreaching {
    fn init(_config: String) -> Result<Interest, Error> {
        Ok(Interest { events: None })
    }

    fn decide(events: Vec<Event>) -> Vec<Verdict> {
        (0..)
            .zip(&events)
            .map(|(index, _)| {
                stdio::write(index, b"", PayloadForm::Verbatim, b"\n");
                Verdict::Drop
            })
            .collect()
    }
}

bindings::export!(Overreaching with_types_in bindings);
