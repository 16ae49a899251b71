//! Voice states and what happens in voice channels.

use serde_json::{Value, json};

use super::{Event, Scene, World, text};

impl World {
    pub(super) fn is_in_voice(&self, index: u32) -> bool {
        index % 9 == 4
    }

    /// The voice states of GUILD_CREATE, which lack the guild.
    pub(super) fn voice_states(&self, guild: u64) -> Vec<Value> {
        let state = |index: u32| {
            let mut random = self.derive(guild, super::Kind::Voice, index.into());
            json!({
                "channel_id": self.voice_channel(guild, index.into()).to_string(),
                "user_id": self.member_id(guild, index).to_string(),
                "session_id": text::hash(&mut random),
                "deaf": false,
                "mute": false,
                "self_deaf": false,
                "self_mute": random.bool(),
                "self_video": false,
                "suppress": false,
                "request_to_speak_timestamp": null,
            })
        };
        (0..self.member_count()).filter(|index| self.is_in_voice(*index)).map(state).collect()
    }

    /// The bot's own voice state after op 4.
    pub(crate) fn own_voice_state(
        &self,
        guild: u64,
        channel: Option<u64>,
        session: &str,
        muted: bool,
        deafened: bool,
    ) -> Value {
        json!({
            "guild_id": guild.to_string(),
            "channel_id": channel.map(|channel| channel.to_string()),
            "user_id": self.bot().to_string(),
            "member": self.member(guild, 0),
            "session_id": session,
            "deaf": false,
            "mute": false,
            "self_deaf": deafened,
            "self_mute": muted,
            "self_video": false,
            "suppress": false,
            "request_to_speak_timestamp": null,
        })
    }
}

pub(super) fn state_update(scene: &mut Scene<'_>) -> Event {
    let someone = scene.someone();
    let channel = scene.chance(70).then(|| scene.voice_channel());
    let data = json!({
        "guild_id": scene.guild(),
        "channel_id": channel,
        "user_id": scene.world.member_id(scene.guild, someone).to_string(),
        "member": scene.world.member(scene.guild, someone),
        "session_id": scene.hash(),
        "deaf": false,
        "mute": false,
        "self_deaf": scene.chance(20),
        "self_mute": scene.chance(40),
        "self_video": false,
        "self_stream": scene.chance(10),
        "suppress": false,
        "request_to_speak_timestamp": null,
    });
    scene.event("VOICE_STATE_UPDATE", data)
}

pub(super) fn effect(scene: &mut Scene<'_>) -> Event {
    let data = json!({
        "guild_id": scene.guild(),
        "channel_id": scene.voice_channel(),
        "user_id": scene.user_id(),
        "emoji": {"id": null, "name": "\u{1f389}"},
        "animation_type": 1,
        "animation_id": scene.below(20),
    });
    scene.event("VOICE_CHANNEL_EFFECT_SEND", data)
}

pub(super) fn status(scene: &mut Scene<'_>) -> Event {
    let data = json!({"guild_id": scene.guild(), "id": scene.voice_channel(), "status": scene.sentence(1, 5)});
    scene.event("VOICE_CHANNEL_STATUS_UPDATE", data)
}

pub(super) fn start_time(scene: &mut Scene<'_>) -> Event {
    let started = scene.source.clock / 1000;
    let data = json!({"guild_id": scene.guild(), "id": scene.voice_channel(), "voice_start_time": started});
    scene.event("VOICE_CHANNEL_START_TIME_UPDATE", data)
}
