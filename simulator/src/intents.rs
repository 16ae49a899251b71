//! Which intents an event needs, and what MESSAGE_CONTENT hides.
//!
//! Discord Docs: Gateway, "List of Intents" and "Message Content Intent".

use serde_json::Value;

/// GUILD_MEMBERS, GUILD_PRESENCES and MESSAGE_CONTENT.
pub const PRIVILEGED: u64 = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT;

/// Every documented intent.
pub const ALL: u64 = 53_608_447;

pub(crate) const GUILDS: u64 = 1;
pub(crate) const GUILD_MEMBERS: u64 = 1 << 1;
pub(crate) const GUILD_PRESENCES: u64 = 1 << 8;
pub(crate) const MESSAGE_CONTENT: u64 = 1 << 15;

/// Whether a session with `intents` receives `name` from a guild, or from elsewhere.
pub(crate) fn receives(intents: u64, name: &str, in_guild: bool) -> bool {
    match required(name, in_guild) {
        0 => true,
        any => intents & any != 0,
    }
}

/// The intents of which one is enough; 0 if none is needed.
fn required(name: &str, in_guild: bool) -> u64 {
    match name {
        "CHANNEL_PINS_UPDATE" if in_guild => GUILDS,
        "CHANNEL_PINS_UPDATE" => 1 << 12,
        "MESSAGE_CREATE" | "MESSAGE_UPDATE" | "MESSAGE_DELETE" if in_guild => 1 << 9,
        "MESSAGE_CREATE" | "MESSAGE_UPDATE" | "MESSAGE_DELETE" => 1 << 12,
        "MESSAGE_DELETE_BULK" => 1 << 9,
        "MESSAGE_REACTION_ADD"
        | "MESSAGE_REACTION_REMOVE"
        | "MESSAGE_REACTION_REMOVE_ALL"
        | "MESSAGE_REACTION_REMOVE_EMOJI" => 1 << if in_guild { 10 } else { 13 },
        "TYPING_START" => 1 << if in_guild { 11 } else { 14 },
        "MESSAGE_POLL_VOTE_ADD" | "MESSAGE_POLL_VOTE_REMOVE" => 1 << if in_guild { 24 } else { 25 },
        "GUILD_CREATE"
        | "GUILD_UPDATE"
        | "GUILD_DELETE"
        | "GUILD_ROLE_CREATE"
        | "GUILD_ROLE_UPDATE"
        | "GUILD_ROLE_DELETE"
        | "CHANNEL_CREATE"
        | "CHANNEL_UPDATE"
        | "CHANNEL_DELETE"
        | "THREAD_CREATE"
        | "THREAD_UPDATE"
        | "THREAD_DELETE"
        | "THREAD_LIST_SYNC"
        | "THREAD_MEMBER_UPDATE"
        | "STAGE_INSTANCE_CREATE"
        | "STAGE_INSTANCE_UPDATE"
        | "STAGE_INSTANCE_DELETE"
        | "VOICE_CHANNEL_STATUS_UPDATE"
        | "VOICE_CHANNEL_START_TIME_UPDATE" => GUILDS,
        "THREAD_MEMBERS_UPDATE" => GUILDS | GUILD_MEMBERS,
        "GUILD_MEMBER_ADD" | "GUILD_MEMBER_UPDATE" | "GUILD_MEMBER_REMOVE" => GUILD_MEMBERS,
        "GUILD_AUDIT_LOG_ENTRY_CREATE" | "GUILD_BAN_ADD" | "GUILD_BAN_REMOVE" => 1 << 2,
        "GUILD_EMOJIS_UPDATE"
        | "GUILD_STICKERS_UPDATE"
        | "GUILD_SOUNDBOARD_SOUND_CREATE"
        | "GUILD_SOUNDBOARD_SOUND_UPDATE"
        | "GUILD_SOUNDBOARD_SOUND_DELETE"
        | "GUILD_SOUNDBOARD_SOUNDS_UPDATE" => 1 << 3,
        "GUILD_INTEGRATIONS_UPDATE" | "INTEGRATION_CREATE" | "INTEGRATION_UPDATE" | "INTEGRATION_DELETE" => 1 << 4,
        "WEBHOOKS_UPDATE" => 1 << 5,
        "INVITE_CREATE" | "INVITE_DELETE" => 1 << 6,
        "VOICE_STATE_UPDATE" | "VOICE_CHANNEL_EFFECT_SEND" => 1 << 7,
        "PRESENCE_UPDATE" => GUILD_PRESENCES,
        "GUILD_SCHEDULED_EVENT_CREATE"
        | "GUILD_SCHEDULED_EVENT_UPDATE"
        | "GUILD_SCHEDULED_EVENT_DELETE"
        | "GUILD_SCHEDULED_EVENT_USER_ADD"
        | "GUILD_SCHEDULED_EVENT_USER_REMOVE" => 1 << 16,
        "AUTO_MODERATION_RULE_CREATE" | "AUTO_MODERATION_RULE_UPDATE" | "AUTO_MODERATION_RULE_DELETE" => 1 << 20,
        "AUTO_MODERATION_ACTION_EXECUTION" => 1 << 21,
        _ => 0,
    }
}

/// Whether the event concerns the bot itself, which it hears of without the intent.
pub(crate) fn concerns(name: &str, data: &Value, bot: u64) -> bool {
    let id = match name {
        "GUILD_MEMBER_UPDATE" => data.pointer("/user/id"),
        "VOICE_STATE_UPDATE" => data.pointer("/user_id"),
        _ => None,
    };
    id.and_then(Value::as_str).and_then(|id| id.parse().ok()) == Some(bot)
}

/// Empties what a bot without MESSAGE_CONTENT may not read.
pub(crate) fn strip_content(name: &str, data: &mut Value, bot: u64) {
    match name {
        "MESSAGE_CREATE" | "MESSAGE_UPDATE" if !may_read(data, bot) => strip_message(data),
        "AUTO_MODERATION_ACTION_EXECUTION" => {
            for key in ["content", "matched_content"] {
                replace(data, key, Value::from(""));
            }
        }
        _ => {}
    }
}

fn may_read(message: &Value, bot: u64) -> bool {
    let bot = bot.to_string();
    let is_bot = |user: &Value| user.get("id").and_then(Value::as_str) == Some(bot.as_str());
    let mentioned = message.get("mentions").and_then(Value::as_array).is_some_and(|users| users.iter().any(is_bot));
    message.get("guild_id").is_none() || message.get("author").is_some_and(is_bot) || mentioned
}

fn strip_message(message: &mut Value) {
    replace(message, "content", Value::from(""));
    for key in ["embeds", "attachments", "components"] {
        replace(message, key, Value::Array(Vec::new()));
    }
    if let Some(fields) = message.as_object_mut() {
        fields.remove("poll");
    }
    if let Some(referenced) = message.get_mut("referenced_message").filter(|value| value.is_object()) {
        strip_message(referenced);
    }
}

fn replace(data: &mut Value, key: &str, value: Value) {
    if let Some(field) = data.get_mut(key) {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn message_content_is_hidden_unless_the_bot_is_mentioned() {
        let message = |mentions: Value| json!({"guild_id": "1", "author": {"id": "2"}, "content": "secret", "embeds": [{}], "mentions": mentions});
        let mut hidden = message(json!([]));
        strip_content("MESSAGE_CREATE", &mut hidden, 9);
        assert_eq!((&hidden["content"], &hidden["embeds"]), (&json!(""), &json!([])));
        let mut shown = message(json!([{"id": "9"}]));
        strip_content("MESSAGE_CREATE", &mut shown, 9);
        assert_eq!(shown["content"], "secret");
    }

    #[test]
    fn direct_and_guild_messages_need_different_intents() {
        assert!(receives(1 << 9, "MESSAGE_CREATE", true));
        assert!(!receives(1 << 9, "MESSAGE_CREATE", false));
        assert!(receives(0, "INTERACTION_CREATE", true));
    }
}
