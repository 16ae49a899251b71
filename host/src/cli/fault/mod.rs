//! The faults of `gateway simulate`, as its user writes them: `close=4009,every=50,shard=1`.

mod list;

use std::fmt::Write as _;
use std::num::NonZeroU32;

use gateway_simulator::Fault;

use crate::config::did_you_mean;
use list::{GROUPS, Named, Occasion, number};

/// Reads a fault: its name, its value, and what narrows it down.
///
/// # Errors
/// Says what is wrong and what is accepted.
pub(super) fn parse(text: &str) -> Result<Fault, String> {
    let mut parts = text.split(',').map(|part| part.split_once('=').map_or((part, None), |(a, b)| (a, Some(b))));
    let (name, value) = parts.next().unwrap_or_default();
    let (occasion, named) = find(name)?;
    let kind = match value {
        None if named.has_value() => return Err(format!("it needs a value: {}", named.usage)),
        Some(_) if !named.has_value() => return Err(format!("`{name}` takes no value")),
        value => (named.kind)(value.unwrap_or_default())?,
    };
    let mut fault = Fault::from(kind).until_cleared();
    if occasion == Occasion::Events {
        fault = fault.every(EVERY);
    }
    parts.try_fold(fault, |fault, (name, value)| narrow(fault, occasion, name, value.unwrap_or_default()))
}

/// The help of `--fault`.
pub(super) fn help() -> String {
    let mut help = String::from(
        "What goes wrong; can be repeated\n\nA fault is a name of the list, for some with a value. It happens again and \
         again, or with `,times=N` N times:\n  --fault no-acks --fault close=4000,every=50 --fault rest=503,times=2\n",
    );
    for group in &GROUPS {
        let _ = writeln!(help, "\n{}:", title(group.occasion));
        for Named { usage, effect, .. } in group.faults {
            let _ = writeln!(help, "  {usage:<26} {effect}");
        }
    }
    help.push_str(
        "\nANSWER is invalid-session, invalid-session-resumable, drop, silence or a close code.\nTIME is a duration such \
         as 500ms, 10s or 2m.",
    );
    help
}

fn find(name: &str) -> Result<(Occasion, &'static Named), String> {
    let mut all = GROUPS.iter().flat_map(|group| group.faults.iter().map(|named| (group.occasion, named)));
    all.clone().find(|(_, named)| named.name() == name).ok_or_else(|| {
        let hint = did_you_mean(name, all.by_ref().map(|(_, named)| named.name()));
        format!("no fault is called \"{name}\"{hint} (`gateway simulate --help` lists all)")
    })
}

fn narrow(fault: Fault, occasion: Occasion, name: &str, value: &str) -> Result<Fault, String> {
    match (name, occasion) {
        ("times", _) => Ok(fault.times(number(value, 1..=u32::MAX)?)),
        ("every", Occasion::Events) => {
            let events = number(value, NonZeroU32::MIN..=NonZeroU32::MAX)?;
            Ok(fault.every(events))
        }
        ("shard", Occasion::Events | Occasion::Session) => Ok(fault.on_shard(number(value, 0..=u32::MAX)?)),
        ("every", _) => Err("`every` is for what happens after events, on open connections".to_owned()),
        ("shard", _) => Err("`shard` means nothing here: the client has not said yet which shard it is".to_owned()),
        _ => Err(format!("`{name}` is none of `times=N`, `every=N` and `shard=N`")),
    }
}

fn title(occasion: Occasion) -> String {
    match occasion {
        Occasion::Events => format!(
            "After every {EVERY} events of a shard, on its connection (`,every=N`: after every N; `,shard=N`: only there)"
        ),
        Occasion::Session => "With a session (`,shard=N`: only of that shard)".to_owned(),
        Occasion::Start => "When a client starts or connects".to_owned(),
    }
}

const EVERY: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gateway_simulator::{Answer, FaultKind, RestFault};

    use super::*;

    #[test]
    fn a_fault_has_a_name_a_value_and_what_narrows_it_down() {
        let close = FaultKind::Close { code: 4009, reason: "Closed on demand.".to_owned() };
        let every = |number| NonZeroU32::new(number).unwrap();
        let answer = |answer| FaultKind::AnswerResume(answer);
        for (text, expected) in [
            ("reconnect", FaultKind::Reconnect.until_cleared().every(every(100))),
            ("close=4009,every=50,shard=1", close.until_cleared().every(every(50)).on_shard(1)),
            ("lose,times=1", FaultKind::Mangle(gateway_simulator::Mangling::Lose).times(1).every(every(100))),
            ("no-acks", FaultKind::SwallowAcks.until_cleared()),
            ("late-acks=1m30s,shard=0", FaultKind::DelayAcks(Duration::from_secs(90)).until_cleared().on_shard(0)),
            ("resume=invalid-session", answer(Answer::InvalidSession { resumable: false }).until_cleared()),
            ("resume=4007,times=2", answer(Answer::Close(4007)).times(2)),
            ("rest=503,times=3", FaultKind::Rest(RestFault::Status(503)).times(3)),
            ("revoked-token", FaultKind::TokenRevoked.until_cleared()),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_fault_is_said() {
        for (text, hint) in [
            ("", "no fault is called \"\""),
            ("recconect", "did you mean \"reconnect\"?"),
            ("close", "it needs a value: close=CODE"),
            ("close=99", "`99` is no number from 1000 to 4999"),
            ("close=soon", "`soon` is no number from 1000 to 4999"),
            ("drop=1", "`drop` takes no value"),
            ("late-hello=10", "`10` has no unit"),
            ("late-hello=-1s", "`-1s` is negative"),
            ("late-hello=25h", "`25h` is longer than a day"),
            ("resume=maybe", "neither invalid-session, invalid-session-resumable, drop, silence nor a close code"),
            ("rest=200", "`200` is no number from 400 to 599"),
            ("drop,every=0", "`0` is no number from 1 to"),
            ("drop,times", "`` is no number from 1 to"),
            ("drop,often", "`often` is none of `times=N`, `every=N` and `shard=N`"),
            ("no-acks,every=5", "`every` is for what happens after events"),
            ("rest=503,shard=1", "`shard` means nothing here"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn help_and_manual_list_every_fault() {
        let (help, manual) = (help(), include_str!("../../../../docs/simulator.md"));
        for Named { usage, effect, .. } in GROUPS.iter().flat_map(|group| group.faults) {
            assert!(help.contains(&format!("  {usage:<26} {effect}\n")), "{usage}");
            assert!(manual.contains(&format!("| `{usage}` | {effect} |\n")), "docs/simulator.md: {usage}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = GROUPS.iter().flat_map(|group| group.faults).map(Named::name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
