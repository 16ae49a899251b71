//! A filter that waits instead of computing: it sleeps for an hour in each call, on WASI's clock.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package tests:waiting;

            world waiting {
                import wasi:clocks/monotonic-clock@0.2.0;
                export spectacles:gateway/filter@0.1.0;
            }

            package wasi:io@0.2.0 {
                interface poll {
                    resource pollable {
                        block: func();
                    }
                }
            }

            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    subscribe-duration: func(nanoseconds: u64) -> pollable;
                }
            }
        ",
        world: "tests:waiting/waiting",
        generate_all,
    });
}

use bindings::exports::spectacles::gateway::filter::{Error, Event, Guest, Interest, Verdict};
use bindings::wasi::clocks::monotonic_clock::subscribe_duration;

const HOUR: u64 = 3_600_000_000_000;

struct Waiting;

impl Guest for Waiting {
    fn init(_config: String) -> Result<Interest, Error> {
        Ok(Interest { events: None })
    }

    fn decide(events: Vec<Event>) -> Vec<Verdict> {
        subscribe_duration(HOUR).block();
        events.iter().map(|_| Verdict::Pass).collect()
    }
}

bindings::export!(Waiting with_types_in bindings);
