use gateway_simulator::{ALL_INTENTS, Answer, FaultKind, Happening, Knobs, Options, Rate, Raw};
use serde_json::json;
use std::{num::NonZeroU32, time::Duration};
use tokio_tungstenite::{connect_async, tungstenite::Error};

use crate::client::{Client, QUERY, identify, quiet, resume, resume_url, start, within};

#[tokio::test]
async fn reconnect_is_followed_by_1001() {
    let knobs = Knobs { reconnect_grace: Duration::from_millis(10), ..Knobs::default() };
    let simulator = start(Options { guilds_per_shard: 0, knobs, ..Options::default() }).await;
    let (mut client, _) = Client::ready(&simulator, 0).await;
    simulator.control().fault(FaultKind::Reconnect);
    assert_eq!(client.next_text().await, r#"{"t":null,"s":null,"op":7,"d":null}"#);
    assert_eq!(client.closed().await, Some(1001));
}

#[tokio::test]
async fn connections_end_in_every_way() {
    let close = |code| FaultKind::Close { code, reason: "on demand".to_owned() };
    let cases = [
        (close(4000), Some(4000)),
        (close(4999), Some(4999)),
        (FaultKind::CloseWithoutCode, None),
        (FaultKind::Reset, None),
        (FaultKind::Drop, None),
    ];
    for (fault, code) in cases {
        let simulator = quiet().await;
        let (mut client, ready) = Client::ready(&simulator, 0).await;
        simulator.control().fault(fault);
        assert_eq!(client.closed().await, code);
        let mut client = Client::connect_to(resume_url(&ready), QUERY).await;
        client.hello().await;
        client.send(resume(&ready, 1)).await;
        assert_eq!(client.next().await["t"], "RESUMED");
    }
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let simulator = quiet().await;
    let (mut client, _) = Client::ready(&simulator, 0).await;
    simulator.control().fault(FaultKind::Reset);
    use futures_util::StreamExt;
    let end = within(client.socket.next()).await;
    let Some(Err(Error::Io(error))) = end else { panic!("{end:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn codes_that_end_a_session_leave_nothing_to_resume() {
    for code in [4007, 4009] {
        let simulator = quiet().await;
        let (mut client, ready) = Client::ready(&simulator, 0).await;
        simulator.control().fault(FaultKind::Close { code, reason: String::new() });
        assert_eq!(client.closed().await, Some(code));
        let mut client = Client::connect_to(resume_url(&ready), QUERY).await;
        client.hello().await;
        client.send(resume(&ready, 1)).await;
        assert_eq!(client.next().await["d"], false);
    }
}

#[tokio::test]
async fn faults_keep_to_their_shard_and_their_number() {
    let simulator = start(Options { guilds_per_shard: 0, max_concurrency: 2, ..Options::default() }).await;
    let mut clients = Vec::new();
    for shard in 0..2 {
        let mut client = Client::connect(&simulator, QUERY).await;
        client.hello().await;
        client.send(identify(shard, 2, 0)).await;
        client.event("READY").await;
        clients.push(client);
    }
    simulator.control().fault(FaultKind::SwallowAcks.on_shard(1));
    for client in &mut clients {
        client.send(json!({"op": 1, "d": 1})).await;
        client.send(json!({"op": 1, "d": 1})).await;
    }
    assert_eq!(clients[0].next().await["op"], 11);
    assert_eq!(clients[0].next().await["op"], 11);
    assert_eq!(clients[1].next().await["op"], 11);
    simulator.control().send_event(1, "NEXT", "1");
    assert_eq!(clients[1].next().await["t"], "NEXT", "one acknowledgement was swallowed");
}

#[tokio::test]
async fn a_dispatch_behind_a_close_is_late_and_not_lost() {
    let simulator = quiet().await;
    let (mut client, ready) = Client::ready(&simulator, 0).await;
    simulator.control().fault(FaultKind::DispatchAfterClose { code: 4000 });
    assert_eq!(client.closed().await, Some(4000));
    let mut client = Client::connect_to(resume_url(&ready), QUERY).await;
    client.hello().await;
    client.send(resume(&ready, 1)).await;
    assert_eq!(client.next().await["t"], "LATE");
}

#[tokio::test]
async fn a_half_open_connection_says_nothing_and_its_session_waits() {
    let simulator = quiet().await;
    let (mut client, ready) = Client::ready(&simulator, 0).await;
    simulator.control().fault(FaultKind::HalfOpen);
    simulator.control().send_event(0, "UNSEEN", "1");
    let mut other = Client::connect_to(resume_url(&ready), QUERY).await;
    other.hello().await;
    other.send(resume(&ready, 1)).await;
    assert_eq!(other.next().await["t"], "UNSEEN");
    client.send(json!({"op": 1, "d": 1})).await;
    simulator.control().send_event(0, "AGAIN", "1");
    other.event("AGAIN").await;
    use futures_util::FutureExt;
    assert!(futures_util::StreamExt::next(&mut client.socket).now_or_never().is_none());
}

#[tokio::test]
async fn a_deaf_connection_answers_heartbeats_and_its_events_wait_for_the_resume() {
    let simulator = quiet().await;
    let (mut client, ready) = Client::ready(&simulator, 0).await;
    simulator.control().fault(FaultKind::Deaf);
    simulator.control().send_event(0, "UNSEEN", "1");
    client.send(json!({"op": 1, "d": 1})).await;
    assert_eq!(client.next().await["op"], 11);
    let mut other = Client::connect_to(resume_url(&ready), QUERY).await;
    other.hello().await;
    other.send(resume(&ready, 1)).await;
    assert_eq!(other.next().await["t"], "UNSEEN");
    simulator.control().send_event(0, "SEEN", "1");
    other.event("SEEN").await;
}

#[tokio::test]
async fn hello_can_be_missing_late_or_replaced() {
    let simulator = quiet().await;
    let control = simulator.control();
    control.fault(FaultKind::ReconnectInsteadOfHello);
    assert_eq!(Client::connect(&simulator, QUERY).await.next().await["op"], 7);
    control.fault(FaultKind::DelayHello(Duration::from_millis(5)));
    Client::connect(&simulator, QUERY).await.hello().await;
    control.fault(FaultKind::NoHello);
    let mut client = Client::connect(&simulator, QUERY).await;
    client.send(identify(0, 1, 0)).await;
    assert_eq!(client.next().await["t"], "READY");
}

#[tokio::test]
async fn identifies_are_answered_as_asked() {
    let simulator = start(Options { guilds_per_shard: 0, max_concurrency: 16, ..Options::default() }).await;
    let control = simulator.control();
    control.fault(FaultKind::AnswerIdentify(Answer::InvalidSession { resumable: false }));
    control.fault(FaultKind::AnswerIdentify(Answer::Close(4014)));
    control.fault(FaultKind::ReadyWithoutResumeUrl);
    let mut client = Client::connect(&simulator, QUERY).await;
    client.hello().await;
    client.send(identify(0, 16, 0)).await;
    assert_eq!(client.next().await["op"], 9);
    client.send(identify(1, 16, 0)).await;
    assert_eq!(client.closed().await, Some(4014));
    let mut client = Client::connect(&simulator, QUERY).await;
    client.hello().await;
    client.send(identify(2, 16, 0)).await;
    assert!(client.next().await["d"].get("resume_gateway_url").is_none());
}

#[tokio::test]
async fn the_world_can_change_while_it_runs() {
    let simulator = start(Options { guilds_per_shard: 0, max_concurrency: 16, ..Options::default() }).await;
    let control = simulator.control();
    let cases = [
        (FaultKind::ShardCountRaised(17), 4011),
        (FaultKind::IntentsRevoked(1 << 15), 4014),
        (FaultKind::TokenRevoked, 4004),
    ];
    for (fault, code) in cases {
        control.fault(fault);
        for shard in [0, 1] {
            let mut client = Client::connect(&simulator, QUERY).await;
            client.hello().await;
            client.send(identify(shard, 16, 1 << 15)).await;
            assert_eq!(client.closed().await, Some(code));
        }
        control.clear_faults();
    }
}

#[tokio::test]
async fn guilds_flap_and_sequences_skip() {
    let simulator = start(Options { guilds_per_shard: 1, ..Options::default() }).await;
    let (mut client, _) = Client::ready(&simulator, 1).await;
    client.event("GUILD_CREATE").await;
    simulator.control().fault(FaultKind::FlapGuilds);
    assert_eq!(client.next().await["t"], "GUILD_DELETE");
    assert_eq!(client.next().await["t"], "GUILD_CREATE");
    simulator.control().fault(FaultKind::SequenceGap { skipped: 10 });
    assert_eq!(simulator.control().send_event(0, "NEXT", "1"), 15);
    assert_eq!(client.next().await["s"], 15);
    simulator.control().fault(FaultKind::RequestHeartbeat { count: 3 });
    for _ in 0..3 {
        assert_eq!(client.next().await["op"], 1);
    }
}

#[tokio::test]
async fn upgrades_are_refused_with_a_status() {
    let simulator = quiet().await;
    for status in [401, 403, 429, 520, 502] {
        simulator.control().fault(FaultKind::Upgrade(status));
        let refused = within(connect_async(format!("ws://{}/?{QUERY}", simulator.address()))).await;
        let Err(Error::Http(response)) = refused else { panic!("{status}") };
        assert_eq!(response.status().as_u16(), status);
    }
    let refused = Happening::UpgradeRefused { status: 502 };
    simulator.control().wait_for(|entry| entry.happening == refused).await.unwrap();
}

#[tokio::test]
async fn a_dead_resume_url_leaves_the_base_url_alive() {
    let simulator = quiet().await;
    let (client, ready) = Client::ready(&simulator, 0).await;
    client.close(4000).await;
    simulator.control().fault(FaultKind::ResumeUrlDead);
    assert!(within(connect_async(resume_url(&ready))).await.is_err());
    let mut client = Client::connect(&simulator, QUERY).await;
    client.hello().await;
    client.send(resume(&ready, 1)).await;
    assert_eq!(client.next().await["t"], "RESUMED");
}

#[tokio::test]
async fn raw_bytes_and_invalid_text_reach_the_client() {
    let simulator = quiet().await;
    let (mut client, _) = Client::ready(&simulator, 0).await;
    simulator.control().send_raw(Some(0), Raw::Ping("still there?".into()));
    assert!(client.next_message().await.is_ping());
    simulator.control().send_raw(Some(0), Raw::Text(vec![b'"', 0xff, b'"'].into()));
    use futures_util::StreamExt;
    assert!(matches!(within(client.socket.next()).await, Some(Err(Error::Utf8(_)))));
}

#[tokio::test]
async fn a_wait_that_ends_in_vain_tells_what_happened_instead() {
    let patience = Duration::from_millis(1);
    let simulator = start(Options { patience, guilds_per_shard: 0, ..Options::default() }).await;
    let (_client, _) = Client::ready(&simulator, 0).await;
    let error = simulator.control().wait_for(|_| false).await.unwrap_err();
    assert!(error.to_string().contains("Ready {"), "{error}");
}

#[tokio::test]
async fn a_recurring_fault_strikes_behind_every_so_many_events() {
    let simulator = start(Options { event_rate: Rate::per_second(1000.0), ..Options::default() }).await;
    let every = NonZeroU32::new(7).unwrap();
    simulator.control().fault(FaultKind::RequestHeartbeat { count: 1 }.times(2).every(every));
    let (mut client, _) = Client::ready(&simulator, ALL_INTENTS).await;
    for _ in 0..10 {
        client.event("GUILD_CREATE").await;
    }
    let mut opcodes = Vec::new();
    while opcodes.len() < 24 {
        opcodes.push(client.next().await["op"].as_u64().unwrap());
    }
    let expected: Vec<_> = (0..24).map(|index| u64::from(index == 7 || index == 15)).collect();
    assert_eq!(opcodes, expected);
}

#[tokio::test]
async fn a_recurring_fault_of_a_later_occasion_waits_for_it_once() {
    let simulator = start(Options { event_rate: Rate::per_second(1000.0), ..Options::default() }).await;
    let control = simulator.control();
    control.fault(FaultKind::SwallowAcks.until_cleared().every(NonZeroU32::MIN));
    let (mut client, _) = Client::ready(&simulator, ALL_INTENTS).await;
    for _ in 0..30 {
        client.next().await;
    }
    control.pause();
    client.send(json!({"op": 1, "d": 1})).await;
    client.send(json!({"op": 1, "d": 1})).await;
    let mut heartbeats = 0;
    let both = control.wait_for(|entry| {
        heartbeats += u32::from(matches!(entry.happening, Happening::Heartbeat { .. }));
        heartbeats == 2
    });
    both.await.unwrap();
    control.send_event(0, "LAST", "{}");
    let mut acknowledged = 0;
    loop {
        let payload = client.next().await;
        acknowledged += u32::from(payload["op"] == 11);
        if payload["t"] == "LAST" {
            break;
        }
    }
    assert_eq!(acknowledged, 1);
}
