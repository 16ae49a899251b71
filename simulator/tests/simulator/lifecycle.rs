use gateway_simulator::{ALL_INTENTS, Happening, Knobs, Options, Rate};
use serde_json::json;
use std::{collections::HashSet, time::Duration};

use crate::client::{Client, QUERY, identify, quiet, start};

#[tokio::test]
async fn hello_comes_first_in_discords_shape() {
    let simulator = quiet().await;
    let mut client = Client::connect(&simulator, QUERY).await;
    let hello = client.next_text().await;
    assert!(hello.starts_with(r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250,"_trace":"#), "{hello}");
    simulator.shutdown().await;
}

#[tokio::test]
async fn guilds_follow_ready_in_sequence() {
    let simulator = start(Options { guilds_per_shard: 3, ..Options::default() }).await;
    let (mut client, ready) = Client::ready(&simulator, 1).await;
    assert_eq!((&ready["s"], &ready["d"]["shard"]), (&json!(1), &json!([0, 1])));
    let mut announced: HashSet<_> =
        ready["d"]["guilds"].as_array().unwrap().iter().map(|guild| guild["id"].clone()).collect();
    for sequence in 2..5 {
        let guild = client.next().await;
        assert_eq!((&guild["t"], &guild["s"]), (&json!("GUILD_CREATE"), &json!(sequence)));
        assert!(announced.remove(&guild["d"]["id"]));
    }
    assert!(announced.is_empty());
    let sent = simulator.control().sent(0);
    assert_eq!(sent.iter().map(|sent| sent.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn without_the_guilds_intent_no_guild_follows() {
    let simulator = start(Options::default()).await;
    let (mut client, ready) = Client::ready(&simulator, 0).await;
    assert_eq!(ready["d"]["guilds"].as_array().unwrap().len(), 10);
    client.send(json!({"op": 1, "d": 1})).await;
    assert_eq!(client.next().await["op"], 11);
}

#[tokio::test]
async fn unavailable_guilds_are_deleted_with_a_mark() {
    let knobs = Knobs { unavailable_guilds: 1.0, ..Knobs::default() };
    let simulator = start(Options { guilds_per_shard: 1, knobs, ..Options::default() }).await;
    let (mut client, _) = Client::ready(&simulator, 1).await;
    assert_eq!(client.event("GUILD_DELETE").await["d"]["unavailable"], true);
}

#[tokio::test]
async fn heartbeats_are_acknowledged_even_before_identify() {
    let simulator = quiet().await;
    let mut client = Client::connect(&simulator, QUERY).await;
    client.hello().await;
    client.send(json!({"op": 1, "d": null})).await;
    assert_eq!(client.next_text().await, r#"{"t":null,"s":null,"op":11,"d":null}"#);
    let control = simulator.control();
    control.wait_for(|entry| entry.happening == Happening::Heartbeat { sequence: None }).await.unwrap();
}

#[tokio::test]
async fn a_silent_client_is_closed_and_keeps_its_session() {
    let hello_interval = Duration::from_millis(60);
    let simulator = start(Options { hello_interval, guilds_per_shard: 0, ..Options::default() }).await;
    let (mut client, _) = Client::ready(&simulator, 0).await;
    assert_eq!(client.closed().await, Some(4000));
    let ended = simulator.control().journal();
    assert!(!ended.iter().any(|entry| matches!(entry.happening, Happening::SessionEnded { .. })));
}

#[tokio::test]
async fn generated_events_respect_intents() {
    const TYPING: u64 = 1 << 11;
    let simulator =
        start(Options { guilds_per_shard: 2, event_rate: Rate::per_second(20_000.0), ..Options::default() }).await;
    let (mut client, _) = Client::ready(&simulator, TYPING).await;
    let mut typed = 0;
    while typed < 20 {
        let event = client.next().await;
        match event["t"].as_str() {
            Some("TYPING_START") => typed += 1,
            // They need no intent.
            Some("INTERACTION_CREATE" | "APPLICATION_COMMAND_PERMISSIONS_UPDATE") => {}
            Some(name) if name.starts_with("ENTITLEMENT") || name.starts_with("SUBSCRIPTION") => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn traffic_has_many_kinds_and_message_content_needs_its_intent() {
    let options =
        |seed| Options { guilds_per_shard: 2, seed, event_rate: Rate::per_second(20_000.0), ..Options::default() };
    let simulator = start(options(1)).await;
    let (mut client, _) = Client::ready(&simulator, ALL_INTENTS).await;
    let mut kinds = HashSet::new();
    while kinds.len() < 40 {
        kinds.insert(client.next().await["t"].as_str().unwrap().to_owned());
    }
    let simulator = start(options(2)).await;
    let (mut client, _) = Client::ready(&simulator, 1 << 9).await;
    let mut hidden = 0;
    while hidden < 10 {
        let message = client.event("MESSAGE_CREATE").await;
        hidden += u32::from(message["d"]["content"] == "");
    }
}

#[tokio::test]
async fn each_shard_hears_of_its_own_guilds() {
    let options = Options { guilds_per_shard: 3, recommended_shards: 2, max_concurrency: 2, ..Options::default() };
    let simulator = start(options).await;
    for shard in 0..2 {
        let mut client = Client::connect(&simulator, QUERY).await;
        client.hello().await;
        client.send(identify(shard, 2, 1)).await;
        let ready = client.next().await;
        let guilds = ready["d"]["guilds"].as_array().unwrap();
        assert_eq!(guilds.len(), 3);
        for guild in guilds {
            let id: u64 = guild["id"].as_str().unwrap().parse().unwrap();
            assert_eq!((id >> 22) % 2, u64::from(shard));
        }
    }
}

#[tokio::test]
async fn payloads_in_the_wrong_state_or_shape_close_with_their_code() {
    let simulator = quiet().await;
    let cases = [
        (r#"{"op":3,"d":{"status":"online","activities":[],"since":null,"afk":false}}"#, 4003),
        (r#"{"op":99,"d":null}"#, 4001),
        (r#"{"op":1,"d":"five"}"#, 4001),
        (r#"{"op":2,"d":{}}"#, 4001),
        (r#"{"op":"2"}"#, 4002),
        ("{", 4002),
    ];
    for (payload, code) in cases {
        let mut client = Client::connect(&simulator, QUERY).await;
        client.hello().await;
        client.send_text(payload.to_owned()).await;
        assert_eq!(client.closed().await, Some(code), "{payload}");
    }
}

#[tokio::test]
async fn a_second_identify_closes_with_4005() {
    let simulator = quiet().await;
    let (mut client, _) = Client::ready(&simulator, 0).await;
    client.send(identify(0, 1, 0)).await;
    assert_eq!(client.closed().await, Some(4005));
}

#[tokio::test]
async fn an_identify_that_is_refused_closes_with_its_code() {
    let knobs = Knobs { privileged_intents: 0, large_bot: Some(4), ..Knobs::default() };
    let token = Some(crate::client::TOKEN.to_owned());
    let simulator = start(Options { token, knobs, ..Options::default() }).await;
    let mut wrong_token = identify(0, 4, 0);
    wrong_token["d"]["token"] = json!("wrong");
    let mut without_intents = identify(0, 4, 0);
    without_intents["d"].as_object_mut().unwrap().remove("intents");
    let cases = [
        (wrong_token, 4004),
        (identify(4, 4, 0), 4010),
        (identify(0, 3, 0), 4010),
        (without_intents, 4013),
        (identify(0, 4, 1 << 17), 4013),
        (identify(0, 4, 1 << 15), 4014),
    ];
    for (payload, code) in cases {
        let mut client = Client::connect(&simulator, QUERY).await;
        client.hello().await;
        client.send(payload.clone()).await;
        assert_eq!(client.closed().await, Some(code), "{payload}");
    }
}

#[tokio::test]
async fn a_bad_version_or_query_is_closed() {
    let simulator = quiet().await;
    for (query, code) in [("v=5", 4012), ("v=10&encoding=json&compress=brotli", 4002), ("v=10&encoding=etf", 4002)] {
        let mut client = Client::connect(&simulator, query).await;
        assert_eq!(client.closed().await, Some(code), "{query}");
    }
}

#[tokio::test]
async fn tokens_are_never_in_the_journal() {
    let simulator = quiet().await;
    let (_client, _) = Client::ready(&simulator, 0).await;
    assert!(!format!("{:?}", simulator.control().journal()).contains(crate::client::TOKEN));
}

#[tokio::test]
async fn stopping_says_goodbye_with_1001() {
    let simulator = quiet().await;
    let (mut client, _) = Client::ready(&simulator, 0).await;
    let (code, ()) = tokio::join!(client.closed(), simulator.shutdown());
    assert_eq!(code, Some(1001));
}
