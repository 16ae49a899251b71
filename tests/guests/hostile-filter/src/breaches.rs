//! What goes wrong before any verdict.

use std::hint::black_box;

use crate::bindings::exports::spectacles::gateway::filter::Event;
use crate::bindings::spectacles::gateway::{log, metrics, payloads};

pub(crate) fn commit(mode: &str, events: &[Event]) {
    match mode {
        "trap" => trap(),
        "loop" => endless(),
        "allocate" => allocate(),
        "recurse" => drop(black_box(recurse(0))),
        "past-the-end" => drop(payloads::size(u32::try_from(events.len()).unwrap_or(u32::MAX))),
        "identity-past-the-end" => drop(payloads::identity(u32::try_from(events.len()).unwrap_or(u32::MAX))),
        "log-flood" => {
            (0..10_000).for_each(|line| log::write(log::Level::Warn, &format!("flood {line}\nERROR forged")))
        }
        "log-huge" => log::write(log::Level::Error, &"x".repeat(4 << 20)),
        "metric-flood" => (0..10_000).for_each(|name| metrics::increment(&format!("made_up_{name}"), 1)),
        "metric-flood-and-trap" => {
            let first = events.first().map_or(0, |event| event.sequence);
            (0..10).for_each(|name| metrics::increment(&format!("made_up_{first}_{name}"), 1));
            trap();
        }
        "metric-malformed" => {
            metrics::increment("not a name", 1);
            metrics::set("", 1.0);
            metrics::set("not_a_number", f64::NAN);
        }
        "pointers" => (0..20_000).for_each(|number| drop(payloads::get(0, &format!("/{number}/~1/x")))),
        "huge-pointers" => {
            let pointer = "/a".repeat(4 << 20);
            (0..200).for_each(|number| drop(payloads::get(0, &format!("/{number}{pointer}"))));
        }
        "read-everything-often" => (0..200).for_each(|_| drop(payloads::read(0, 0, u32::MAX))),
        _ => {}
    }
}

pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

pub(crate) fn endless() -> ! {
    loop {
        black_box(());
    }
}

pub(crate) fn allocate() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[expect(unconditional_recursion, reason = "the point of it")]
fn recurse(depth: u64) -> u64 {
    black_box([depth; 64]);
    1 + black_box(recurse(depth + 1))
}
