//! What the gateway does after each close code.

use gateway_simulator::{Answer, Entry, FaultKind, Happening};

use crate::support::{close_codes, happens, setup, shards, start};

fn close(code: u16) -> FaultKind {
    FaultKind::Close { code, reason: "on demand".into() }
}

#[tokio::test]
async fn codes_that_keep_the_session_are_followed_by_a_resume_and_others_by_an_identify() {
    let resumable = [1000, 1001, 4000, 4001, 4002, 4003, 4005, 4008, 4999];
    let lost = [4007, 4009];
    let codes: Vec<u16> = resumable.into_iter().chain(lost).collect();
    let count = u32::try_from(codes.len()).unwrap();
    let simulator = start(shards(count)).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    for _ in &codes {
        gateway.next_named("READY").await;
    }
    let position = control.position();
    for (shard, code) in (0..).zip(&codes) {
        control.fault(close(*code).on_shard(shard));
    }
    for (shard, code) in (0..).zip(codes) {
        let answer = |entry: &Entry| {
            let starts = matches!(entry.happening, Happening::Resume { .. } | Happening::Identify { .. });
            starts && entry.shard == Some(shard)
        };
        let answer = control.wait_for_after(position, answer).await.unwrap();
        let resumes = matches!(answer.happening, Happening::Resume { .. });
        // The simulator forgets the session of 4003, so its resume names none of its shards.
        assert_eq!(resumes, !lost.contains(&code) && code != 4003, "{code}: {answer:?}");
    }
    for _ in 0..count {
        let back = |event: &gateway_tests::Event| event.name == "READY" || event.name == "RESUMED";
        while !back(&gateway.next_event().await) {}
    }
}

#[tokio::test]
async fn fatal_codes_end_the_gateway_with_exit_code_1_and_advice() {
    for (code, advice) in [
        (4004, "the token is not valid"),
        (4010, "shards.ids"),
        (4011, "raise shards.count"),
        (4012, "set gateway_version to 10"),
        (4013, "check intents and rawintents"),
        (4014, "developer portal"),
    ] {
        let simulator = start(shards(1)).await;
        let control = simulator.control();
        control.fault(FaultKind::AnswerIdentify(Answer::Close(code)));
        let error = setup(&simulator).failure().await;
        let last = error.lines().last().unwrap();
        assert!(last.starts_with("gateway: Discord refuses shard 0") && last.contains(&code.to_string()), "{error}");
        assert!(last.contains(advice), "{error}");
        let openings =
            control.journal().iter().filter(|entry| matches!(entry.happening, Happening::Opened { .. })).count();
        assert_eq!(openings, 1, "{code}");
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_the_gateway_at_the_next_reconnect() {
    let simulator = start(shards(1)).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    control.fault(FaultKind::TokenRevoked);
    control.fault(FaultKind::Drop);
    let status = gateway.ended().await;
    let log = gateway.whole_log().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.lines().last().unwrap().contains("4004"), "{log}");
}

#[tokio::test]
async fn a_void_token_stops_all_shards_and_what_was_received_is_written() {
    let simulator = start(shards(2)).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    gateway.next_named("READY").await;
    for number in 0..50 {
        control.send_event(1, "BEFORE", number.to_string());
    }
    control.fault(close(4004).on_shard(1));
    let events = gateway.rest().await;
    assert_eq!(events.iter().filter(|event| event.name == "BEFORE").count(), 50);
    let status = gateway.ended().await;
    let log = gateway.whole_log().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.lines().last().unwrap().contains("the token is not valid"), "{log}");
    // The other shard's session could still be resumed.
    happens(&control, 1, |entry| matches!(entry.happening, Happening::ClientClosed { .. })).await;
    assert_eq!(close_codes(&control), [Some(4000)]);
}
