//! The default event filter: passes the events of the configured list, and drops all others.
//!
//! Configuration: `{"events": ["MESSAGE_CREATE", …]}`. Names are spelt as Discord does; `"*"` stands for all events, and an
//! empty list drops everything.

mod bindings;
mod event_list;

use std::sync::OnceLock;

use bindings::exports::spectacles::gateway::filter::{Error, Event, Guest, Interest, Verdict};
use event_list::EventList;

struct Filter;

bindings::export!(Filter with_types_in bindings);

impl Guest for Filter {
    fn init(config: String) -> Result<Interest, Error> {
        let list = EVENTS.get_or_init(|| EventList::parse(&config));
        let list = list.as_ref().map_err(|reason| Error::InvalidConfiguration(reason.clone()))?;
        Ok(Interest { events: interest(list) })
    }

    fn decide(events: Vec<Event>) -> Vec<Verdict> {
        let list = EVENTS.get().and_then(|list| list.as_ref().ok());
        events.iter().map(|event| verdict(list, &event.name)).collect()
    }
}

/// Events outside of a filter's interest pass. So the filter asks for no event if all pass, and for all of them otherwise.
fn interest(list: &EventList) -> Option<Vec<String>> {
    match list {
        EventList::All => Some(Vec::new()),
        EventList::Named(_) => None,
    }
}

fn verdict(list: Option<&EventList>, name: &str) -> Verdict {
    if list.is_some_and(|list| list.contains(name)) { Verdict::PassAlways } else { Verdict::DropAlways }
}

/// The list, or why the configuration holds none.
static EVENTS: OnceLock<Result<EventList, String>> = OnceLock::new();

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Event {
        Event { name: name.into(), shard: 0, sequence: 1 }
    }

    #[test]
    fn listed_names_pass_and_all_others_are_dropped_for_good() {
        let interest = Filter::init(r#"{"events": ["MESSAGE_CREATE", "READY"]}"#.into()).unwrap();
        assert_eq!(interest.events, None);
        let verdicts = Filter::decide(["READY", "message_create", "MESSAGE_CREATE", "MESSAGE"].map(event).to_vec());
        assert!(matches!(
            verdicts[..],
            [Verdict::PassAlways, Verdict::DropAlways, Verdict::PassAlways, Verdict::DropAlways]
        ));
    }

    #[test]
    fn a_star_asks_for_no_event_so_that_all_pass() {
        assert_eq!(interest(&EventList::All), Some(Vec::new()));
    }
}
