//! Verdicts, good and bad.

use crate::bindings::exports::spectacles::gateway::filter::{Event, Verdict};
use crate::bindings::spectacles::gateway::payloads;
use crate::breaches;

pub(crate) fn all(mode: &str, events: &[Event]) -> Vec<Verdict> {
    let mut verdicts: Vec<_> = (0..).zip(events).map(|(index, event)| one(mode, index, event)).collect();
    match mode {
        "too-few-verdicts" => drop(verdicts.pop()),
        "too-many-verdicts" => verdicts.push(Verdict::Pass),
        _ => {}
    }
    verdicts
}

fn one(mode: &str, index: u32, event: &Event) -> Verdict {
    match mode {
        "trap-on-marked" if is_marked(index) => breaches::trap(),
        "loop-on-marked" if is_marked(index) => breaches::endless(),
        "replace-with-garbage" => Verdict::Replace(b"{\"not\": json".to_vec()),
        "replace-with-invalid-utf8" => Verdict::Replace(b"\"\xff\xfe\"".to_vec()),
        "replace-marked-with-garbage" if is_marked(index) => Verdict::Replace(b"{".to_vec()),
        "wrap" | "replace-marked-with-garbage" => Verdict::Replace(wrapped(index)),
        "replace" => {
            // What is found before the replacement must not be found after it.
            let known = payloads::get(index, "/replaced").is_some();
            Verdict::Replace(format!("{{\"replaced\":{},\"known\":{known}}}", event.sequence).into_bytes())
        }
        "drop-what-is-not-replaced" => keep(payloads::get(index, "/replaced") == Some(event.sequence.to_string())),
        "drop-what-is-not-test-2" => keep(payloads::identity(index).as_deref() == Some("test:2")),
        "drop-marked" => keep(!is_marked(index)),
        "pass-always" => Verdict::PassAlways,
        "drop-always" => Verdict::DropAlways,
        _ => Verdict::Pass,
    }
}

fn keep(keeps: bool) -> Verdict {
    if keeps { Verdict::Pass } else { Verdict::Drop }
}

fn is_marked(index: u32) -> bool {
    payloads::get(index, "/marked").is_some()
}

fn wrapped(index: u32) -> Vec<u8> {
    [b"[".to_vec(), payloads::read(index, 0, u32::MAX), b"]".to_vec()].concat()
}
