//! Threads.

use serde_json::{Value, json};

use super::{Event, Kind, Scene, World, text, time, time::EPOCH, with};

impl World {
    pub(super) fn thread_id(&self, guild: u64, index: u64) -> u64 {
        self.id_in(guild, Kind::Thread, index)
    }

    pub(super) fn threads(&self, guild: u64) -> Vec<Value> {
        (0..u64::from(self.shape.threads)).map(|index| self.thread(guild, index)).collect()
    }

    fn thread(&self, guild: u64, index: u64) -> Value {
        let mut random = self.derive(guild, Kind::Thread, index);
        let id = self.thread_id(guild, index);
        let made = time::iso((id >> 22) + EPOCH);
        json!({
            "id": id.to_string(),
            "guild_id": guild.to_string(),
            "parent_id": self.text_channel(guild, index).to_string(),
            "owner_id": self.member_id(guild, 1).to_string(),
            "type": 11,
            "name": text::sentence(&mut random, 4),
            "last_message_id": null,
            "message_count": random.u32(..90),
            "member_count": random.u32(1..40),
            "total_message_sent": random.u32(90..200),
            "rate_limit_per_user": 0,
            "flags": 0,
            "thread_metadata": {
                "archived": false,
                "archive_timestamp": made,
                "auto_archive_duration": 1440,
                "locked": false,
                "create_timestamp": made,
            },
        })
    }
}

impl Scene<'_> {
    /// The number of one of the guild's threads.
    fn thread_index(&mut self) -> u64 {
        u64::from(self.below(self.world.shape.threads))
    }

    fn thread_member(&mut self) -> Value {
        json!({"id": self.earlier(), "user_id": self.user_id(), "join_timestamp": self.now(), "flags": 0})
    }
}

pub(super) fn create(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.arrive(Kind::Thread) else { return delete(scene) };
    let channel = scene.channel();
    let new = json!({"id": id, "parent_id": channel, "newly_created": true});
    let data = with(scene.world.thread(scene.guild, 0), new);
    scene.event("THREAD_CREATE", data)
}

pub(super) fn update(scene: &mut Scene<'_>) -> Event {
    let index = scene.thread_index();
    let name = scene.sentence(2, 6);
    let data = with(scene.world.thread(scene.guild, index), json!({"name": name}));
    scene.event("THREAD_UPDATE", data)
}

pub(super) fn delete(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.depart(Kind::Thread) else { return create(scene) };
    let data = json!({"id": id, "guild_id": scene.guild(), "parent_id": scene.channel(), "type": 11});
    scene.event("THREAD_DELETE", data)
}

pub(super) fn list_sync(scene: &mut Scene<'_>) -> Event {
    let index = scene.thread_index();
    let thread = scene.world.thread(scene.guild, index);
    let parent = thread.get("parent_id").cloned().unwrap_or_default();
    let data = json!({"guild_id": scene.guild(), "channel_ids": [parent], "threads": [thread], "members": []});
    scene.event("THREAD_LIST_SYNC", data)
}

pub(super) fn member(scene: &mut Scene<'_>) -> Event {
    let index = scene.thread_index();
    let thread = json!({
        "id": scene.world.thread_id(scene.guild, index).to_string(),
        "user_id": scene.world.bot().to_string(),
        "guild_id": scene.guild(),
    });
    let data = with(scene.thread_member(), thread);
    scene.event("THREAD_MEMBER_UPDATE", data)
}

pub(super) fn members(scene: &mut Scene<'_>) -> Event {
    let index = scene.thread_index();
    let someone = scene.someone();
    let thread = scene.world.thread_id(scene.guild, index).to_string();
    let added = json!({
        "id": thread,
        "user_id": scene.world.member_id(scene.guild, someone).to_string(),
        "member": scene.world.member(scene.guild, someone),
        "presence": null,
    });
    let data = json!({
        "id": thread,
        "guild_id": scene.guild(),
        "member_count": scene.between(1, 50),
        "added_members": [with(scene.thread_member(), added)],
        "removed_member_ids": [scene.user_id()],
    });
    scene.event("THREAD_MEMBERS_UPDATE", data)
}
