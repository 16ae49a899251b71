//! Op 3, 4, 8, 31 and 43.

use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

use crate::{
    inbound::Rejected,
    intents,
    outbox::Action,
    session::control_payload,
    state::{Shared, State},
};

/// Answers a command of an identified client.
pub(crate) fn answer(shared: &Shared, id: u64, session: &str, opcode: u64, data: &Value) -> Result<(), Rejected> {
    match opcode {
        3 => presence(shared, id, data),
        4 => voice_state(shared, session, data),
        8 => request_members(shared, id, session, data),
        31 => soundboard_sounds(shared, session, data),
        _ => channel_info(shared, session, data),
    }
}

/// Nothing answers a presence update; too many are dropped.
fn presence(shared: &Shared, id: u64, data: &Value) -> Result<(), Rejected> {
    let status = data.get("status").and_then(Value::as_str).ok_or(Rejected::MALFORMED)?;
    let known = matches!(status, "online" | "dnd" | "idle" | "invisible" | "offline");
    let has_activities = data.get("activities").is_some_and(|activities| activities.is_array() || activities.is_null());
    if !known || !has_activities {
        return Err(Rejected::MALFORMED);
    }
    let mut state = shared.state();
    if let Some(outbox) = state.connections.get_mut(&id)
        && !outbox.presences.take(Instant::now())
    {
        tracing::warn!(connection = id, "a presence update is dropped: too many in a short time");
    }
    Ok(())
}

fn voice_state(shared: &Shared, session: &str, data: &Value) -> Result<(), Rejected> {
    let guild = snowflake(data.get("guild_id")).ok_or(Rejected::MALFORMED)?;
    let channel = data.get("channel_id").filter(|channel| !channel.is_null());
    let channel = channel.map(|channel| snowflake(Some(channel)).ok_or(Rejected::MALFORMED)).transpose()?;
    let flag = |key: &str| data.get(key).and_then(Value::as_bool).unwrap_or(false);
    let mut state = shared.state();
    if !serves(shared, &state, session, guild) {
        return Ok(());
    }
    if channel.is_some_and(|channel| !shared.world.is_voice_channel(guild, channel)) {
        return Ok(());
    }
    let (muted, deafened) = (flag("self_mute"), flag("self_deaf"));
    let update = shared.world.own_voice_state(guild, channel, session, muted, deafened);
    shared.deliver(&mut state, session, "VOICE_STATE_UPDATE", Some(guild), update);
    if channel.is_some() {
        let token = format!("{:016x}", state.random.u64(..));
        let endpoint = "us-east1234.discord.media:443";
        let server = json!({"token": token, "guild_id": guild.to_string(), "endpoint": endpoint});
        shared.deliver(&mut state, session, "VOICE_SERVER_UPDATE", Some(guild), server);
    }
    Ok(())
}

fn soundboard_sounds(shared: &Shared, session: &str, data: &Value) -> Result<(), Rejected> {
    let guilds = data.get("guild_ids").and_then(Value::as_array).ok_or(Rejected::MALFORMED)?;
    let mut state = shared.state();
    for guild in guilds {
        let guild = snowflake(Some(guild)).ok_or(Rejected::MALFORMED)?;
        if serves(shared, &state, session, guild) {
            let sounds = shared.world.soundboard_sounds(guild);
            let answer = json!({"soundboard_sounds": sounds, "guild_id": guild.to_string()});
            shared.deliver(&mut state, session, "SOUNDBOARD_SOUNDS", Some(guild), answer);
        }
    }
    Ok(())
}

fn channel_info(shared: &Shared, session: &str, data: &Value) -> Result<(), Rejected> {
    let guild = snowflake(data.get("guild_id")).ok_or(Rejected::MALFORMED)?;
    let fields = data.get("fields").and_then(Value::as_array).ok_or(Rejected::MALFORMED)?;
    let asked: Vec<&str> = fields.iter().filter_map(Value::as_str).collect();
    let mut state = shared.state();
    if serves(shared, &state, session, guild) {
        let channels = shared.world.channel_info(guild, &asked);
        let answer = json!({"guild_id": guild.to_string(), "channels": channels});
        shared.deliver(&mut state, session, "CHANNEL_INFO", Some(guild), answer);
    }
    Ok(())
}

/// Op 8. What can't be answered is left without an answer, as Discord does.
fn request_members(shared: &Shared, id: u64, session: &str, data: &Value) -> Result<(), Rejected> {
    let guild = match data.get("guild_id") {
        Some(Value::Array(guilds)) if guilds.len() == 1 => guilds.first(),
        other => other,
    };
    let guild = guild.ok_or(Rejected::MALFORMED)?;
    let mut state = shared.state();
    let Some(guild) = snowflake(Some(guild)) else {
        stall_and_invalidate(&mut state, id);
        return Ok(());
    };
    if !serves(shared, &state, session, guild) {
        return Ok(());
    }
    let granted = state.sessions.get(session).map_or(0, |session| session.identity.intents);
    let request = MemberRequest {
        guild,
        nonce: data.get("nonce").and_then(Value::as_str).filter(|nonce| nonce.len() <= 32),
        presences: data.get("presences").and_then(Value::as_bool).unwrap_or(false)
            && granted & intents::GUILD_PRESENCES != 0,
    };
    if let Some(users) = data.get("user_ids").filter(|users| !users.is_null()) {
        return match requested_users(users)? {
            Some(users) => {
                by_ids(shared, &mut state, session, &request, &users);
                Ok(())
            }
            None => {
                stall_and_invalidate(&mut state, id);
                Ok(())
            }
        };
    }
    let query = data.get("query").and_then(Value::as_str).ok_or(Rejected::MALFORMED)?;
    let limit = data.get("limit").and_then(Value::as_u64).ok_or(Rejected::MALFORMED)?;
    if query.is_empty() && limit == 0 {
        whole_list(shared, &mut state, session, &request, granted);
    } else {
        by_prefix(shared, &mut state, session, &request, query, limit);
    }
    Ok(())
}

struct MemberRequest<'a> {
    guild: u64,
    nonce: Option<&'a str>,
    presences: bool,
}

/// At most 100 ids; `None` if one isn't a number.
fn requested_users(users: &Value) -> Result<Option<Vec<u64>>, Rejected> {
    let one = [users.clone()];
    let users = users.as_array().map_or(one.as_slice(), Vec::as_slice);
    if users.len() > MAXIMUM_RESULTS {
        return Err(Rejected::MALFORMED);
    }
    Ok(users.iter().map(|user| snowflake(Some(user))).collect())
}

/// The real service stalls on ids that aren't numbers and then invalidates the session.
fn stall_and_invalidate(state: &mut State, id: u64) {
    if let Some(outbox) = state.connections.get_mut(&id) {
        outbox.push_later(Instant::now() + STALL, Action::Payload(control_payload(9, false)));
    }
}

fn whole_list(shared: &Shared, state: &mut State, session: &str, request: &MemberRequest<'_>, granted: u64) {
    if granted & intents::GUILD_MEMBERS == 0 {
        return;
    }
    let now = Instant::now();
    let interval = shared.options.limits.member_list_interval;
    if let Some(left) = state.member_lists.get(&request.guild).map(|last| *last + interval).filter(|at| *at > now) {
        let mut meta = json!({"guild_id": request.guild.to_string()});
        add(&mut meta, "nonce", request.nonce.map(Value::from));
        let retry_after = (left - now).as_secs_f64();
        let limited = json!({"opcode": 8, "retry_after": retry_after, "meta": meta});
        shared.deliver(state, session, "RATE_LIMITED", None, limited);
        return;
    }
    state.member_lists.insert(request.guild, now);
    let members = (0..shared.world.member_count()).collect::<Vec<_>>();
    chunks(shared, state, session, request, &members, &[]);
}

fn by_prefix(shared: &Shared, state: &mut State, session: &str, request: &MemberRequest<'_>, query: &str, limit: u64) {
    let limit = usize::try_from(limit).unwrap_or(MAXIMUM_RESULTS).clamp(1, MAXIMUM_RESULTS);
    let query = query.to_lowercase();
    let matches = |index: &u32| shared.world.member_name(request.guild, *index).to_lowercase().starts_with(&query);
    let members: Vec<_> = (0..shared.world.member_count()).filter(matches).take(limit).collect();
    chunks(shared, state, session, request, &members, &[]);
}

fn by_ids(shared: &Shared, state: &mut State, session: &str, request: &MemberRequest<'_>, users: &[u64]) {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for user in users {
        match shared.world.member_index(request.guild, *user) {
            Some(index) => found.push(index),
            // Ids too small to be snowflakes come back as numbers.
            None if *user < 1 << 22 => missing.push(json!(user)),
            None => missing.push(json!(user.to_string())),
        }
    }
    chunks(shared, state, session, request, &found, &missing);
}

fn chunks(
    shared: &Shared,
    state: &mut State,
    session: &str,
    request: &MemberRequest<'_>,
    members: &[u32],
    missing: &[Value],
) {
    let count = members.len().div_ceil(CHUNK).max(1);
    for index in 0..count {
        let part = members.iter().skip(index * CHUNK).take(CHUNK);
        let list: Vec<_> = part.clone().map(|member| shared.world.member(request.guild, *member)).collect();
        let mut chunk = json!({
            "guild_id": request.guild.to_string(),
            "members": list,
            "chunk_index": index,
            "chunk_count": count,
        });
        let presences = part.map(|member| shared.world.presence(request.guild, *member)).collect();
        add(&mut chunk, "presences", request.presences.then_some(Value::Array(presences)));
        add(&mut chunk, "not_found", (!missing.is_empty()).then(|| Value::Array(missing.to_vec())));
        add(&mut chunk, "nonce", request.nonce.map(Value::from));
        shared.deliver(state, session, "GUILD_MEMBERS_CHUNK", Some(request.guild), chunk);
    }
}

fn add(object: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
        fields.insert(key.to_owned(), value);
    }
}

fn snowflake(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// Whether the guild exists and its events come to this session's shard.
fn serves(shared: &Shared, state: &State, session: &str, guild: u64) -> bool {
    let identity = state.sessions.get(session).map(|session| &session.identity);
    identity.is_some_and(|identity| {
        shared.world.has_guild(guild) && (guild >> 22) % u64::from(identity.count) == u64::from(identity.shard)
    })
}

/// Members of a GUILD_MEMBERS_CHUNK.
const CHUNK: usize = 1000;
/// Results of a prefix query, and ids of one request.
const MAXIMUM_RESULTS: usize = 100;
const STALL: Duration = Duration::from_secs(3);
