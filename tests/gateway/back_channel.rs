//! Commands on STDIN reach Discord.

use std::time::Duration;

use gateway_simulator::{Control, Entry, FaultKind, Happening};
use gateway_tests::Msgpack;
use serde_json::{Value, json};

use crate::support::{count, happens, quiet, setup, shards, start};

/// A presence update, told apart by `since`, which is also a number that floats cannot hold.
fn presence(number: u64) -> Value {
    json!({"since": FIRST + number, "activities": [], "status": "idle", "afk": false})
}

/// Beyond 2^53.
const FIRST: u64 = 175_928_847_299_117_063;

fn packet(number: u64) -> Value {
    json!({"op": 3, "d": presence(number)})
}

fn send(number: u64) -> Value {
    json!({"guild_id": guild_of(0), "packet": packet(number)})
}

fn is_command(happening: &Happening) -> bool {
    matches!(happening, Happening::Command { .. })
}

/// The commands that came, as shard, opcode and `d`.
fn commands(control: &Control) -> Vec<(u32, u64, Value)> {
    let command = |entry: Entry| match entry.happening {
        Happening::Command { opcode, data } => Some((entry.shard.unwrap(), opcode, data)),
        _ => None,
    };
    control.journal().into_iter().filter_map(command).collect()
}

/// Waits until that many commands have come.
async fn commands_come(control: &Control, number: usize) {
    happens(control, number, |entry| is_command(&entry.happening)).await;
}

#[tokio::test]
async fn every_form_of_a_command_arrives_once_in_order_with_its_numbers_intact() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    let text = |value: &Value| value.to_string();
    let msgpack = Msgpack::default;
    let forms: Vec<Box<dyn Fn(u64) -> Vec<u8>>> = vec![
        // JSON: an object, in either order, over several lines, with others members; an array; its data as a text.
        Box::new(|number| json!({"event": "SEND", "data": send(number)}).to_string().into()),
        Box::new(|number| format!(r#"{{"data":{},"event":"SEND"}}"#, send(number)).into()),
        Box::new(|number| {
            format!("\n{:#}\n", json!({"id": [1, {"event": "0"}], "event": "SEND", "data": send(number)})).into()
        }),
        Box::new(|number| json!(["SEND", send(number)]).to_string().into()),
        Box::new(move |number| json!({"event": "SEND", "data": text(&send(number))}).to_string().into()),
        // MessagePack: a map in either order, an array; data as map, string and binary.
        Box::new(move |number| msgpack().map(2).string("event").string("SEND").string("data").value(&send(number)).0),
        Box::new(move |number| msgpack().map(2).string("data").value(&send(number)).string("event").string("SEND").0),
        Box::new(move |number| {
            msgpack()
                .map(3)
                .string("x")
                .value(&json!([1]))
                .string("event")
                .string("SEND")
                .string("data")
                .string(&text(&send(number)))
                .0
        }),
        Box::new(move |number| msgpack().array(2).string("SEND").binary(text(&send(number)).as_bytes()).0),
        // For a shard by its number.
        Box::new(|number| json!({"event": "0", "data": packet(number)}).to_string().into()),
        Box::new(move |number| msgpack().array(2).string("0").value(&packet(number)).0),
        // Guilds of every spelling: a number, null, none at all.
        Box::new(|number| {
            json!(["SEND", {"guild_id": guild_of(0).parse::<u64>().unwrap(), "packet": packet(number)}])
                .to_string()
                .into()
        }),
        Box::new(|number| json!(["SEND", {"guild_id": null, "packet": packet(number)}]).to_string().into()),
        Box::new(|number| json!(["SEND", {"packet": packet(number), "other": 1}]).to_string().into()),
    ];
    let forms_count = u64::try_from(forms.len()).unwrap();
    // Nothing stands between values.
    let input: Vec<u8> = (0..).zip(&forms).flat_map(|(number, form)| form(number)).collect();
    gateway.input(input).await;
    commands_come(&control, forms.len()).await;
    let expected: Vec<_> = (0..forms_count).map(|number| (0, 3, presence(number))).collect();
    assert_eq!(commands(&control), expected);
}

#[tokio::test]
async fn commands_that_come_in_pieces_are_put_together() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    let json = json!({"event": "0", "data": packet(0)}).to_string();
    let msgpack = Msgpack::default().array(2).string("0").value(&packet(1)).0;
    for piece in json.as_bytes().chunks(7).chain(msgpack.chunks(5)) {
        gateway.input(piece).await;
    }
    commands_come(&control, 2).await;
    assert_eq!(commands(&control), [(0, 3, presence(0)), (0, 3, presence(1))]);
}

#[tokio::test]
async fn every_opcode_that_a_bot_may_use_is_sent() {
    let simulator = start(gateway_simulator::Options::default()).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("GUILD_CREATE").await;
    let guild = control.guilds(0, 1)[0].to_string();
    for (opcode, data) in [
        (8, json!({"guild_id": guild, "query": "", "limit": 0, "nonce": "n"})),
        (4, json!({"guild_id": guild, "channel_id": null, "self_mute": false, "self_deaf": false})),
        (31, json!({"guild_ids": [guild]})),
        (43, json!({"guild_id": guild, "fields": ["status"]})),
    ] {
        gateway
            .input(
                json!({"event": "SEND", "data": {"guild_id": guild, "packet": {"op": opcode, "d": data}}}).to_string(),
            )
            .await;
    }
    assert_eq!(gateway.next_named("GUILD_MEMBERS_CHUNK").await.data["nonce"], "n");
    gateway.next_named("VOICE_STATE_UPDATE").await;
    gateway.next_named("SOUNDBOARD_SOUNDS").await;
    gateway.next_named("CHANNEL_INFO").await;
    assert_eq!(commands(&control).iter().map(|(_, opcode, _)| *opcode).collect::<Vec<_>>(), [8, 4, 31, 43]);
}

#[tokio::test]
async fn commands_before_ready_are_held_and_then_sent_in_order() {
    let simulator = quiet().await;
    let control = simulator.control();
    control.fault(FaultKind::DelayHello(Duration::from_millis(300)));
    let mut gateway = setup(&simulator).start();
    for number in 0..5 {
        gateway.input(json!(["0", packet(number)]).to_string()).await;
    }
    commands_come(&control, 5).await;
    let ready = happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;
    let first = happens(&control, 1, |entry| is_command(&entry.happening)).await;
    assert!(first.index > ready.index);
    let expected: Vec<_> = (0..5).map(|number| (0, 3, presence(number))).collect();
    assert_eq!(commands(&control), expected);
    assert_eq!(count(&control, |happening| matches!(happening, Happening::ServerClosed { .. })), 0);
}

#[tokio::test]
async fn commands_during_a_reconnect_are_held_and_none_is_lost() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    control.fault(FaultKind::Reconnect);
    gateway.logged("connecting anew").await;
    for number in 0..5 {
        gateway.input(json!(["0", packet(number)]).to_string()).await;
    }
    commands_come(&control, 5).await;
    let resumed = happens(&control, 1, |entry| matches!(entry.happening, Happening::Resumed { .. })).await;
    assert!(happens(&control, 1, |entry| is_command(&entry.happening)).await.index > resumed.index);
    assert_eq!(commands(&control).len(), 5);
}

#[tokio::test]
async fn a_flood_of_commands_keeps_to_discords_limit_with_room_for_heartbeats() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).with_metrics().start();
    gateway.next_named("READY").await;
    let flood: String = (0..500).map(|number| json!(["0", packet(number)]).to_string() + "\n").collect();
    gateway.input(flood).await;
    // Of 120 payloads in a minute, four are kept for what cannot wait: heartbeats in time and on request, a resume.
    let is_payload = |happening: &Happening| {
        matches!(happening, Happening::Identify { .. } | Happening::Heartbeat { .. }) || is_command(happening)
    };
    happens(&control, 116, |entry| is_payload(&entry.happening)).await;
    let sent = count(&control, is_command);
    assert!(sent >= 113, "{sent}");
    let position = control.position();
    control.fault(FaultKind::RequestHeartbeat { count: 1 });
    control.wait_for_after(position, |entry| matches!(entry.happening, Happening::Heartbeat { .. })).await.unwrap();
    control.send_event(0, "STILL_HERE", "{}");
    gateway.next_named("STILL_HERE").await;
    assert_eq!(count(&control, is_command), sent);
    assert!(count(&control, is_payload) <= 120);
    assert_eq!(count(&control, |happening| matches!(happening, Happening::ServerClosed { .. })), 0);
    let figures = gateway.figures().await;
    assert_eq!(figures.of("gateway_commands_sent_total").map(|figure| figure as usize), Some(sent));
    // What waits does not keep the gateway from its end.
    gateway.drain().await;
}

#[tokio::test]
async fn a_command_for_another_gateways_shard_comes_out_on_stdout_byte_for_byte() {
    let simulator = start(shards(2)).await;
    let setup = setup(&simulator).variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", "0");
    // Filters have no say in it.
    let mut gateway = setup.variable("DISCORD_EVENTS", "READY").with_metrics().start();
    gateway.next_named("READY").await;
    let guild = guild_of(1);
    let data = r#"{ "z":1e3, "big":12345678901234567890123, "a":"\u00e9<>&" }"#;
    let command = format!(r#"{{"event":"SEND","data":{{"guild_id":"{guild}","packet":{{"op":4,"d":{data},"t":1}}}}}}"#);
    gateway.input(command).await;
    assert_eq!(gateway.next_event().await.line, format!(r#"{{"event":"1","data":{{"op":4,"d":{data}}}}}"#));
    assert_eq!(gateway.figures().await.of("gateway_commands_republished_total"), Some(1.0));
    assert_eq!(count(&simulator.control(), is_command), 0);
}

#[tokio::test]
async fn each_shard_gets_its_own_commands() {
    let simulator = start(shards(2)).await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    gateway.next_named("READY").await;
    let by_guild = |shard: u64, number| json!(["SEND", {"guild_id": guild_of(shard), "packet": packet(number)}]);
    let inputs = [by_guild(1, 0), json!(["1", packet(1)]), by_guild(0, 2), json!(["0", packet(3)])];
    for (number, input) in (1..).zip(inputs) {
        gateway.input(input.to_string()).await;
        commands_come(&control, number).await;
    }
    let shards: Vec<_> = commands(&control).into_iter().map(|(shard, _, data)| (shard, data)).collect();
    assert_eq!(shards, [(1, presence(0)), (1, presence(1)), (0, presence(2)), (0, presence(3))]);
}

#[tokio::test]
async fn the_end_of_stdin_ends_only_commands() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = setup(&simulator).start();
    gateway.next_named("READY").await;
    gateway.input(json!(["0", packet(0)]).to_string()).await;
    gateway.end_input();
    gateway.logged("STDIN has ended").await;
    commands_come(&control, 1).await;
    control.send_event(0, "AFTER", "{}");
    gateway.next_named("AFTER").await;
    assert_eq!(gateway.drain().await, []);
}

/// A guild of that shard of two.
fn guild_of(shard: u64) -> String {
    ((2_000_000_000 + shard) << 22).to_string()
}
