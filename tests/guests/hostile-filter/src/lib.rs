//! A filter that misbehaves in the way that its configuration says: `{"mode":"…"}`.

wit_bindgen::generate!({ path: "../../../wit", world: "event-filter" });

use std::cell::RefCell;
use std::hint::black_box;

use exports::spectacles::gateway::filter::{Error, Event, Guest, Interest, Verdict};
use spectacles::gateway::{log, metrics, payloads};

thread_local! {
    static MODE: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Hostile;

impl Guest for Hostile {
    fn init(config: String) -> Result<Interest, Error> {
        let mode = config.split("\"mode\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        match mode {
            "refuse-in-init" => return Err(Error::InvalidConfiguration("`mode` is refused, as asked".into())),
            "trap-in-init" => unreachable(),
            "loop-in-init" => endless(),
            "allocate-in-init" => allocate(),
            "payload-in-init" => drop(payloads::size(0)),
            _ => {}
        }
        MODE.set(mode.to_owned());
        Ok(Interest { events: None })
    }

    fn decide(events: Vec<Event>) -> Vec<Verdict> {
        MODE.with_borrow(|mode| misbehave(mode, &events));
        (0..).zip(&events).map(|(index, event)| verdict(index, event)).collect::<Vec<_>>().into_iter().skip(skipped()).collect()
    }
}

/// What goes wrong before any verdict.
fn misbehave(mode: &str, events: &[Event]) {
    match mode {
        "trap" => unreachable(),
        "loop" => endless(),
        "allocate" => allocate(),
        "recurse" => drop(black_box(recurse(0))),
        "past-the-end" => drop(payloads::size(u32::try_from(events.len()).unwrap_or(u32::MAX))),
        "log-flood" => (0..10_000).for_each(|line| log::write(log::Level::Warn, &format!("flood {line}\nERROR forged"))),
        "log-huge" => log::write(log::Level::Error, &"x".repeat(4 << 20)),
        "metric-flood" => (0..10_000).for_each(|name| metrics::increment(&format!("made_up_{name}"), 1)),
        "metric-malformed" => {
            metrics::increment("not a name", 1);
            metrics::set("", f64::NAN);
        }
        "pointers" => (0..20_000).for_each(|number| drop(payloads::get(0, &format!("/{number}/~1/x")))),
        "read-everything-often" => (0..200).for_each(|_| drop(payloads::read(0, 0, u32::MAX))),
        _ => {}
    }
}

fn verdict(index: u32, event: &Event) -> Verdict {
    let mode = MODE.with_borrow(String::clone);
    match mode.as_str() {
        "trap-on-marked" if payloads::get(index, "/marked").is_some() => unreachable(),
        "replace-with-garbage" => Verdict::Replace(b"{\"not\": json".to_vec()),
        "replace-with-invalid-utf8" => Verdict::Replace(b"\"\xff\xfe\"".to_vec()),
        "replace" => Verdict::Replace(format!("{{\"replaced\":{}}}", event.sequence).into_bytes()),
        _ => Verdict::Pass,
    }
}

/// Verdicts that are left out.
fn skipped() -> usize {
    MODE.with_borrow(|mode| usize::from(mode == "too-few-verdicts"))
}

fn unreachable() -> ! {
    core::arch::wasm32::unreachable()
}

fn endless() -> ! {
    loop {
        black_box(());
    }
}

fn allocate() {
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

export!(Hostile);
