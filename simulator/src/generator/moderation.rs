//! Bans, the audit log, automatic moderation, invites and command permissions.

use serde_json::{Value, json};

use super::{Event, Scene, with};

pub(super) fn ban_add(scene: &mut Scene<'_>) -> Event {
    let data = json!({"guild_id": scene.guild(), "user": scene.user()});
    scene.event("GUILD_BAN_ADD", data)
}

pub(super) fn ban_remove(scene: &mut Scene<'_>) -> Event {
    let data = json!({"guild_id": scene.guild(), "user": scene.user()});
    scene.event("GUILD_BAN_REMOVE", data)
}

pub(super) fn audit_log(scene: &mut Scene<'_>) -> Event {
    let nick = scene.sentence(1, 2);
    let data = json!({
        "guild_id": scene.guild(),
        "id": scene.fresh(),
        "user_id": scene.user_id(),
        "target_id": scene.user_id(),
        "action_type": 24,
        "changes": [{"key": "nick", "old_value": "before", "new_value": nick}],
        "reason": scene.sentence(2, 9),
    });
    scene.event("GUILD_AUDIT_LOG_ENTRY_CREATE", data)
}

fn rule(scene: &mut Scene<'_>) -> Value {
    json!({
        "id": scene.earlier(),
        "guild_id": scene.guild(),
        "name": "No advertising",
        "creator_id": scene.user_id(),
        "event_type": 1,
        "trigger_type": 1,
        "trigger_metadata": {"keyword_filter": ["buy now", "*free nitro*"], "regex_patterns": [], "allow_list": []},
        "actions": [
            {"type": 1, "metadata": {"custom_message": "Please don't."}},
            {"type": 2, "metadata": {"channel_id": scene.channel()}},
        ],
        "enabled": true,
        "exempt_roles": [scene.role()],
        "exempt_channels": [],
    })
}

pub(super) fn rule_create(scene: &mut Scene<'_>) -> Event {
    let data = with(rule(scene), json!({"id": scene.fresh()}));
    scene.event("AUTO_MODERATION_RULE_CREATE", data)
}

pub(super) fn rule_update(scene: &mut Scene<'_>) -> Event {
    let data = rule(scene);
    scene.event("AUTO_MODERATION_RULE_UPDATE", data)
}

pub(super) fn rule_delete(scene: &mut Scene<'_>) -> Event {
    let data = rule(scene);
    scene.event("AUTO_MODERATION_RULE_DELETE", data)
}

pub(super) fn action(scene: &mut Scene<'_>) -> Event {
    let content = scene.sentence(3, 30);
    let data = json!({
        "guild_id": scene.guild(),
        "action": {"type": 1, "metadata": {"custom_message": "Please don't."}},
        "rule_id": scene.earlier(),
        "rule_trigger_type": 1,
        "user_id": scene.user_id(),
        "channel_id": scene.channel(),
        "message_id": scene.earlier(),
        "content": content,
        "matched_keyword": "buy now",
        "matched_content": "buy now",
    });
    scene.event("AUTO_MODERATION_ACTION_EXECUTION", data)
}

fn invite_code(scene: &mut Scene<'_>) -> String {
    scene.hash().chars().take(8).collect()
}

pub(super) fn invite_create(scene: &mut Scene<'_>) -> Event {
    let code = invite_code(scene);
    let data = json!({
        "guild_id": scene.guild(),
        "channel_id": scene.channel(),
        "code": code,
        "created_at": scene.now(),
        "expires_at": scene.in_millis(604_800_000),
        "inviter": scene.user(),
        "max_age": 604_800,
        "max_uses": 0,
        "temporary": false,
        "uses": 0,
        "type": 0,
        "flags": 0,
    });
    scene.event("INVITE_CREATE", data)
}

pub(super) fn invite_delete(scene: &mut Scene<'_>) -> Event {
    let code = invite_code(scene);
    let data = json!({"guild_id": scene.guild(), "channel_id": scene.channel(), "code": code});
    scene.event("INVITE_DELETE", data)
}

pub(super) fn command_permissions(scene: &mut Scene<'_>) -> Event {
    let data = json!({
        "id": scene.earlier(),
        "application_id": scene.world.bot().to_string(),
        "guild_id": scene.guild(),
        "permissions": [{"id": scene.role(), "type": 1, "permission": true}],
    });
    scene.event("APPLICATION_COMMAND_PERMISSIONS_UPDATE", data)
}
