//! What a simulator does, with the values of the real service as defaults.
//!
//! Values that Discord doesn't document are in [`Knobs`] and [`Limits`]; their defaults are what clients observe.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

/// How a [`Simulator`](crate::Simulator) behaves. The default is a small bot on the real service.
#[derive(Clone)]
pub struct Options {
    /// Where to listen. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Serve `https` and `wss` with a fresh self-signed certificate instead of `http` and `ws`.
    pub tls: bool,
    /// The only token that is accepted, without `Bot `. `None` accepts every token that isn't empty.
    pub token: Option<String>,
    /// Where every generated guild and event comes from: one seed, one world.
    pub seed: u64,
    /// Guilds of the bot for each recommended shard. The world has this many times `recommended_shards`.
    pub guilds_per_shard: u32,
    /// The `shards` of `/gateway/bot`.
    pub recommended_shards: u32,
    /// Identify keys: `shard_id % max_concurrency`.
    pub max_concurrency: u32,
    /// The daily budget of identifies.
    pub session_starts: SessionStarts,
    /// The `heartbeat_interval` of Hello.
    pub hello_interval: Duration,
    /// Dispatches a session keeps for replay.
    pub replay_events: usize,
    /// How long a session outlives its connection.
    pub replay_window: Duration,
    /// Generated traffic of each shard.
    pub event_rate: Rate,
    /// Size of the generated guilds.
    pub guild: GuildShape,
    /// Limits that are enforced.
    pub limits: Limits,
    /// Behaviour that Discord doesn't document.
    pub knobs: Knobs,
    /// How long [`Control::wait_for`](crate::Control::wait_for) waits before it reports what happened instead.
    pub patience: Duration,
    /// Journal entries that are kept; the oldest go first.
    pub journal_entries: usize,
    /// Dispatches that [`Control::sent`](crate::Control::sent) remembers for each shard; the oldest go first.
    pub sent_entries: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: false,
            token: None,
            seed: 0,
            guilds_per_shard: 10,
            recommended_shards: 1,
            max_concurrency: 1,
            session_starts: SessionStarts::default(),
            hello_interval: Duration::from_millis(41_250),
            replay_events: 2048,
            replay_window: Duration::from_secs(180),
            event_rate: Rate::NONE,
            guild: GuildShape::default(),
            limits: Limits::default(),
            knobs: Knobs::default(),
            patience: Duration::from_secs(30),
            journal_entries: 100_000,
            sent_entries: 100_000,
        }
    }
}

/// The `session_start_limit` of `/gateway/bot`, without `max_concurrency`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStarts {
    /// Starts of a full budget.
    pub total: u32,
    /// Starts that are left now.
    pub remaining: u32,
    /// When the budget is full again.
    pub reset_after: Duration,
}

impl Default for SessionStarts {
    fn default() -> Self {
        Self { total: 1000, remaining: 1000, reset_after: DAY }
    }
}

/// Generated events per second for each shard.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// No generated traffic: only what a test injects.
    pub const NONE: Self = Self(0.0);

    /// `events` each second. A negative or infinite rate is none.
    pub fn per_second(events: f64) -> Self {
        if events.is_finite() && events > 0.0 { Self(events) } else { Self::NONE }
    }

    /// Events each second.
    pub fn events_per_second(self) -> f64 {
        self.0
    }
}

/// Size of each generated guild. With [`scaled`](Self::scaled) a GUILD_CREATE reaches megabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuildShape {
    /// Channels, a few of them categories, voice and stage channels.
    pub channels: u32,
    /// Custom emojis.
    pub emojis: u32,
    /// Members, the bot included. GUILD_CREATE carries those that the member-list rules allow.
    pub members: u32,
    /// Roles, `@everyone` included.
    pub roles: u32,
    /// Active threads.
    pub threads: u32,
}

impl GuildShape {
    /// The same guild with everything multiplied by `factor`.
    pub fn scaled(self, factor: u32) -> Self {
        let scale = |count: u32| count.saturating_mul(factor);
        Self {
            channels: scale(self.channels),
            emojis: scale(self.emojis),
            members: scale(self.members),
            roles: scale(self.roles),
            threads: scale(self.threads),
        }
    }
}

impl Default for GuildShape {
    fn default() -> Self {
        Self { channels: 12, emojis: 8, members: 40, roles: 8, threads: 2 }
    }
}

/// Limits that Discord enforces.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Payloads that a connection may send in [`send_window`](Self::send_window); one more closes with 4008.
    pub sends: u32,
    /// Length of the window.
    pub send_window: Duration,
    /// How the window moves.
    pub send_limiter: SendLimiter,
    /// Largest payload from a client, in bytes; a larger one closes with 4002. Measured values reach 15 KiB.
    pub payload_bytes: usize,
    /// Time between two identifies of one key.
    pub identify_interval: Duration,
    /// When the op 9 for a throttled identify follows.
    pub identify_rejection: RangeInclusive<Duration>,
    /// Close with 4003 when no identify or resume came in this time. The real service is patient.
    pub identify_timeout: Option<Duration>,
    /// Time between two requests for the whole member list of one guild.
    pub member_list_interval: Duration,
    /// Presence updates in [`presence_window`](Self::presence_window); more are dropped.
    pub presences: u32,
    /// Window of the presence updates.
    pub presence_window: Duration,
    /// Guilds of one shard; more close with 4011.
    pub guilds_per_shard: u32,
    /// HTTP requests each second; more answer 429.
    pub requests_per_second: u32,
    /// A connection closes when no heartbeat came for this many intervals.
    pub heartbeat_tolerance: f64,
    /// Dispatches that wait for a connection that doesn't read; more close it with 4000.
    pub backlog_events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sends: 120,
            send_window: Duration::from_secs(60),
            send_limiter: SendLimiter::Fixed,
            payload_bytes: 4096,
            identify_interval: Duration::from_secs(5),
            identify_rejection: Duration::from_secs(2)..=Duration::from_secs(5),
            identify_timeout: None,
            member_list_interval: Duration::from_secs(30),
            presences: 5,
            presence_window: Duration::from_secs(20),
            guilds_per_shard: 2500,
            requests_per_second: 50,
            heartbeat_tolerance: 1.5,
            backlog_events: 250_000,
        }
    }
}

/// How the window of the outbound limit moves. Discord doesn't say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendLimiter {
    /// A count that is cleared when the window ends.
    Fixed,
    /// A log of the last window.
    Sliding,
}

/// Behaviour that no document of Discord fixes.
#[derive(Clone, Debug, PartialEq)]
pub struct Knobs {
    /// Close code when heartbeats are missing. Clients report 1000, 4000 and 4009.
    pub heartbeat_close: u16,
    /// Spell the URL of `/gateway` with a trailing slash.
    pub url_trailing_slash: bool,
    /// Whether RESUMED takes a sequence number of its own; otherwise its `s` is null.
    pub resumed_sequence: bool,
    /// The `resume_gateway_url`. By default a second port of the simulator, so that it differs from the base URL.
    pub resume_url: Option<String>,
    /// Close connections that resumed at the base URL after this time.
    pub base_resume_lifetime: Option<Duration>,
    /// Time from op 7 to the close with 1001.
    pub reconnect_grace: Duration,
    /// Answer to a resume whose `seq` is ahead of the session.
    pub sequence_ahead: Refusal,
    /// Answer to a resume with a wrong token.
    pub resume_token: Refusal,
    /// Answer to a query with an unknown `compress` or `encoding`.
    pub unknown_query: UnknownQuery,
    /// Whether a throttled identify costs a session start.
    pub throttled_identify_counts: bool,
    /// What a connection gets when another one resumes its session.
    pub takeover_close: u16,
    /// Shard counts must be multiples of this, as for bots in more than 150 000 guilds.
    pub large_bot: Option<u32>,
    /// Time between two GUILD_CREATE after READY.
    pub guild_pace: Duration,
    /// Part of the guilds that stay unavailable after READY, 0 to 1.
    pub unavailable_guilds: f64,
    /// Privileged intents that the bot has been granted.
    pub privileged_intents: u64,
    /// Intent bits outside of the documented ones that are accepted.
    pub extra_intents: u64,
    /// Size from which a payload is compressed when the client asked for payload compression, in bytes.
    pub payload_compression_from: usize,
    /// How zstd messages are framed.
    pub zstd_framing: ZstdFraming,
    /// How long a connection that fell silent stays open.
    pub half_open: Duration,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            heartbeat_close: 4000,
            url_trailing_slash: false,
            resumed_sequence: true,
            resume_url: None,
            base_resume_lifetime: None,
            reconnect_grace: Duration::from_secs(5),
            sequence_ahead: Refusal::Close(4007),
            resume_token: Refusal::InvalidSession,
            unknown_query: UnknownQuery::Close,
            throttled_identify_counts: true,
            takeover_close: 4000,
            large_bot: None,
            guild_pace: Duration::ZERO,
            unavailable_guilds: 0.0,
            privileged_intents: crate::intents::PRIVILEGED,
            extra_intents: 0,
            payload_compression_from: 4096,
            zstd_framing: ZstdFraming::Continuing,
            half_open: Duration::from_secs(180),
        }
    }
}

/// How a resume is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Op 9 with `false`.
    InvalidSession,
    /// A close with this code.
    Close(u16),
}

/// What an unknown `compress` or `encoding` leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownQuery {
    /// A close with 4002.
    Close,
    /// Uncompressed JSON.
    Ignore,
}

/// How zstd messages are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZstdFraming {
    /// One frame for the whole connection, flushed after each message, never ended: as Discord does.
    Continuing,
    /// Each message is a complete frame of its own, as some proxies send it.
    PerMessage,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
