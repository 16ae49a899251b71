//! What several of these tests need.

use std::time::Duration;

use gateway_simulator::{Control, Entry, Happening, Limits, Options, Rate, Sent, Simulator};
use gateway_tests::{Event, PATIENCE, Setup};

use crate::GATEWAY;

/// A simulated Discord that is as patient as the tests.
pub(crate) async fn start(options: Options) -> Simulator {
    Simulator::start(Options { patience: PATIENCE, ..options }).await.unwrap()
}

/// One whose shards need not wait to identify, also after another gateway.
pub(crate) async fn start_at_once(options: Options) -> Simulator {
    let limits = Limits { identify_interval: Duration::ZERO, ..Limits::default() };
    start(Options { limits, ..options }).await
}

/// One on which nothing happens but what the test does.
pub(crate) async fn quiet() -> Simulator {
    start(without_guilds()).await
}

/// A bot in no guild.
pub(crate) fn without_guilds() -> Options {
    Options { guilds_per_shard: 0, ..Options::default() }
}

/// Traffic of every kind and size, so many events a second, all of which can be replayed.
pub(crate) fn busy(events: f64) -> Options {
    Options { event_rate: Rate::per_second(events), replay_events: 100_000, ..Options::default() }
}

/// A bot in no guild whose shards all start at once.
pub(crate) fn shards(count: u32) -> Options {
    Options { recommended_shards: count, max_concurrency: count, ..without_guilds() }
}

/// A gateway on it that publishes everything.
pub(crate) fn setup(simulator: &Simulator) -> Setup {
    Setup::on(GATEWAY, simulator)
}

/// Fails unless the events are exactly these, in this order, byte for byte.
pub(crate) fn assert_same(events: &[Event], sent: &[Sent]) {
    for (number, (event, sent)) in events.iter().zip(sent).enumerate() {
        let expected = format!(r#"{{"event":"{}","data":{}}}"#, sent.name, sent.payload);
        assert!(event.line == expected, "event {number} is {}\nin place of {}", head(&event.line), head(&expected));
    }
    let names = |from: usize| events.iter().skip(from).map(|event| &event.name).take(5).collect::<Vec<_>>();
    assert_eq!(events.len(), sent.len(), "events {:?} are too many, or sent ones missing", names(sent.len()));
}

/// Waits until something has happened that many times.
pub(crate) async fn happens(control: &Control, times: usize, matches: impl Fn(&Entry) -> bool) -> Entry {
    let mut count = 0;
    let found = control.wait_for(|entry| {
        count += usize::from(matches(entry));
        count == times
    });
    found.await.unwrap()
}

/// How often something has happened.
pub(crate) fn count(control: &Control, matches: impl Fn(&Happening) -> bool) -> usize {
    control.journal().iter().filter(|entry| matches(&entry.happening)).count()
}

/// How many identifies came.
pub(crate) fn identifies(control: &Control) -> usize {
    count(control, |happening| matches!(happening, Happening::Identify { .. }))
}

/// The codes with which the gateway closed its connections.
pub(crate) fn close_codes(control: &Control) -> Vec<Option<u16>> {
    let code = |entry: &Entry| match &entry.happening {
        Happening::ClientClosed { code, .. } => Some(*code),
        _ => None,
    };
    control.journal().iter().filter_map(code).collect()
}

fn head(text: &str) -> String {
    text.chars().take(300).collect()
}
