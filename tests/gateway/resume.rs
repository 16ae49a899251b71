//! Connections that end in every way, and sessions that go on.

use std::time::Duration;

use gateway_simulator::{Answer, Control, Entry, FaultKind, Happening, Knobs, Limits, Options, Simulator};
use gateway_tests::Gateway;

use crate::support::{assert_same, close_codes, count, happens, identifies, quiet, setup, start, without_guilds};

async fn ready(simulator: &Simulator) -> Gateway {
    let mut gateway = setup(simulator).with_metrics().start();
    gateway.next_named("READY").await;
    gateway
}

fn resumed(entry: &Entry) -> bool {
    matches!(entry.happening, Happening::Resumed { .. })
}

/// The query of each connection, and whether it went to the resume URL.
fn openings(control: &Control) -> Vec<(String, bool)> {
    let opening = |entry: Entry| match entry.happening {
        Happening::Opened { query, resume_url, .. } => Some((query, resume_url)),
        _ => None,
    };
    control.journal().into_iter().filter_map(opening).collect()
}

#[tokio::test]
async fn op_7_reconnects_to_the_resume_url_with_the_same_query_and_costs_no_identify() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    control.fault(FaultKind::Reconnect);
    control.send_event(0, "MEANWHILE", "{}");
    let mut events = gateway.until("RESUMED").await;
    control.send_event(0, "AFTER", "{}");
    events.extend(gateway.until("AFTER").await);
    assert_same(&events, &control.sent(0)[1..]);
    assert_eq!(close_codes(&control), [Some(4000)]);
    let openings = openings(&control);
    assert_eq!(openings.iter().map(|(_, resume_url)| *resume_url).collect::<Vec<_>>(), [false, true]);
    assert_eq!(openings[0].0, openings[1].0);
    assert_eq!(identifies(&control), 1);
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_reconnects_total{cause="requested",shard="0"}"#), Some(1.0));
    assert_eq!(figures.of(r#"gateway_sessions_total{kind="resumed",shard="0"}"#), Some(1.0));
}

#[tokio::test]
async fn op_7_before_hello_is_a_new_connection() {
    let simulator = quiet().await;
    simulator.control().fault(FaultKind::ReconnectInsteadOfHello);
    ready(&simulator).await;
    assert_eq!((openings(&simulator.control()).len(), identifies(&simulator.control())), (2, 1));
}

#[tokio::test]
async fn op_9_true_resumes_the_session() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    control.fault(FaultKind::InvalidSession { resumable: true });
    gateway.next_named("RESUMED").await;
    control.fault(FaultKind::AnswerResume(Answer::InvalidSession { resumable: true }));
    control.fault(FaultKind::Drop);
    gateway.next_named("RESUMED").await;
    assert_eq!(identifies(&control), 1);
}

#[tokio::test]
async fn op_9_false_starts_a_new_session_at_the_base_url_and_tells_the_loss() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    control.send_event(0, "BEFORE", "{}");
    control.fault(FaultKind::InvalidSession { resumable: false });
    assert_eq!(gateway.next_event().await.name, "BEFORE");
    gateway.logged("the session is lost (invalidated)").await;
    let ready = gateway.next_named("READY").await;
    let session = happens(&control, 2, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    assert_eq!(session.happening, Happening::Ready { session: ready.data["session_id"].as_str().unwrap().into() });
    assert_eq!(openings(&control).iter().map(|(_, resume_url)| *resume_url).collect::<Vec<_>>(), [false, false]);
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_sessions_lost_total{shard="0"}"#), Some(1.0));
    assert_eq!(figures.of(r#"gateway_sessions_total{kind="new",shard="0"}"#), Some(2.0));
}

#[tokio::test]
async fn op_9_in_answer_to_identify_waits_and_identifies_again() {
    let simulator = quiet().await;
    let control = simulator.control();
    control.fault(FaultKind::AnswerIdentify(Answer::InvalidSession { resumable: false }));
    ready(&simulator).await;
    let identify = |entry: &Entry| matches!(entry.happening, Happening::Identify { .. });
    let (first, second) = (happens(&control, 1, identify).await, happens(&control, 2, identify).await);
    assert!(second.at - first.at >= Duration::from_secs(5));
}

#[tokio::test]
async fn a_dead_resume_url_falls_back_to_the_base_url() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    control.fault(FaultKind::ResumeUrlDead);
    control.fault(FaultKind::Drop);
    gateway.logged("connecting failed").await;
    gateway.next_named("RESUMED").await;
    assert_eq!(openings(&control).last().map(|(_, resume_url)| *resume_url), Some(false));
    assert_eq!(identifies(&control), 1);
}

#[tokio::test]
async fn a_dead_resume_url_is_not_tried_by_the_next_run() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator).variable("SHARD_STORE_PATH", "store");
    let mut gateway = setup.start();
    gateway.next_named("READY").await;
    let stored = || {
        let bots = std::fs::read_dir(setup.path("store")).into_iter().flatten();
        let mut files = bots.map(|bot| bot.unwrap().path().join("shard-0.json"));
        files.find_map(|file| std::fs::read_to_string(file).ok()).unwrap_or_default()
    };
    while !stored().contains("ws://") {
        tokio::task::yield_now().await;
    }
    control.fault(FaultKind::ResumeUrlDead);
    control.fault(FaultKind::Drop);
    gateway.next_named("RESUMED").await;
    while stored().contains("ws://") {
        tokio::task::yield_now().await;
    }
    gateway.signal("KILL").await;
    gateway.ended().await;

    let opened = count(&control, |happening| matches!(happening, Happening::Opened { .. }));
    let mut gateway = setup.start();
    gateway.next_named("RESUMED").await;
    assert_eq!(openings(&control)[opened..].iter().map(|(_, resume_url)| *resume_url).collect::<Vec<_>>(), [false]);
    assert!(!gateway.log().contains("connecting failed"), "{}", gateway.log());
    assert_eq!(identifies(&control), 1);
}

#[tokio::test]
async fn a_resume_url_of_nonsense_falls_back_to_the_base_url() {
    let knobs = Knobs { resume_url: Some("https://not a gateway".into()), ..Knobs::default() };
    let simulator = start(Options { knobs, ..without_guilds() }).await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    control.fault(FaultKind::Drop);
    gateway.next_named("RESUMED").await;
    assert_eq!(identifies(&control), 1);
}

#[tokio::test]
async fn a_ready_without_a_resume_url_resumes_at_the_base_url() {
    let simulator = quiet().await;
    let control = simulator.control();
    control.fault(FaultKind::ReadyWithoutResumeUrl);
    let mut gateway = ready(&simulator).await;
    control.fault(FaultKind::Reset);
    gateway.next_named("RESUMED").await;
    assert_eq!(openings(&control).last().map(|(_, resume_url)| *resume_url), Some(false));
}

#[tokio::test]
async fn upgrades_that_are_refused_are_tried_again() {
    for status in [429, 520] {
        let simulator = quiet().await;
        let control = simulator.control();
        control.fault(FaultKind::Upgrade(status));
        let mut gateway = setup(&simulator).start();
        let line = gateway.logged("connecting failed").await;
        assert!(line.contains(&status.to_string()), "{line}");
        gateway.next_named("READY").await;
        assert_eq!(identifies(&control), 1);
    }
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_given_up_and_resumed() {
    let limits = Limits { heartbeat_tolerance: 60.0, ..Limits::default() };
    let options = Options { hello_interval: Duration::from_secs(1), limits, ..without_guilds() };
    let simulator = start(options).await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    control.fault(FaultKind::HalfOpen);
    control.send_event(0, "UNSEEN", "{}");
    let events = gateway.until("RESUMED").await;
    assert_eq!(events.iter().filter(|event| event.name == "UNSEEN").count(), 1);
    let figures = gateway.figures().await;
    assert!(figures.of(r#"gateway_reconnects_total{cause="zombie",shard="0"}"#) >= Some(1.0), "{figures:?}");
    assert_eq!(identifies(&control), 1);
}

#[tokio::test]
async fn a_request_for_a_heartbeat_is_answered_at_once_with_the_last_sequence() {
    let simulator = quiet().await;
    let control = simulator.control();
    let _gateway = ready(&simulator).await;
    control.send_event(0, "SECOND", "{}");
    control.fault(FaultKind::RequestHeartbeat { count: 1 });
    let beat = |entry: &Entry| matches!(entry.happening, Happening::Heartbeat { sequence: Some(2) });
    control.wait_for(beat).await.unwrap();
    assert_eq!(openings(&control).len(), 1);
}

#[tokio::test]
async fn events_that_a_replay_repeats_come_once() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    control.fault(FaultKind::DuplicateReplay);
    control.fault(FaultKind::DispatchAfterClose { code: 4000 });
    for number in 0..20 {
        control.send_event(0, "MISSED", number.to_string());
    }
    let events = gateway.until("RESUMED").await;
    assert_same(&events, &control.sent(0)[1..]);
    let figures = gateway.figures().await;
    assert!(figures.of(r#"gateway_events_duplicate_total{shard="0"}"#) >= Some(21.0), "{figures:?}");
}

#[tokio::test]
async fn events_that_discord_leaves_out_are_counted_and_told() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    control.fault(FaultKind::SequenceGap { skipped: 10 });
    control.send_event(0, "AFTER", "{}");
    gateway.logged("events 2 to 11 of session").await;
    gateway.next_named("AFTER").await;
    let figures = gateway.figures().await;
    assert_eq!(figures.of(r#"gateway_sequence_gaps_total{shard="0"}"#), Some(1.0));
    assert_eq!(figures.of(r#"gateway_events_missing_total{shard="0"}"#), Some(10.0));
    assert_eq!(count(&control, |happening| matches!(happening, Happening::Resume { .. })), 0);
}

#[tokio::test]
async fn many_resumes_in_a_row_lose_nothing() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = ready(&simulator).await;
    let mut events = Vec::new();
    for (times, fault) in (1..).zip([FaultKind::Reset, FaultKind::CloseWithoutCode]) {
        control.send_event(0, "BEFORE", "{}");
        control.fault(fault);
        control.send_event(0, "BEHIND", "{}");
        happens(&control, times, resumed).await;
        events.extend(gateway.until("RESUMED").await);
    }
    assert_same(&events, &control.sent(0)[1..]);
    assert_eq!(identifies(&control), 1);
}
