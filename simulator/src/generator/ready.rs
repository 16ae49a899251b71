//! READY, RESUMED, and the bot's account over REST.

use serde_json::{Value, json};

use super::{World, resumed, text, user::BOT_NAME, with};
use crate::session::Identity;

impl World {
    pub(crate) fn ready(&self, session: &str, identity: &Identity, guilds: &[u64], resume_url: Option<&str>) -> Value {
        let guilds: Vec<_> = guilds.iter().map(|guild| json!({"id": guild.to_string(), "unavailable": true})).collect();
        let mut ready = json!({
            "v": 10,
            "user_settings": {},
            "user": self.bot_user(),
            "session_type": "normal",
            "session_id": session,
            "relationships": [],
            "private_channels": [],
            "presences": [],
            "guilds": guilds,
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": ["us-east", "us-central", "us-south", "us-west", "brazil"],
            "auth": {},
            "application": {"id": self.bot().to_string(), "flags": APPLICATION_FLAGS},
            "_trace": ["[\"gateway-simulator\",{\"micros\":103000}]"],
        });
        if identity.sharded {
            ready = with(ready, json!({"shard": [identity.shard, identity.count]}));
        }
        match resume_url {
            Some(url) => with(ready, json!({"resume_gateway_url": url})),
            None => ready,
        }
    }

    pub(crate) fn resumed(&self) -> String {
        resumed().to_string()
    }

    /// The bot as READY and `/users/@me` show it.
    pub(crate) fn bot_user(&self) -> Value {
        let bot = self.user(0, 0);
        with(bot, json!({"verified": true, "mfa_enabled": true, "flags": 0, "email": null, "locale": "en-US"}))
    }

    /// The bot's application.
    pub(crate) fn application(&self) -> Value {
        let mut random = self.derive(0, super::Kind::User, 0);
        json!({
            "id": self.bot().to_string(),
            "name": BOT_NAME,
            "icon": null,
            "description": "A bot of the simulated Discord.",
            "summary": "",
            "type": null,
            "bot": self.bot_user(),
            "bot_public": true,
            "bot_require_code_grant": false,
            "owner": self.user(0, 1),
            "team": null,
            "verify_key": format!("{}{}", text::hash(&mut random), text::hash(&mut random)),
            "flags": APPLICATION_FLAGS,
            "hook": true,
            "is_monetized": false,
            "rpc_origins": [],
            "redirect_uris": [],
            "interactions_endpoint_url": null,
            "role_connections_verification_url": null,
            "tags": [],
            "approximate_guild_count": self.guilds.len(),
            "approximate_user_install_count": 0,
            "integration_types_config": {"0": {}},
        })
    }
}

/// The three privileged intents (limited) and commands.
const APPLICATION_FLAGS: u32 = 1 << 13 | 1 << 15 | 1 << 19 | 1 << 23;
