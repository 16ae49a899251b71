//! Reactions.

use serde_json::{Value, json};

use super::{Event, Scene, with};

impl Scene<'_> {
    fn emoji(&mut self) -> Value {
        if self.chance(30) {
            return json!({"id": self.earlier(), "name": "party_blob", "animated": self.chance(30)});
        }
        json!({"id": null, "name": self.pick(&["\u{1f44d}", "\u{2764}\u{fe0f}", "\u{1f602}", "\u{1f440}"])})
    }

    fn reaction(&mut self) -> Value {
        json!({"emoji": self.emoji(), "burst": false, "type": 0})
    }
}

pub(super) fn add(scene: &mut Scene<'_>) -> Event {
    let someone = scene.someone();
    let who = json!({
        "user_id": scene.world.member_id(scene.guild, someone).to_string(),
        "member": scene.world.member(scene.guild, someone),
        "message_author_id": scene.user_id(),
        "burst_colors": [],
    });
    let data = with(with(scene.message_ids(), scene.reaction()), who);
    scene.event("MESSAGE_REACTION_ADD", data)
}

pub(super) fn remove(scene: &mut Scene<'_>) -> Event {
    let data = with(with(scene.message_ids(), scene.reaction()), json!({"user_id": scene.user_id()}));
    scene.event("MESSAGE_REACTION_REMOVE", data)
}

pub(super) fn remove_all(scene: &mut Scene<'_>) -> Event {
    let data = scene.message_ids();
    scene.event("MESSAGE_REACTION_REMOVE_ALL", data)
}

pub(super) fn remove_emoji(scene: &mut Scene<'_>) -> Event {
    let data = with(scene.message_ids(), json!({"emoji": scene.emoji()}));
    scene.event("MESSAGE_REACTION_REMOVE_EMOJI", data)
}

pub(super) fn add_direct(scene: &mut Scene<'_>) -> Event {
    let where_ = json!({"channel_id": scene.earlier(), "message_id": scene.earlier(), "user_id": scene.user_id()});
    let data = with(scene.reaction(), where_);
    scene.direct_event("MESSAGE_REACTION_ADD", data)
}
