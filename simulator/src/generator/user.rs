//! Users, members, presences and typing.

use serde_json::{Value, json};

use super::{Event, Kind, Scene, World, text, time, time::EPOCH, with};

impl World {
    /// Members of each guild, the bot (number 0) and the owner (number 1) included.
    pub(crate) fn member_count(&self) -> u32 {
        self.shape.members.max(2)
    }

    pub(crate) fn member_id(&self, guild: u64, index: u32) -> u64 {
        if index == 0 {
            return self.bot;
        }
        let mut random = self.derive(guild, Kind::User, index.into());
        time::snowflake(EPOCH + 40_000_000_000 + random.u64(..300_000_000_000), random.u64(..1 << 22))
    }

    pub(crate) fn member_index(&self, guild: u64, user: u64) -> Option<u32> {
        (0..self.member_count()).find(|index| self.member_id(guild, *index) == user)
    }

    /// The name that a prefix query looks at.
    pub(crate) fn member_name(&self, guild: u64, index: u32) -> String {
        if index == 0 {
            return BOT_NAME.to_owned();
        }
        text::name(&mut self.derive(guild, Kind::Member, index.into()))
    }

    pub(super) fn user(&self, guild: u64, index: u32) -> Value {
        let mut random = self.derive(guild, Kind::Member, index.into());
        let name = self.member_name(guild, index);
        let avatar = (random.u32(..10) > 0).then(|| text::hash(&mut random));
        let global_name = (index != 0 && random.u32(..3) > 0).then(|| name.replace('-', " "));
        let decoration = (random.u32(..8) == 0).then(|| {
			json!({"asset": format!("a_{}", text::hash(&mut random)), "sku_id": "1144058522808614923", "expires_at": null})
		});
        json!({
            "id": self.member_id(guild, index).to_string(),
            "username": name,
            "discriminator": if index == 0 { "4242" } else { "0" },
            "global_name": global_name,
            "avatar": avatar,
            "bot": index == 0,
            "system": false,
            "public_flags": if random.u32(..4) == 0 { 1_u32 << 6 } else { 0 },
            "avatar_decoration_data": decoration,
            "collectibles": null,
            "primary_guild": null,
            "clan": null,
            "display_name_styles": null,
        })
    }

    /// A member without its user.
    pub(super) fn partial_member(&self, guild: u64, index: u32) -> Value {
        let mut random = self.derive(guild, Kind::Member, index.into());
        random.u64(..);
        let count = random.u64(..4).min(u64::from(self.shape.roles.saturating_sub(1)));
        let mut roles: Vec<_> = (0..count).map(|_| 1 + random.u64(..u64::from(self.shape.roles.max(2) - 1))).collect();
        roles.sort_unstable();
        roles.dedup();
        let roles: Vec<_> = roles.into_iter().map(|role| self.role_id(guild, role).to_string()).collect();
        let joined = (guild >> 22) + EPOCH + u64::from(index) * 3_600_000 + 60_000;
        json!({
            "roles": roles,
            "premium_since": (random.u32(..12) == 0).then(|| time::iso(joined + 86_400_000)),
            "pending": false,
            "nick": (random.u32(..4) == 0).then(|| text::sentence(&mut random, 2)),
            "mute": false,
            "joined_at": time::iso(joined),
            "flags": 0,
            "deaf": false,
            "communication_disabled_until": null,
            "banner": null,
            "avatar": null,
        })
    }

    pub(crate) fn member(&self, guild: u64, index: u32) -> Value {
        with(self.partial_member(guild, index), json!({"user": self.user(guild, index)}))
    }

    /// Whether a member is online, which the member list of a large guild depends on.
    pub(super) fn is_online(&self, index: u32) -> bool {
        index < 2 || index.is_multiple_of(3)
    }

    pub(crate) fn presence(&self, guild: u64, index: u32) -> Value {
        let status = match (self.is_online(index), index % 5) {
            (false, _) => "offline",
            (true, 0) => "idle",
            (true, 1) => "dnd",
            (true, _) => "online",
        };
        json!({
            "user": {"id": self.member_id(guild, index).to_string()},
            "guild_id": guild.to_string(),
            "status": status,
            "activities": if status == "offline" { json!([]) } else { json!([self.activity(guild, index)]) },
            "client_status": if status == "offline" { json!({}) } else { json!({"desktop": status}) },
        })
    }

    fn activity(&self, guild: u64, index: u32) -> Value {
        let mut random = self.derive(guild, Kind::User, u64::from(index) + 1);
        let started = time::NOW - random.u64(..7_200_000);
        if random.bool() {
            return json!({
                "id": "custom", "name": "Custom Status", "type": 4, "state": text::sentence(&mut random, 5),
                "created_at": started, "emoji": {"name": "\u{1f525}"},
            });
        }
        json!({
            "id": format!("{:x}", random.u64(..)),
            "name": text::name(&mut random),
            "type": 0,
            "created_at": started,
            "timestamps": {"start": started},
            "application_id": time::snowflake(EPOCH + random.u64(..300_000_000_000), 7).to_string(),
            "details": text::sentence(&mut random, 4),
            "state": text::sentence(&mut random, 3),
            "party": {"id": text::hash(&mut random), "size": [random.u32(1..3), 4]},
            "assets": {"large_image": random.u64(1 << 50..1 << 60).to_string(), "large_text": text::name(&mut random)},
            "flags": 1,
            "session_id": text::hash(&mut random),
        })
    }
}

impl Scene<'_> {
    /// A user who was never seen before.
    fn stranger(&mut self, id: &str) -> Value {
        with(self.user(), json!({"id": id}))
    }
}

pub(super) fn typing(scene: &mut Scene<'_>) -> Event {
    let someone = scene.someone();
    let data = json!({
        "channel_id": scene.channel(),
        "guild_id": scene.guild(),
        "user_id": scene.world.member_id(scene.guild, someone).to_string(),
        "timestamp": scene.source.clock / 1000,
        "member": scene.world.member(scene.guild, someone),
    });
    scene.event("TYPING_START", data)
}

pub(super) fn typing_direct(scene: &mut Scene<'_>) -> Event {
    let data = json!({
        "channel_id": scene.earlier(), "user_id": scene.user_id(), "timestamp": scene.source.clock / 1000,
    });
    scene.direct_event("TYPING_START", data)
}

pub(super) fn presence_update(scene: &mut Scene<'_>) -> Event {
    let someone = scene.someone();
    let status = scene.pick(&["online", "idle", "dnd", "offline"]);
    let platform = scene.pick(&["desktop", "mobile", "web"]);
    let changed = json!({
        "status": status,
        "client_status": if status == "offline" { json!({}) } else { json!({platform: status}) },
    });
    let data = with(scene.world.presence(scene.guild, someone), changed);
    scene.event("PRESENCE_UPDATE", data)
}

pub(super) fn member_add(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.arrive(Kind::Member) else { return member_remove(scene) };
    let data = json!({
        "user": scene.stranger(&id),
        "roles": [],
        "premium_since": null,
        "pending": false,
        "nick": null,
        "mute": false,
        "joined_at": scene.now(),
        "guild_id": scene.guild(),
        "flags": 0,
        "deaf": false,
        "communication_disabled_until": null,
        "banner": null,
        "avatar": null,
        "unusual_dm_activity_until": null,
    });
    scene.event("GUILD_MEMBER_ADD", data)
}

pub(super) fn member_update(scene: &mut Scene<'_>) -> Event {
    let someone = scene.someone();
    let nick = scene.sentence(1, 3);
    let more = json!({"guild_id": scene.guild(), "nick": nick, "roles": [scene.role()]});
    let data = with(scene.world.member(scene.guild, someone), more);
    scene.event("GUILD_MEMBER_UPDATE", data)
}

pub(super) fn member_remove(scene: &mut Scene<'_>) -> Event {
    let Some(id) = scene.depart(Kind::Member) else { return member_add(scene) };
    let data = json!({"guild_id": scene.guild(), "user": scene.stranger(&id)});
    scene.event("GUILD_MEMBER_REMOVE", data)
}

pub(super) const BOT_NAME: &str = "Spectacles Simulator";
