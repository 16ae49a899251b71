//! What the simulated Discord is like, and the bot in it.

use std::time::Duration;

use clap::Args;
use gateway_simulator::{GuildShape, Knobs, Options, SessionStarts, ZstdFraming};

use crate::config::parse_duration;

/// What the simulated Discord knows about the bot, and how it behaves where Discord may change.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "World")]
pub struct World {
    /// Guilds of the bot for each recommended shard
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub guilds: u32,
    /// Multiplies channels, members, roles, emojis and threads of each guild
    #[arg(long, value_name = "FACTOR", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub guild_size: u32,
    /// Guilds that are unavailable, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    pub unavailable_guilds: u8,
    /// Shards that may identify at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_concurrency: u32,
    /// Identifies that are left today, of 1000; one too many revokes the token
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=1000))]
    pub identifies_left: u32,
    /// Time between two heartbeats
    #[arg(long, value_name = "TIME", default_value = "41250ms", value_parser = interval)]
    pub heartbeat_interval: Duration,
    /// How long a session can be resumed after its connection has ended
    #[arg(long, value_name = "TIME", default_value = "3m", value_parser = time)]
    pub replay_window: Duration,
    /// Events that a session keeps for a resume
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub replay_events: u32,
    /// Make each message of zstd-stream a frame of its own, as some proxies do
    #[arg(long)]
    pub zstd_frame_per_message: bool,
}

impl World {
    /// `options` in this world.
    pub(super) fn apply(&self, options: Options) -> Options {
        Options {
            guilds_per_shard: self.guilds,
            guild: GuildShape::default().scaled(self.guild_size),
            max_concurrency: self.max_concurrency,
            session_starts: SessionStarts { remaining: self.identifies_left, ..SessionStarts::default() },
            hello_interval: self.heartbeat_interval,
            replay_window: self.replay_window,
            replay_events: usize::try_from(self.replay_events).unwrap_or(usize::MAX),
            knobs: Knobs {
                unavailable_guilds: f64::from(self.unavailable_guilds) / 100.0,
                zstd_framing: if self.zstd_frame_per_message {
                    ZstdFraming::PerMessage
                } else {
                    ZstdFraming::Continuing
                },
                ..options.knobs
            },
            ..options
        }
    }
}

/// A time of at most a day, as `gateway.toml` has them.
///
/// # Errors
/// Says what is wrong with the text, to stand after it.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if time <= LONGEST { Ok(time) } else { Err("is longer than a day".to_owned()) }
}

/// No client beats faster than once a second.
fn interval(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time >= SHORTEST_INTERVAL { Ok(time) } else { Err("is shorter than 1s".to_owned()) }
}

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
