//! Messages and polls.

use serde_json::{Value, json};

use super::{Event, Scene, with};

impl Scene<'_> {
    /// A message of a user, without what tells where it was sent from.
    fn message(&mut self, author: Value) -> Value {
        let long = self.chance(8);
        let content = if long { self.sentence(80, 260) } else { self.sentence(1, 40) };
        let id = self.fresh();
        json!({
            "id": id,
            "type": 0,
            "channel_id": self.channel(),
            "author": author,
            "content": content,
            "timestamp": self.now(),
            "edited_timestamp": null,
            "tts": false,
            "mention_everyone": false,
            "mentions": [],
            "mention_roles": [],
            "mention_channels": [],
            "attachments": self.some(18, Self::attachment),
            "embeds": self.some(22, Self::embed),
            "components": self.some(6, Self::buttons),
            "pinned": false,
            "flags": 0,
            "nonce": self.fresh(),
        })
    }

    /// One or two with this chance in percent, usually none.
    fn some(&mut self, percent: u32, make: impl Fn(&mut Self) -> Value) -> Vec<Value> {
        if !self.chance(percent) {
            return Vec::new();
        }
        (0..self.between(1, 2)).map(|_| make(self)).collect()
    }

    /// A message in the guild, often a reply or with mentions.
    fn guild_message(&mut self) -> Value {
        let someone = self.someone();
        let author = self.world.user(self.guild, someone);
        let member = self.world.partial_member(self.guild, someone);
        let more = json!({"guild_id": self.guild(), "member": member});
        let mut message = with(self.message(author), more);
        if self.chance(25) {
            let mention = self.mention();
            message = with(message, json!({"mentions": [mention], "mention_roles": [self.role()]}));
        }
        match self.below(100) {
            0..15 => with(message, self.reply()),
            15..18 => with(message, self.sticker()),
            18..20 => with(message, self.poll()),
            _ => message,
        }
    }

    fn direct_message(&mut self) -> Value {
        let author = self.user();
        let channel = self.earlier();
        with(self.message(author), json!({"channel_id": channel, "channel_type": 1}))
    }

    fn mention(&mut self) -> Value {
        // The bot hears its own name now and then.
        let someone = if self.chance(10) { 0 } else { self.someone() };
        let member = self.world.partial_member(self.guild, someone);
        with(self.world.user(self.guild, someone), json!({"member": member}))
    }

    fn reply(&mut self) -> Value {
        let author = self.user();
        let original = self.message(author);
        let (id, channel) = (original.get("id").cloned(), original.get("channel_id").cloned());
        json!({
            "type": 19,
            "channel_id": channel,
            "message_reference": {"type": 0, "message_id": id, "channel_id": channel, "guild_id": self.guild()},
            "referenced_message": original,
        })
    }

    fn sticker(&mut self) -> Value {
        json!({"sticker_items": [{"id": self.earlier(), "name": "wave", "format_type": 1}]})
    }

    fn poll(&mut self) -> Value {
        let answer = |id: u32, text: String| json!({"answer_id": id, "poll_media": {"text": text}});
        json!({
            "poll": {
                "question": {"text": self.sentence(4, 9)},
                "answers": [answer(1, self.sentence(1, 3)), answer(2, self.sentence(1, 3))],
                "expiry": self.in_millis(86_400_000),
                "allow_multiselect": false,
                "layout_type": 1,
                "results": {"is_finalized": false, "answer_counts": []},
            },
        })
    }

    fn attachment(&mut self) -> Value {
        let (id, channel) = (self.earlier(), self.channel());
        let name = self.pick(&["screenshot.png", "clip.mp4", "log.txt", "IMG_2041.jpg"]);
        let kind =
            if name.ends_with("png") || name.ends_with("jpg") { "image/png" } else { "application/octet-stream" };
        let path = format!("attachments/{channel}/{id}/{name}?ex=66d1a5c4&is=66d05444&hm={}&", self.hash());
        json!({
            "id": id,
            "filename": name,
            "title": null,
            "description": null,
            "size": self.between(900, 8_000_000),
            "url": format!("https://cdn.discordapp.com/{path}"),
            "proxy_url": format!("https://media.discordapp.net/{path}"),
            "content_type": kind,
            "content_scan_version": 1,
            "width": 1920,
            "height": 1080,
            "placeholder": "3/cRDYJnd4iAd3eHd3h3d4eIiHh4",
            "placeholder_version": 1,
            "flags": 0,
        })
    }

    fn embed(&mut self) -> Value {
        let fields: Vec<_> = (0..self.below(5))
            .map(|_| json!({"name": self.sentence(1, 3), "value": self.sentence(2, 16), "inline": self.chance(50)}))
            .collect();
        let image = format!("https://example.com/{}.png", self.hash());
        json!({
            "type": "rich",
            "title": self.sentence(2, 8),
            "description": self.sentence(8, 60),
            "url": "https://example.com/article",
            "color": self.below(0x100_0000),
            "timestamp": self.now(),
            "content_scan_version": 1,
            "author": {"name": self.sentence(1, 2), "url": "https://example.com", "icon_url": image.clone()},
            "footer": {"text": self.sentence(2, 5)},
            "thumbnail": {
                "url": image, "proxy_url": image, "width": 256, "height": 256, "flags": 0,
            },
            "fields": fields,
        })
    }

    fn buttons(&mut self) -> Value {
        json!({
            "type": 1,
            "id": 1,
            "components": [
                {"type": 2, "id": 2, "style": 1, "label": "Accept", "custom_id": self.hash()},
                {"type": 2, "id": 3, "style": 5, "label": "Read more", "url": "https://example.com"},
            ],
        })
    }

    /// A reference to a message by its ids.
    pub(super) fn message_ids(&mut self) -> Value {
        json!({"guild_id": self.guild(), "channel_id": self.channel(), "message_id": self.earlier()})
    }
}

pub(super) fn create(scene: &mut Scene<'_>) -> Event {
    let data = scene.guild_message();
    scene.event("MESSAGE_CREATE", data)
}

pub(super) fn update(scene: &mut Scene<'_>) -> Event {
    let data = with(scene.guild_message(), json!({"id": scene.earlier(), "edited_timestamp": scene.now()}));
    scene.event("MESSAGE_UPDATE", data)
}

pub(super) fn delete(scene: &mut Scene<'_>) -> Event {
    let data = json!({"id": scene.earlier(), "channel_id": scene.channel(), "guild_id": scene.guild()});
    scene.event("MESSAGE_DELETE", data)
}

pub(super) fn delete_bulk(scene: &mut Scene<'_>) -> Event {
    let ids: Vec<_> = (0..scene.between(2, 100)).map(|_| scene.earlier()).collect();
    let data = json!({"ids": ids, "channel_id": scene.channel(), "guild_id": scene.guild()});
    scene.event("MESSAGE_DELETE_BULK", data)
}

pub(super) fn create_direct(scene: &mut Scene<'_>) -> Event {
    let data = scene.direct_message();
    scene.direct_event("MESSAGE_CREATE", data)
}

pub(super) fn update_direct(scene: &mut Scene<'_>) -> Event {
    let data = with(scene.direct_message(), json!({"edited_timestamp": scene.now()}));
    scene.direct_event("MESSAGE_UPDATE", data)
}

pub(super) fn delete_direct(scene: &mut Scene<'_>) -> Event {
    let data = json!({"id": scene.earlier(), "channel_id": scene.earlier()});
    scene.direct_event("MESSAGE_DELETE", data)
}

fn vote(scene: &mut Scene<'_>) -> Value {
    with(scene.message_ids(), json!({"user_id": scene.user_id(), "answer_id": scene.between(1, 2)}))
}

pub(super) fn vote_add(scene: &mut Scene<'_>) -> Event {
    let data = vote(scene);
    scene.event("MESSAGE_POLL_VOTE_ADD", data)
}

pub(super) fn vote_remove(scene: &mut Scene<'_>) -> Event {
    let data = vote(scene);
    scene.event("MESSAGE_POLL_VOTE_REMOVE", data)
}
