//! The gateway ends when it is told to, and when it must.

use std::time::Duration;

use gateway_simulator::{FaultKind, Happening, RestFault};

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::support::{assert_same, busy, close_codes, count, happens, identifies, quiet, setup, start};

#[tokio::test]
async fn a_signal_while_events_flow_writes_out_what_was_received_and_keeps_the_session() {
    for signal in ["TERM", "INT"] {
        let simulator = start(busy(1000.0)).await;
        let control = simulator.control();
        let setup = setup(&simulator);
        let mut gateway = setup.start();
        let mut events = gateway.until("READY").await;
        events.extend(gateway.next_events(200).await);
        gateway.signal(signal).await;
        events.extend(gateway.rest().await);
        let status = gateway.ended().await;
        let log = gateway.whole_log().await;
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains(&format!("SIG{signal}: draining")), "{log}");
        assert!(log.contains("sessions are kept for the next start"), "{log}");
        assert!(log.contains("are delivered") || log.contains("nothing was on its way"), "{log}");
        assert_same(&events, &control.sent(0)[..events.len()]);
        let ends_session = |code: &Option<u16>| matches!(code, None | Some(1000 | 1001));
        assert!(!close_codes(&control).iter().any(ends_session));

        // The next start goes on exactly behind the last event that was written.
        let mut gateway = setup.start();
        gateway.next_named("RESUMED").await;
        let resume = happens(&control, 1, |entry| matches!(entry.happening, Happening::Resume { .. })).await;
        let Happening::Resume { sequence, .. } = resume.happening else { unreachable!() };
        assert_eq!(sequence, events.len() as u64);
        assert_eq!(identifies(&control), 1);
    }
}

#[tokio::test]
async fn a_drained_connection_is_closed_with_a_code_that_keeps_the_session() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    gateway.drain().await;
    happens(&control, 1, |entry| matches!(entry.happening, Happening::ClientClosed { .. })).await;
    assert_eq!(close_codes(&control), [Some(4000)]);
    assert_eq!(count(&control, |happening| matches!(happening, Happening::SessionEnded { .. })), 0);
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let simulator = start(busy(1000.0)).await;
    let mut gateway = setup(&simulator).start_unread();
    // Nobody reads, so that the drain cannot finish.
    fill_stdout(&simulator.control()).await;
    gateway.signal("TERM").await;
    gateway.logged("SIGTERM: draining. Once more ends at once").await;
    // Signals in quick succession are one.
    while !gateway.ends_within(Duration::from_millis(100)).await {
        gateway.signal("TERM").await;
    }
    assert_eq!(gateway.ended().await.code(), Some(130));
}

#[tokio::test]
async fn a_drain_that_takes_longer_than_its_grace_says_so_and_ends() {
    let simulator = start(busy(1000.0)).await;
    let mut gateway = setup(&simulator).variable("GATEWAY_SHUTDOWN_GRACE", "300ms").start_unread();
    fill_stdout(&simulator.control()).await;
    gateway.signal("TERM").await;
    gateway.logged("not everything was delivered within 0.3 s (shutdown.grace)").await;
    let line = gateway.logged("events were on their way").await;
    assert!(line.contains("are delivered,") && line.contains("are not"), "{line}");
    assert_eq!(gateway.ended().await.code(), Some(1));
}

#[tokio::test]
async fn a_closed_stdout_ends_the_gateway_with_an_error() {
    let simulator = quiet().await;
    let control = simulator.control();
    // Longer than the test is patient.
    let mut gateway = setup(&simulator).variable("GATEWAY_SHUTDOWN_GRACE", "1h").start_unread();
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    drop(gateway.take_output());
    control.send_event(0, "UNWRITTEN", "{}");
    let status = gateway.ended().await;
    let log = gateway.whole_log().await;
    assert_eq!(status.code(), Some(1), "{log}");
    let last = log.lines().last().unwrap();
    assert!(last.starts_with("gateway: STDOUT cannot be written any more") && last.contains("Broken pipe"), "{log}");
    happens(&control, 1, |entry| matches!(entry.happening, Happening::ClientClosed { .. })).await;
    assert_eq!(close_codes(&control), [Some(4000)]);
}

#[tokio::test]
async fn a_reader_that_goes_away_during_the_drain_does_not_hold_it_up() {
    let simulator = quiet().await;
    let control = simulator.control();
    let setup = setup(&simulator).variable("GATEWAY_SHUTDOWN_GRACE", "1h");
    let mut gateway = setup.start_unread();
    let mut output = BufReader::new(gateway.take_output());
    let mut ready = String::new();
    output.read_line(&mut ready).await.unwrap();
    fill_stdout(&control).await;
    gateway.signal("INT").await;
    gateway.logged("SIGINT: draining").await;
    drop(output);
    gateway.logged("not everything was delivered: STDOUT cannot be written any more").await;
    gateway.ended().await;

    // What was not written comes with the next start.
    let mut gateway = setup.start();
    let events = gateway.until("RESUMED").await;
    let sent = control.sent(0);
    assert_same(&events, &sent[sent.len() - events.len()..]);
    assert!(events.len() > 1);
}

#[tokio::test]
async fn a_signal_ends_a_gateway_that_waits_for_discord() {
    let simulator = quiet().await;
    let limited = RestFault::RateLimited { retry_after: Duration::from_secs(3000), global: false };
    simulator.control().fault(FaultKind::Rest(limited));
    let mut gateway = setup(&simulator).start();
    gateway.logged("Discord asks to wait 3000 s").await;
    assert_eq!(gateway.drain().await, []);
}

#[tokio::test]
async fn a_signal_ends_a_gateway_whose_shard_waits_to_connect() {
    let simulator = quiet().await;
    simulator.control().fault(FaultKind::Upgrade(502).until_cleared());
    let mut gateway = setup(&simulator).start();
    gateway.logged("connecting failed").await;
    assert_eq!(gateway.drain().await, []);
}

/// Sends more than a pipe holds.
async fn fill_stdout(control: &gateway_simulator::Control) {
    happens(control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    for _ in 0..40 {
        control.send_event(0, "FILLER", format!("{:?}", "x".repeat(100_000)));
    }
    // An answer shows that the gateway has read all that.
    control.fault(FaultKind::RequestHeartbeat { count: 1 });
    let asked = control.position();
    control.wait_for_after(asked, |entry| matches!(entry.happening, Happening::Heartbeat { .. })).await.unwrap();
}
