use gateway_simulator::{GuildShape, Options, Simulator};
use serde_json::{Value, json};

use crate::client::{Client, start};

const MEMBERS: u64 = 1 << 1;
const PRESENCES: u64 = 1 << 8;

async fn one_guild(members: u32) -> Simulator {
    let guild = GuildShape { members, ..GuildShape::default() };
    start(Options { guilds_per_shard: 1, guild, ..Options::default() }).await
}

fn guild_of(ready: &Value) -> &Value {
    &ready["d"]["guilds"][0]["id"]
}

#[tokio::test]
async fn a_member_list_comes_in_chunks_of_1000_with_its_nonce() {
    let simulator = one_guild(2300).await;
    let (mut client, ready) = Client::ready(&simulator, MEMBERS).await;
    let request = json!({"op": 8, "d": {
        "guild_id": guild_of(&ready), "query": "", "limit": 0, "nonce": "abc", "presences": true,
    }});
    client.send(request.clone()).await;
    let mut sizes = Vec::new();
    for index in 0..3 {
        let chunk = client.event("GUILD_MEMBERS_CHUNK").await;
        let data = &chunk["d"];
        assert_eq!(
            (&data["chunk_index"], &data["chunk_count"], &data["nonce"]),
            (&json!(index), &json!(3), &json!("abc"))
        );
        assert!(data.get("presences").is_none(), "they need their intent");
        sizes.push(data["members"].as_array().unwrap().len());
    }
    assert_eq!(sizes, [1000, 1000, 300]);

    client.send(request).await;
    let limited = client.event("RATE_LIMITED").await;
    let retry_after = limited["d"]["retry_after"].as_f64().unwrap();
    assert!(retry_after > 0.0 && retry_after <= 30.0);
    assert_eq!((&limited["d"]["opcode"], &limited["d"]["meta"]["nonce"]), (&json!(8), &json!("abc")));
}

#[tokio::test]
async fn members_are_found_by_id_and_by_prefix() {
    let simulator = one_guild(40).await;
    let (mut client, ready) = Client::ready(&simulator, PRESENCES).await;
    let (guild, bot) = (guild_of(&ready), &ready["d"]["user"]);
    client
        .send(json!({"op": 8, "d": {
            "guild_id": guild, "user_ids": [bot["id"], "5", "999999999999999999"], "presences": true,
        }}))
        .await;
    let chunk = client.event("GUILD_MEMBERS_CHUNK").await["d"].take();
    assert_eq!(chunk["members"][0]["user"]["id"], bot["id"]);
    assert_eq!(chunk["not_found"], json!([5, "999999999999999999"]));
    assert_eq!(chunk["presences"].as_array().unwrap().len(), 1);

    let name = bot["username"].as_str().unwrap()[..4].to_uppercase();
    client.send(json!({"op": 8, "d": {"guild_id": guild, "query": name, "limit": 5}})).await;
    let chunk = client.event("GUILD_MEMBERS_CHUNK").await["d"].take();
    assert_eq!(chunk["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_member_list_without_the_intent_is_not_answered() {
    let simulator = one_guild(40).await;
    let (mut client, ready) = Client::ready(&simulator, 0).await;
    client.send(json!({"op": 8, "d": {"guild_id": guild_of(&ready), "query": "", "limit": 0}})).await;
    client.send(json!({"op": 1, "d": 1})).await;
    assert_eq!(client.next().await["op"], 11);
}

#[tokio::test]
async fn joining_voice_brings_a_state_and_a_server_and_leaving_a_state_alone() {
    let simulator = one_guild(40).await;
    let (mut client, ready) = Client::ready(&simulator, 1).await;
    let guild = client.event("GUILD_CREATE").await["d"].take();
    let channels = guild["channels"].as_array().unwrap();
    let voice = channels.iter().find(|channel| channel["type"] == 2).unwrap();
    let join = |channel: Value| json!({"op": 4, "d": {"guild_id": guild["id"], "channel_id": channel, "self_mute": true, "self_deaf": false}});
    client.send(join(voice["id"].clone())).await;
    let state = client.next().await;
    assert_eq!((&state["t"], &state["d"]["user_id"]), (&json!("VOICE_STATE_UPDATE"), &ready["d"]["user"]["id"]));
    assert_eq!((&state["d"]["self_mute"], &state["d"]["channel_id"]), (&json!(true), &voice["id"]));
    let server = client.next().await;
    assert_eq!(server["t"], "VOICE_SERVER_UPDATE");
    assert!(server["d"]["endpoint"].is_string() && server["d"]["token"].is_string());
    client.send(join(Value::Null)).await;
    assert_eq!(client.next().await["d"]["channel_id"], Value::Null);
    client.send(json!({"op": 1, "d": 4})).await;
    assert_eq!(client.next().await["op"], 11);
}

#[tokio::test]
async fn sounds_and_channel_info_are_answered() {
    let simulator = one_guild(40).await;
    let (mut client, ready) = Client::ready(&simulator, 0).await;
    let guild = guild_of(&ready);
    client.send(json!({"op": 31, "d": {"guild_ids": [guild]}})).await;
    let sounds = client.next().await;
    assert_eq!((&sounds["t"], &sounds["d"]["guild_id"]), (&json!("SOUNDBOARD_SOUNDS"), guild));
    client.send(json!({"op": 43, "d": {"guild_id": guild, "fields": ["status"]}})).await;
    let info = client.next().await;
    assert_eq!(info["t"], "CHANNEL_INFO");
    let channel = &info["d"]["channels"][0];
    assert!(channel["status"].is_string() && channel.get("voice_start_time").is_none());
}

#[tokio::test]
async fn a_presence_update_is_checked_and_not_answered() {
    let simulator = one_guild(2).await;
    let (mut client, _) = Client::ready(&simulator, 0).await;
    let presence =
        |status: &str| json!({"op": 3, "d": {"since": null, "activities": [], "status": status, "afk": false}});
    client.send(presence("dnd")).await;
    client.send(json!({"op": 1, "d": 1})).await;
    assert_eq!(client.next().await["op"], 11);
    client.send(presence("sleeping")).await;
    assert_eq!(client.closed().await, Some(4001));
}
