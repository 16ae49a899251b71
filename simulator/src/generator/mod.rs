//! The world behind the simulator: one bot, its guilds and what happens in them, all derived from a seed.
//!
//! Nothing is stored but the guilds' ids. Every channel, role, member and emoji follows from the seed, its guild and its
//! number, so that each shard of each run sees the same world. Payloads carry every field that Discord documents, so
//! that clients with strict models decode them.

mod channel;
mod guild;
mod interaction;
mod message;
mod moderation;
mod money;
mod passing;
mod reaction;
mod ready;
mod schedule;
mod text;
mod thread;
mod time;
mod user;
mod voice;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::options::{GuildShape, Options};
use passing::Passing;
use time::{EPOCH, NOW, snowflake};

/// The bot's account and its guilds.
pub(crate) struct World {
    seed: u64,
    bot: u64,
    guilds: Vec<u64>,
    shape: GuildShape,
    unavailable: f64,
}

/// Something that happened in the world.
pub(crate) struct Event {
    pub(crate) name: &'static str,
    /// Where; `None` for what concerns no guild.
    pub(crate) guild: Option<u64>,
    pub(crate) data: Value,
}

/// Where the events of one shard come from: its own dice and its own clock.
pub(crate) struct Source {
    random: Rng,
    /// Milliseconds since the Unix epoch. It runs with the events, not with the wall clock.
    clock: u64,
    /// The shard, so that two shards never make the same id.
    shard: u32,
    serial: u64,
    passing: Passing,
}

/// One event in the making.
pub(crate) struct Scene<'a> {
    world: &'a World,
    source: &'a mut Source,
    guild: u64,
}

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        let count = u64::from(options.recommended_shards.max(1));
        let mut random = Rng::with_seed(options.seed);
        let bot = snowflake(EPOCH + 200_000_000_000 + random.u64(..10_000_000_000), random.u64(..1 << 22));
        let mut round = (EPOCH + 30_000_000_000) / count;
        let mut guilds = Vec::new();
        for _ in 0..options.guilds_per_shard {
            // Each round has one guild for each shard of the recommended count.
            round += random.u64(1..150_000_000 / count + 2);
            guilds.extend((0..count).map(|shard| snowflake(aligned(round, count, shard), random.u64(..1 << 22))));
        }
        let unavailable = options.knobs.unavailable_guilds;
        Self { seed: options.seed, bot, guilds, shape: options.guild, unavailable }
    }

    /// The bot's user id, which is its application id too.
    pub(crate) fn bot(&self) -> u64 {
        self.bot
    }

    pub(crate) fn has_guild(&self, guild: u64) -> bool {
        self.guilds.contains(&guild)
    }

    /// The guilds of a shard: `(guild_id >> 22) % count`.
    pub(crate) fn guilds_of(&self, shard: u32, count: u32) -> Vec<u64> {
        let (shard, count) = (u64::from(shard), u64::from(count.max(1)));
        self.guilds.iter().copied().filter(|guild| (guild >> 22) % count == shard).collect()
    }

    /// Whether a guild stays in an outage.
    pub(crate) fn is_unavailable(&self, guild: u64) -> bool {
        self.derive(guild, Kind::Outage, 0).f64() < self.unavailable
    }

    pub(crate) fn source(&self, shard: u32) -> Source {
        let random = self.derive(u64::from(shard), Kind::Source, 0);
        Source { random, clock: NOW, shard, serial: 0, passing: Passing::default() }
    }

    /// The next event of a shard with these guilds.
    pub(crate) fn next_event(&self, source: &mut Source, guilds: &[u64], shard: u32) -> Event {
        source.clock += source.random.u64(1..40);
        let Some(guild) = source.random.choice(guilds).copied() else { return self.direct(source) };
        // Direct messages and payments come to shard 0 alone.
        if shard == 0 && source.random.u32(..100) < 3 {
            return self.direct(source);
        }
        let mut scene = Scene { world: self, source, guild };
        let total: u32 = MIX.iter().map(|(weight, _)| weight).sum();
        let mut drawn = scene.source.random.u32(..total);
        for (weight, make) in MIX {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return make(&mut scene),
            }
        }
        message::create(&mut scene)
    }

    /// One event of every kind, for a shard with these guilds.
    #[cfg(test)]
    pub(crate) fn one_of_each(&self, source: &mut Source, guild: u64) -> Vec<Event> {
        let guilds = MIX.iter().map(|(_, make)| make(&mut Scene { world: self, source, guild })).collect::<Vec<_>>();
        let mut direct = Vec::new();
        for make in DIRECT {
            direct.push(make(&mut Scene { world: self, source, guild: 0 }));
        }
        guilds.into_iter().chain(direct).collect()
    }

    fn direct(&self, source: &mut Source) -> Event {
        let make = source.random.choice(DIRECT).copied().unwrap_or(message::create_direct);
        make(&mut Scene { world: self, source, guild: 0 })
    }

    /// The dice of one thing in one guild: the same every time.
    fn derive(&self, guild: u64, kind: Kind, index: u64) -> Rng {
        let mixed =
            self.seed ^ guild.rotate_left(17) ^ ((kind as u64) << 56) ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = Rng::with_seed(mixed);
        random.u64(..);
        random
    }

    /// The id of one thing in one guild, made soon after the guild.
    fn id_in(&self, guild: u64, kind: Kind, index: u64) -> u64 {
        let made = (guild >> 22) + EPOCH + 1_000 + index * 61_000 + (kind as u64) * 7;
        snowflake(made, self.derive(guild, kind, index).u64(..1 << 22))
    }
}

impl Scene<'_> {
    fn event(&self, name: &'static str, data: Value) -> Event {
        Event { name, guild: Some(self.guild), data }
    }

    /// An event outside of any guild.
    fn direct_event(&self, name: &'static str, data: Value) -> Event {
        Event { name, guild: None, data }
    }

    /// An id that no one had before, made now.
    fn fresh_id(&mut self) -> u64 {
        let source = &mut *self.source;
        source.serial += 1;
        // Worker and process of a real snowflake name its maker, here the shard, so that no two are the same.
        snowflake(source.clock, (u64::from(source.shard) & 0x3ff) << 12 | source.serial & 0xfff)
    }

    fn fresh(&mut self) -> String {
        self.fresh_id().to_string()
    }

    /// The id of something that was made some time ago.
    fn earlier(&mut self) -> String {
        let age = self.source.random.u64(1_000..3_600_000);
        snowflake(self.source.clock - age, self.source.random.u64(..1 << 22)).to_string()
    }

    fn now(&self) -> String {
        time::iso(self.source.clock)
    }

    /// A time this many milliseconds from now.
    fn in_millis(&self, millis: u64) -> String {
        time::iso(self.source.clock + millis)
    }

    fn guild(&self) -> String {
        self.guild.to_string()
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.source.random.u32(..100) < percent
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.source.random.u32(..bound.max(1))
    }

    fn between(&mut self, least: u32, most: u32) -> u32 {
        self.source.random.u32(least..=most.max(least))
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        self.source.random.choice(choices).copied().unwrap_or_default()
    }

    /// A text channel of the guild.
    fn channel(&mut self) -> String {
        let index = self.source.random.u64(..);
        self.world.text_channel(self.guild, index).to_string()
    }

    /// A voice channel of the guild.
    fn voice_channel(&mut self) -> String {
        let index = self.source.random.u64(..);
        self.world.voice_channel(self.guild, index).to_string()
    }

    /// The number of a member who isn't the bot.
    fn someone(&mut self) -> u32 {
        self.between(1, self.world.member_count().saturating_sub(1))
    }

    fn user(&mut self) -> Value {
        let someone = self.someone();
        self.world.user(self.guild, someone)
    }

    fn user_id(&mut self) -> String {
        let someone = self.someone();
        self.world.member_id(self.guild, someone).to_string()
    }

    fn role(&mut self) -> String {
        let index = self.source.random.u64(..);
        self.world.role_id(self.guild, 1 + index % u64::from(self.world.shape.roles.max(2) - 1)).to_string()
    }

    fn hash(&mut self) -> String {
        text::hash(&mut self.source.random)
    }

    fn sentence(&mut self, least: u32, most: u32) -> String {
        let words = self.between(least, most);
        text::sentence(&mut self.source.random, words)
    }
}

/// What an id or a payload is derived for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Channel = 1,
    Emoji,
    Event,
    Guild,
    Member,
    Outage,
    Role,
    Sound,
    Source,
    Stage,
    Sticker,
    Thread,
    User,
    Voice,
}

/// The first instant from `round * count` on that belongs to `shard`.
fn aligned(round: u64, count: u64, shard: u64) -> u64 {
    // Shards count from Discord's epoch: what `id >> 22` holds.
    let since = round * count - EPOCH;
    EPOCH + since - since % count + count + shard
}

/// Merges the fields of `more` into an object.
fn with(mut object: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (object.as_object_mut(), more) {
        fields.extend(more);
    }
    object
}

/// Payload of RESUMED.
fn resumed() -> Value {
    json!({"_trace": ["[\"gateway-simulator\",{\"micros\":0.0}]"]})
}

type Make = fn(&mut Scene<'_>) -> Event;

/// What happens in guilds, and how often.
const MIX: &[(u32, Make)] = &[
    (300, message::create),
    (60, message::update),
    (25, message::delete),
    (3, message::delete_bulk),
    (90, reaction::add),
    (25, reaction::remove),
    (3, reaction::remove_all),
    (2, reaction::remove_emoji),
    (110, user::typing),
    (150, user::presence_update),
    (60, voice::state_update),
    (6, voice::effect),
    (4, voice::status),
    (3, voice::start_time),
    (35, interaction::create),
    (15, user::member_add),
    (25, user::member_update),
    (12, user::member_remove),
    (4, channel::create),
    (6, channel::update),
    (3, channel::delete),
    (3, channel::pins),
    (2, channel::webhooks),
    (8, thread::create),
    (5, thread::update),
    (3, thread::delete),
    (2, thread::list_sync),
    (3, thread::member),
    (5, thread::members),
    (3, guild::role_create),
    (4, guild::role_update),
    (2, guild::role_delete),
    (2, guild::update),
    (2, guild::emojis),
    (1, guild::stickers),
    (1, guild::sound_create),
    (1, guild::sound_update),
    (1, guild::sound_delete),
    (1, guild::sounds),
    (1, guild::integrations),
    (1, guild::integration_create),
    (1, guild::integration_update),
    (1, guild::integration_delete),
    (3, moderation::ban_add),
    (2, moderation::ban_remove),
    (8, moderation::audit_log),
    (1, moderation::rule_create),
    (1, moderation::rule_update),
    (1, moderation::rule_delete),
    (3, moderation::action),
    (3, moderation::invite_create),
    (2, moderation::invite_delete),
    (1, moderation::command_permissions),
    (2, schedule::event_create),
    (2, schedule::event_update),
    (1, schedule::event_delete),
    (2, schedule::user_add),
    (1, schedule::user_remove),
    (1, schedule::stage_create),
    (1, schedule::stage_update),
    (1, schedule::stage_delete),
    (4, message::vote_add),
    (2, message::vote_remove),
];

/// What happens outside of guilds.
const DIRECT: &[Make] = &[
    message::create_direct,
    message::update_direct,
    message::delete_direct,
    reaction::add_direct,
    user::typing_direct,
    interaction::create_direct,
    money::entitlement_create,
    money::entitlement_update,
    money::entitlement_delete,
    money::subscription_create,
    money::subscription_update,
    money::subscription_delete,
];

#[cfg(test)]
mod tests;
