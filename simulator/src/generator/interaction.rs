//! Interactions: commands, buttons and modals.

use serde_json::{Value, json};

use super::{Event, Scene, with};

impl Scene<'_> {
    fn interaction(&mut self) -> Value {
        let token = format!("{}{}{}", self.hash(), self.hash(), self.hash());
        json!({
            "id": self.fresh(),
            "application_id": self.world.bot().to_string(),
            "token": token,
            "version": 1,
            "locale": "en-US",
            "entitlements": [],
            "entitlement_sku_ids": [],
            "attachment_size_limit": 10_485_760,
            "app_permissions": "2251799813685247",
        })
    }

    /// The `data` of a slash command with two options.
    fn command(&mut self) -> Value {
        json!({
            "type": 2,
            "data": {
                "id": self.earlier(),
                "name": "play",
                "type": 1,
                "options": [
                    {"name": "query", "type": 3, "value": self.sentence(1, 6)},
                    {"name": "volume", "type": 4, "value": self.below(100)},
                ],
            },
        })
    }

    fn modal(&mut self) -> Value {
        let input = json!({"type": 4, "id": 2, "custom_id": "reason", "value": self.sentence(4, 30)});
        json!({
            "type": 5,
            "data": {"custom_id": self.hash(), "components": [{"type": 1, "id": 1, "components": [input]}]},
        })
    }

    fn autocomplete(&mut self) -> Value {
        json!({
            "type": 4,
            "data": {
                "id": self.earlier(),
                "name": "play",
                "type": 1,
                "options": [{"name": "query", "type": 3, "value": "dar", "focused": true}],
            },
        })
    }
}

pub(super) fn create(scene: &mut Scene<'_>) -> Event {
    let what = match scene.below(10) {
        0 => scene.autocomplete(),
        1 | 2 => scene.modal(),
        _ => scene.command(),
    };
    let someone = scene.someone();
    let member = with(scene.world.member(scene.guild, someone), json!({"permissions": "2251799813685247"}));
    let index = scene.below(64).into();
    let channel = scene.world.text_channel(scene.guild, index).to_string();
    let place = json!({
        "guild_id": scene.guild(),
        "guild": {"id": scene.guild(), "locale": "en-US", "features": ["COMMUNITY"]},
        "guild_locale": "en-US",
        "channel_id": channel,
        "channel": {
            "id": channel, "type": 0, "name": "general", "guild_id": scene.guild(), "position": 1, "flags": 0,
            "parent_id": null, "topic": null, "nsfw": false, "rate_limit_per_user": 0, "last_message_id": null,
            "permissions": "2251799813685247",
        },
        "member": member,
        "authorizing_integration_owners": {"0": scene.guild()},
        "context": 0,
    });
    let data = with(with(scene.interaction(), what), place);
    scene.event("INTERACTION_CREATE", data)
}

pub(super) fn create_direct(scene: &mut Scene<'_>) -> Event {
    let channel = scene.earlier();
    let user = scene.user();
    let owner = user.get("id").cloned();
    let place = json!({
        "channel_id": channel,
        "channel": {
            "id": channel, "type": 1, "last_message_id": null, "flags": 0, "recipients": [user.clone()],
            "permissions": "2251799813685247",
        },
        "user": user,
        "authorizing_integration_owners": {"1": owner},
        "context": 1,
    });
    let data = with(with(scene.interaction(), scene.command()), place);
    scene.direct_event("INTERACTION_CREATE", data)
}
