//! Scheduled events and stages.

use serde_json::{Value, json};

use super::{Event, Kind, Scene, with};

fn scheduled_event(scene: &mut Scene<'_>) -> Value {
    let creator = scene.user();
    json!({
        "id": scene.world.id_in(scene.guild, Kind::Event, 0).to_string(),
        "guild_id": scene.guild(),
        "channel_id": scene.voice_channel(),
        "creator_id": creator.get("id"),
        "creator": creator,
        "name": scene.sentence(2, 6),
        "description": scene.sentence(5, 30),
        "scheduled_start_time": scene.in_millis(86_400_000),
        "scheduled_end_time": null,
        "privacy_level": 2,
        "status": 1,
        "entity_type": 2,
        "entity_id": null,
        "entity_metadata": null,
        "user_count": scene.below(80),
        "image": null,
        "recurrence_rule": null,
        "guild_scheduled_event_exceptions": [],
    })
}

pub(super) fn event_create(scene: &mut Scene<'_>) -> Event {
    let data = with(scheduled_event(scene), json!({"id": scene.fresh()}));
    scene.event("GUILD_SCHEDULED_EVENT_CREATE", data)
}

pub(super) fn event_update(scene: &mut Scene<'_>) -> Event {
    let data = scheduled_event(scene);
    scene.event("GUILD_SCHEDULED_EVENT_UPDATE", data)
}

pub(super) fn event_delete(scene: &mut Scene<'_>) -> Event {
    let data = with(scheduled_event(scene), json!({"id": scene.fresh(), "status": 4}));
    scene.event("GUILD_SCHEDULED_EVENT_DELETE", data)
}

fn interest(scene: &mut Scene<'_>) -> Value {
    json!({
        "guild_scheduled_event_id": scene.world.id_in(scene.guild, Kind::Event, 0).to_string(),
        "user_id": scene.user_id(),
        "guild_id": scene.guild(),
    })
}

pub(super) fn user_add(scene: &mut Scene<'_>) -> Event {
    let data = interest(scene);
    scene.event("GUILD_SCHEDULED_EVENT_USER_ADD", data)
}

pub(super) fn user_remove(scene: &mut Scene<'_>) -> Event {
    let data = interest(scene);
    scene.event("GUILD_SCHEDULED_EVENT_USER_REMOVE", data)
}

fn stage(scene: &mut Scene<'_>) -> Value {
    json!({
        "id": scene.world.id_in(scene.guild, Kind::Stage, 0).to_string(),
        "guild_id": scene.guild(),
        "channel_id": scene.world.stage_channel(scene.guild).to_string(),
        "topic": scene.sentence(2, 9),
        "privacy_level": 2,
        "discoverable_disabled": true,
        "guild_scheduled_event_id": null,
    })
}

pub(super) fn stage_create(scene: &mut Scene<'_>) -> Event {
    let data = stage(scene);
    scene.event("STAGE_INSTANCE_CREATE", data)
}

pub(super) fn stage_update(scene: &mut Scene<'_>) -> Event {
    let data = stage(scene);
    scene.event("STAGE_INSTANCE_UPDATE", data)
}

pub(super) fn stage_delete(scene: &mut Scene<'_>) -> Event {
    let data = stage(scene);
    scene.event("STAGE_INSTANCE_DELETE", data)
}
