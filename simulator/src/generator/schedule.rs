//! Scheduled events and stages.

use serde_json::{Value, json};

use super::{Event, Kind, Scene, World, text, time, with};

impl World {
    /// What every guild has planned.
    pub(super) fn scheduled_event(&self, guild: u64) -> Value {
        let mut random = self.derive(guild, Kind::Event, 0);
        let creator = self.user(guild, 1);
        json!({
            "id": self.id_in(guild, Kind::Event, 0).to_string(),
            "guild_id": guild.to_string(),
            "channel_id": self.voice_channel(guild, 0).to_string(),
            "creator_id": creator.get("id"),
            "creator": creator,
            "name": text::sentence(&mut random, 4),
            "description": text::sentence(&mut random, 20),
            "scheduled_start_time": time::iso(time::NOW + DAY),
            "scheduled_end_time": null,
            "privacy_level": 2,
            "status": 1,
            "entity_type": 2,
            "entity_id": null,
            "entity_metadata": null,
            "user_count": random.u32(..80),
            "image": null,
            "recurrence_rule": null,
            "guild_scheduled_event_exceptions": [],
        })
    }
}

/// A scheduled event that comes or goes.
fn passing(scene: &mut Scene<'_>, id: &str) -> Value {
    let changed = json!({"id": id, "name": scene.sentence(2, 6), "scheduled_start_time": scene.in_millis(DAY)});
    with(scene.world.scheduled_event(scene.guild), changed)
}

pub(super) fn event_create(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.arrive(Kind::Event) else { return event_delete(scene) };
    let data = passing(scene, &id);
    scene.event("GUILD_SCHEDULED_EVENT_CREATE", data)
}

pub(super) fn event_update(scene: &mut Scene<'_>) -> Event {
    let changed = json!({"description": scene.sentence(5, 30), "user_count": scene.below(80)});
    let data = with(scene.world.scheduled_event(scene.guild), changed);
    scene.event("GUILD_SCHEDULED_EVENT_UPDATE", data)
}

pub(super) fn event_delete(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.depart(Kind::Event) else { return event_create(scene) };
    let data = with(passing(scene, &id), json!({"status": 4}));
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

fn stage(scene: &mut Scene<'_>, id: &str) -> Value {
    json!({
        "id": id,
        "guild_id": scene.guild(),
        "channel_id": scene.world.stage_channel(scene.guild).to_string(),
        "topic": scene.sentence(2, 9),
        "privacy_level": 2,
        "discoverable_disabled": true,
        "guild_scheduled_event_id": null,
    })
}

/// A stage channel has one stage at a time.
pub(super) fn stage_create(scene: &mut Scene<'_>) -> Event {
    if scene.present(Kind::Stage).is_some() {
        return stage_update(scene);
    }
    let Some(id) = scene.arrive(Kind::Stage) else { return stage_delete(scene) };
    let data = stage(scene, &id);
    scene.event("STAGE_INSTANCE_CREATE", data)
}

pub(super) fn stage_update(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.present(Kind::Stage) else { return stage_create(scene) };
    let data = stage(scene, &id);
    scene.event("STAGE_INSTANCE_UPDATE", data)
}

pub(super) fn stage_delete(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.depart(Kind::Stage) else { return stage_create(scene) };
    let data = stage(scene, &id);
    scene.event("STAGE_INSTANCE_DELETE", data)
}

/// In milliseconds.
const DAY: u64 = 86_400_000;
