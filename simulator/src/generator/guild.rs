//! Guilds, their roles, emojis, stickers, sounds and integrations.

use serde_json::{Value, json};

use super::{Event, Kind, Scene, World, text, time, time::EPOCH, with};

impl World {
    /// GUILD_CREATE with the members that the member-list rules allow: without presences only the bot and members in
    /// voice; of a large guild those online; otherwise everyone.
    pub(crate) fn guild_create(&self, guild: u64, presences: bool, large_threshold: u32) -> Value {
        let large = self.member_count() > large_threshold;
        let in_voice = |index: &u32| *index == 0 || self.is_in_voice(*index);
        let listed: Vec<u32> = (0..self.member_count())
            .filter(|index| in_voice(index) || presences && (!large || self.is_online(*index)))
            .collect();
        let members: Vec<_> = listed.iter().map(|index| self.member(guild, *index)).collect();
        let online = listed.iter().filter(|index| presences && self.is_online(**index));
        let presences: Vec<_> = online.map(|index| self.presence(guild, *index)).collect();
        let state = json!({
            "joined_at": time::iso((guild >> 22) + EPOCH + 60_000),
            "large": large,
            "unavailable": false,
            "member_count": self.member_count(),
            "voice_states": self.voice_states(guild),
            "members": members,
            "channels": self.channels(guild),
            "threads": self.threads(guild),
            "presences": presences,
            "stage_instances": [],
            "guild_scheduled_events": [self.scheduled_event(guild)],
            "soundboard_sounds": self.soundboard_sounds(guild),
            "embedded_activities": [],
            "application_command_counts": {},
            "lazy": true,
        });
        with(self.guild(guild), state)
    }

    fn guild(&self, guild: u64) -> Value {
        let mut random = self.derive(guild, Kind::Guild, 0);
        let base = json!({
            "id": guild.to_string(),
            "name": text::name(&mut random),
            "icon": text::hash(&mut random),
            "icon_hash": null,
            "splash": null,
            "discovery_splash": null,
            "owner_id": self.member_id(guild, 1).to_string(),
            "region": "deprecated",
            "afk_channel_id": null,
            "afk_timeout": 300,
            "widget_enabled": false,
            "widget_channel_id": null,
            "verification_level": 2,
            "default_message_notifications": 1,
            "explicit_content_filter": 2,
            "roles": self.roles(guild),
            "emojis": self.emojis(guild),
            "features": ["COMMUNITY", "NEWS", "THREE_DAY_THREAD_ARCHIVE", "SOUNDBOARD"],
            "mfa_level": 0,
            "application_id": null,
        });
        let more = json!({
            "system_channel_id": self.text_channel(guild, 0).to_string(),
            "system_channel_flags": 0,
            "rules_channel_id": self.text_channel(guild, 0).to_string(),
            "max_presences": null,
            "max_members": 500_000,
            "vanity_url_code": null,
            "description": text::sentence(&mut random, 9),
            "banner": null,
            "premium_tier": 1,
            "premium_subscription_count": 4,
            "preferred_locale": "en-US",
            "public_updates_channel_id": self.text_channel(guild, 1).to_string(),
            "max_video_channel_users": 25,
            "max_stage_video_channel_users": 50,
            "nsfw_level": 0,
            "nsfw": false,
            "stickers": self.stickers(guild),
            "premium_progress_bar_enabled": false,
            "safety_alerts_channel_id": null,
            "incidents_data": null,
            "hub_type": null,
            "latest_onboarding_question_id": null,
            "inventory_settings": null,
            "home_header": null,
        });
        with(base, more)
    }

    /// The id of a role; number 0 is `@everyone`.
    pub(super) fn role_id(&self, guild: u64, index: u64) -> u64 {
        if index == 0 { guild } else { self.id_in(guild, Kind::Role, index) }
    }

    fn roles(&self, guild: u64) -> Vec<Value> {
        (0..u64::from(self.shape.roles.max(2))).map(|index| self.role(guild, index)).collect()
    }

    fn role(&self, guild: u64, index: u64) -> Value {
        let mut random = self.derive(guild, Kind::Role, index);
        let color = if index == 0 { 0 } else { random.u32(..0x100_0000) };
        json!({
            "id": self.role_id(guild, index).to_string(),
            "name": if index == 0 { "@everyone".to_owned() } else { text::name(&mut random) },
            "description": null,
            "permissions": "2248473465835073",
            "position": index,
            "color": color,
            "colors": {"primary_color": color, "secondary_color": null, "tertiary_color": null},
            "hoist": index % 4 == 1,
            "managed": false,
            "mentionable": index % 3 == 1,
            "icon": null,
            "unicode_emoji": null,
            "flags": 0,
        })
    }

    fn emojis(&self, guild: u64) -> Vec<Value> {
        let emoji = |index| {
            let mut random = self.derive(guild, Kind::Emoji, index);
            json!({
                "id": self.id_in(guild, Kind::Emoji, index).to_string(),
                "name": text::name(&mut random).replace('-', "_"),
                "roles": [],
                "require_colons": true,
                "managed": false,
                "animated": random.u32(..4) == 0,
                "available": true,
            })
        };
        (0..u64::from(self.shape.emojis)).map(emoji).collect()
    }

    fn stickers(&self, guild: u64) -> Vec<Value> {
        let id = self.id_in(guild, Kind::Sticker, 0).to_string();
        vec![json!({
            "id": id,
            "name": "wave",
            "tags": "wave",
            "type": 2,
            "format_type": 1,
            "description": "Says hello.",
            "available": true,
            "guild_id": guild.to_string(),
            "asset": "",
        })]
    }

    pub(crate) fn soundboard_sounds(&self, guild: u64) -> Vec<Value> {
        vec![self.sound(guild, 0), self.sound(guild, 1)]
    }

    fn sound(&self, guild: u64, index: u64) -> Value {
        let mut random = self.derive(guild, Kind::Sound, index);
        json!({
            "sound_id": self.id_in(guild, Kind::Sound, index).to_string(),
            "name": text::name(&mut random),
            "volume": 1.0,
            "emoji_id": null,
            "emoji_name": "\u{1f50a}",
            "guild_id": guild.to_string(),
            "available": true,
            "user": self.user(guild, 1),
        })
    }
}

pub(super) fn update(scene: &mut Scene<'_>) -> Event {
    let description = scene.sentence(3, 12);
    let data = with(scene.world.guild(scene.guild), json!({"description": description}));
    scene.event("GUILD_UPDATE", data)
}

pub(super) fn role_create(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.arrive(Kind::Role) else { return role_delete(scene) };
    let role = with(scene.world.role(scene.guild, 1), json!({"id": id, "name": "new role", "position": 1}));
    scene.event("GUILD_ROLE_CREATE", json!({"guild_id": scene.guild(), "role": role}))
}

pub(super) fn role_update(scene: &mut Scene<'_>) -> Event {
    let index = u64::from(scene.below(scene.world.shape.roles.max(2)));
    let data = json!({"guild_id": scene.guild(), "role": scene.world.role(scene.guild, index)});
    scene.event("GUILD_ROLE_UPDATE", data)
}

pub(super) fn role_delete(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.depart(Kind::Role) else { return role_create(scene) };
    scene.event("GUILD_ROLE_DELETE", json!({"guild_id": scene.guild(), "role_id": id}))
}

pub(super) fn emojis(scene: &mut Scene<'_>) -> Event {
    let data = json!({"guild_id": scene.guild(), "emojis": scene.world.emojis(scene.guild)});
    scene.event("GUILD_EMOJIS_UPDATE", data)
}

pub(super) fn stickers(scene: &mut Scene<'_>) -> Event {
    let data = json!({"guild_id": scene.guild(), "stickers": scene.world.stickers(scene.guild)});
    scene.event("GUILD_STICKERS_UPDATE", data)
}

pub(super) fn sound_create(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.arrive(Kind::Sound) else { return sound_delete(scene) };
    let data = with(scene.world.sound(scene.guild, 2), json!({"sound_id": id}));
    scene.event("GUILD_SOUNDBOARD_SOUND_CREATE", data)
}

pub(super) fn sound_update(scene: &mut Scene<'_>) -> Event {
    let data = with(scene.world.sound(scene.guild, 0), json!({"volume": 0.5}));
    scene.event("GUILD_SOUNDBOARD_SOUND_UPDATE", data)
}

pub(super) fn sound_delete(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.depart(Kind::Sound) else { return sound_create(scene) };
    scene.event("GUILD_SOUNDBOARD_SOUND_DELETE", json!({"guild_id": scene.guild(), "sound_id": id}))
}

pub(super) fn sounds(scene: &mut Scene<'_>) -> Event {
    let sounds = scene.world.soundboard_sounds(scene.guild);
    let data = json!({"guild_id": scene.guild(), "soundboard_sounds": sounds});
    scene.event("GUILD_SOUNDBOARD_SOUNDS_UPDATE", data)
}

pub(super) fn integrations(scene: &mut Scene<'_>) -> Event {
    let data = json!({"guild_id": scene.guild()});
    scene.event("GUILD_INTEGRATIONS_UPDATE", data)
}

fn integration(scene: &mut Scene<'_>) -> Value {
    json!({
        "id": scene.fresh(),
        "guild_id": scene.guild(),
        "name": scene.sentence(1, 2),
        "type": "discord",
        "enabled": true,
        "account": {"id": scene.user_id(), "name": "helper"},
        "user": scene.user(),
        "application": {
            "id": scene.user_id(), "name": "helper", "icon": null, "description": "Helps.", "summary": "",
        },
        "scopes": ["applications.commands", "bot"],
    })
}

pub(super) fn integration_create(scene: &mut Scene<'_>) -> Event {
    let data = integration(scene);
    scene.event("INTEGRATION_CREATE", data)
}

pub(super) fn integration_update(scene: &mut Scene<'_>) -> Event {
    let data = integration(scene);
    scene.event("INTEGRATION_UPDATE", data)
}

pub(super) fn integration_delete(scene: &mut Scene<'_>) -> Event {
    let data = json!({"id": scene.fresh(), "guild_id": scene.guild(), "application_id": scene.user_id()});
    scene.event("INTEGRATION_DELETE", data)
}
