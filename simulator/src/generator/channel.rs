//! Channels.

use serde_json::{Value, json};

use super::{Event, Kind, Scene, World, text, with};

/// What the channel with this number is: every sixth opens a category, then come text, voice, forum and so on.
fn kind_of(index: u64) -> u8 {
    match index % 6 {
        0 => CATEGORY,
        3 => VOICE,
        4 if index % 12 == 4 => ANNOUNCEMENT,
        5 if index % 12 == 5 => STAGE,
        5 => FORUM,
        _ => TEXT,
    }
}

impl World {
    pub(super) fn channel_count(&self) -> u64 {
        u64::from(self.shape.channels.max(6))
    }

    pub(super) fn channel_id(&self, guild: u64, index: u64) -> u64 {
        self.id_in(guild, Kind::Channel, index)
    }

    /// One of the text channels, by any number.
    pub(super) fn text_channel(&self, guild: u64, any: u64) -> u64 {
        let groups = self.channel_count() / 6;
        self.channel_id(guild, (any % groups) * 6 + 1 + any / 7 % 2)
    }

    /// One of the voice channels, by any number.
    pub(super) fn voice_channel(&self, guild: u64, any: u64) -> u64 {
        self.channel_id(guild, any % (self.channel_count() / 6) * 6 + 3)
    }

    /// The first stage channel.
    pub(super) fn stage_channel(&self, guild: u64) -> u64 {
        self.channel_id(guild, 5)
    }

    pub(crate) fn is_voice_channel(&self, guild: u64, channel: u64) -> bool {
        let is_voice = |index: &u64| matches!(kind_of(*index), VOICE | STAGE);
        (0..self.channel_count()).filter(is_voice).any(|index| self.channel_id(guild, index) == channel)
    }

    pub(super) fn channels(&self, guild: u64) -> Vec<Value> {
        (0..self.channel_count()).map(|index| self.channel(guild, index)).collect()
    }

    pub(super) fn channel(&self, guild: u64, index: u64) -> Value {
        let mut random = self.derive(guild, Kind::Channel, index);
        let kind = kind_of(index);
        let parent = (kind != CATEGORY).then(|| self.channel_id(guild, index - index % 6).to_string());
        let base = json!({
            "id": self.channel_id(guild, index).to_string(),
            "type": kind,
            "name": text::name(&mut random),
            "position": index,
            "flags": 0,
            "parent_id": parent,
            "permission_overwrites": [
                {"id": guild.to_string(), "type": 0, "allow": "0", "deny": if index.is_multiple_of(5) { "1024" } else { "0" }},
                {"id": self.role_id(guild, 1).to_string(), "type": 0, "allow": "1071698660929", "deny": "0"},
            ],
        });
        let last_message = super::time::snowflake(super::time::NOW - random.u64(..80_000_000), random.u64(..1 << 22));
        let talk = json!({
            "topic": (random.u32(..3) > 0).then(|| text::sentence(&mut random, 12)),
            "rate_limit_per_user": if random.u32(..5) == 0 { 10 } else { 0 },
            "nsfw": false,
            "last_message_id": last_message.to_string(),
        });
        match kind {
            CATEGORY => base,
            VOICE | STAGE => with(
                base,
                json!({
                    "bitrate": 64000, "user_limit": if kind == STAGE { 50 } else { 0 }, "rtc_region": null, "topic": null,
                    "nsfw": false, "rate_limit_per_user": 0, "last_message_id": null, "video_quality_mode": 1,
                    "icon_emoji": null, "theme_color": null,
                }),
            ),
            FORUM => {
                let tag = self.id_in(guild, Kind::Thread, 1_000 + index).to_string();
                let forum = json!({
                    "available_tags": [
                        {"id": tag, "name": "solved", "moderated": false, "emoji_id": null, "emoji_name": "\u{2705}"},
                    ],
                    "default_reaction_emoji": {"emoji_id": null, "emoji_name": "\u{1f44d}"},
                    "default_sort_order": null,
                    "default_forum_layout": 0,
                    "default_thread_rate_limit_per_user": 0,
                    "default_auto_archive_duration": 1440,
                    "template": "",
                });
                with(with(base, talk), forum)
            }
            _ => with(with(base, talk), json!({"default_auto_archive_duration": 1440, "last_pin_timestamp": null})),
        }
    }

    /// Answer to op 43.
    pub(crate) fn channel_info(&self, guild: u64, fields: &[&str]) -> Vec<Value> {
        let is_voice = |index: &u64| kind_of(*index) == VOICE;
        let info = |index| {
            let mut info = json!({"id": self.channel_id(guild, index).to_string()});
            if fields.contains(&"status") {
                let status = text::sentence(&mut self.derive(guild, Kind::Voice, index), 3);
                info = with(info, json!({"status": status}));
            }
            if fields.contains(&"voice_start_time") {
                info = with(info, json!({"voice_start_time": super::time::NOW / 1000}));
            }
            info
        };
        (0..self.channel_count()).filter(is_voice).map(info).collect()
    }
}

/// An existing channel with the guild that events add.
fn existing(scene: &mut Scene<'_>) -> Value {
    let index = u64::from(scene.below(u32::try_from(scene.world.channel_count()).unwrap_or(6)));
    with(scene.world.channel(scene.guild, index), json!({"guild_id": scene.guild(), "version": scene.source.clock}))
}

/// A channel that comes or goes.
fn passing(scene: &Scene<'_>, id: &str) -> Value {
    let channel = with(scene.world.channel(scene.guild, 1), json!({"guild_id": scene.guild()}));
    with(channel, json!({"id": id, "position": 99, "last_message_id": null}))
}

pub(super) fn create(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.arrive(Kind::Channel) else { return delete(scene) };
    scene.event("CHANNEL_CREATE", passing(scene, &id))
}

pub(super) fn update(scene: &mut Scene<'_>) -> Event {
    let data = existing(scene);
    scene.event("CHANNEL_UPDATE", data)
}

pub(super) fn delete(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.depart(Kind::Channel) else { return create(scene) };
    scene.event("CHANNEL_DELETE", passing(scene, &id))
}

pub(super) fn pins(scene: &mut Scene<'_>) -> Event {
    let data = json!({"guild_id": scene.guild(), "channel_id": scene.channel(), "last_pin_timestamp": scene.now()});
    scene.event("CHANNEL_PINS_UPDATE", data)
}

pub(super) fn webhooks(scene: &mut Scene<'_>) -> Event {
    let data = json!({"guild_id": scene.guild(), "channel_id": scene.channel()});
    scene.event("WEBHOOKS_UPDATE", data)
}

const TEXT: u8 = 0;
const VOICE: u8 = 2;
const CATEGORY: u8 = 4;
const ANNOUNCEMENT: u8 = 5;
const STAGE: u8 = 13;
const FORUM: u8 = 15;
