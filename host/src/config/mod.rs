//! Configuration: the file, under the environment, under the flags, to one validated [`Config`].
//!
//! Keys and variables are those of the original Spectacles Gateway and new ones beside them; docs/configuration.md
//! lists all. Everything that is wrong is reported at once, each with its place and what is accepted.

mod broker;
mod ca_file;
mod choice;
mod component_config;
mod components;
mod discord;
mod duration;
mod effective;
mod environment;
mod error;
mod file;
mod intents;
mod nearest;
mod overlay;
mod presence;
mod reserve;
mod schema;
mod scope;
mod secret;
mod servers;
mod service;
mod shards;
mod size;
mod token;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use broker::{Broker, CommandPolicy};
pub use choice::{
    BrokerType, Choice, Compression, Encoding, LogFormat, LogLevel, OnError, Scheme, StoreType, Unroutable,
};
pub use component_config::ComponentConfig;
pub use components::{Components, FilterConfig};
pub use discord::{Api, Events};
pub use environment::{Environment, ProcessEnvironment};
pub use error::{ConfigErrors, Place, Problem, Warning};
pub use intents::Intents;
pub use presence::Presence;
pub use secret::{Secret, SecretUrl};
pub use servers::{Amqp, DeadLetterConfig, Redis};
pub use service::{Buffer, Limits, ListenAddress, Log, Prometheus, ShardStore};
pub use shards::Shards;

pub(crate) use duration::{format as format_duration, parse_duration};
pub(crate) use nearest::did_you_mean;

use gateway_protocol::Reserve;

use error::Report;
use file::Values;
use scope::Scope;

/// The whole configuration. `Debug` shows no secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The bot's token, without `Bot `.
    pub token: Secret,
    /// The events to publish.
    pub events: Events,
    /// Whether the broker is told of events that are lost.
    pub tells_gaps: bool,
    /// The intents of IDENTIFY.
    pub intents: Intents,
    /// The presence of IDENTIFY; `None` leaves it out.
    pub presence: Option<Presence>,
    /// The compression of the connection to Discord.
    pub compression: Compression,
    /// The members from which a guild counts as large, 50 to 250; `None` leaves it to Discord.
    pub large_threshold: Option<u8>,
    /// Discord's addresses and versions.
    pub api: Api,
    /// The shards to run.
    pub shards: Shards,
    /// How long a shard that should hear events may hear none before it is suspected to be deaf; `None` for ever.
    pub silence: Option<Duration>,
    /// Where events go.
    pub broker: Broker,
    /// The AMQP server.
    pub amqp: Amqp,
    /// The Redis server.
    pub redis: Redis,
    /// Where messages are kept that the broker never takes.
    pub dead_letters: DeadLetterConfig,
    /// Where sessions are kept.
    pub shard_store: ShardStore,
    /// The session starts of a day that are not spent.
    pub identify_reserve: Reserve,
    /// Metrics and health; `None` for no listener.
    pub prometheus: Option<Prometheus>,
    /// The filters of the file; see [`Config::effective_chain`] for all that run.
    pub filters: Vec<FilterConfig>,
    /// What components may use.
    pub components: Components,
    /// The number of lanes; `None` for one per processor core.
    pub lanes: Option<NonZeroUsize>,
    /// The memory for events on their way.
    pub buffer: Buffer,
    /// Bounds on what Discord sends.
    pub limits: Limits,
    /// How long the end of the gateway may take.
    pub shutdown_grace: Duration,
    /// The log.
    pub log: Log,
    origins: Origins,
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// The file; without it, `gateway.toml` in the working directory if it is there.
    pub config: Option<PathBuf>,
    /// The log level.
    pub log_level: Option<LogLevel>,
    /// Whether the reserve of session starts may be spent.
    pub spend_reserve: bool,
}

/// A valid configuration, and what is doubtful in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// For the log, before anything else.
    pub warnings: Vec<Warning>,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
}

/// Reads a text file.
pub type FileReader<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Where the values come from that are not defaults, by key.
type Origins = BTreeMap<&'static str, Place>;

impl Config {
    /// Reads the configuration of this process.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load_from_process(flags: &Flags) -> Result<Loaded, ConfigErrors> {
        Self::load(flags, &ProcessEnvironment, &read_file)
    }

    /// Reads the configuration: file under environment under flags.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(flags: &Flags, environment: &dyn Environment, files: FileReader<'_>) -> Result<Loaded, ConfigErrors> {
        let mut report = Report::default();
        let Ok((file, mut values)) = read_values(flags, files, &mut report) else {
            let (mut rest, mut values) = (Report::default(), Values::new());
            overlay::overlay(&mut values, environment, &mut rest);
            resolve(flags, values, files, &mut rest);
            rest.retain_environment();
            return Err(report.append(rest).fail());
        };
        overlay::overlay(&mut values, environment, &mut report);
        let config = resolve(flags, values, files, &mut report);
        Ok(Loaded { config, warnings: report.finish()?, file })
    }

    /// All filters in the order in which they run: the bundled one for [`Config::events`], then those of the file.
    #[must_use]
    pub fn effective_chain(&self) -> Vec<FilterConfig> {
        components::effective_chain(&self.events, &self.filters, &self.components)
    }

    /// The whole configuration as TOML, each value with where it comes from, and no secret.
    #[must_use]
    pub fn effective(&self) -> String {
        effective::write(self)
    }
}

/// Reads a file, but no more of it than a configuration may have.
///
/// # Errors
/// If it cannot be read, is too large, or is not UTF-8.
pub fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = std::fs::File::open(path)?.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if length as u64 > LARGEST_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

/// The file's name and values; `Err` if it was reported as unreadable.
fn read_values(flags: &Flags, files: FileReader<'_>, report: &mut Report) -> Result<(Option<PathBuf>, Values), ()> {
    let path = flags.config.as_deref().unwrap_or_else(|| Path::new(DEFAULT_FILE));
    let name: Arc<str> = path.display().to_string().into();
    match files(path) {
        Ok(text) => file::read(&text, &name, report).map(|values| (Some(path.to_owned()), values)),
        Err(error) if flags.config.is_none() && error.kind() == io::ErrorKind::NotFound => Ok((None, Values::new())),
        Err(error) => {
            let place = if flags.config.is_some() { Place::Flag("--config") } else { Place::File(Arc::clone(&name)) };
            report.error(Problem::at(
                &place,
                format!("{name} cannot be read: {error}; give the path of a readable file"),
            ));
            Err(())
        }
    }
}

/// From values to the typed configuration. It is to be used only if nothing was reported.
fn resolve(flags: &Flags, values: Values, files: FileReader<'_>, report: &mut Report) -> Config {
    let given = values.iter().filter(|(_, given)| !given.is_empty());
    let mut origins: Origins = given.map(|(key, given)| (*key, given.place.clone())).collect();
    if flags.log_level.is_some() {
        origins.insert("log.level", Place::Flag("--loglevel"));
    }
    if flags.spend_reserve {
        origins.insert("identify.reserve", Place::Flag("--spend-reserve"));
    }
    let mut scope = Scope::new("", values, report);
    let (events, tells_gaps) = discord::read_events(&mut scope);
    let components = components::read(&mut scope);
    let broker = broker::read(&mut scope);
    let shard_store = service::read_shard_store(&mut scope);
    servers::require_redis(&mut scope, &broker, &shard_store);
    Config {
        token: token::read(&mut scope, files, &mut origins),
        intents: discord::read_intents(&mut scope, &events),
        events,
        tells_gaps,
        presence: presence::read(&mut scope),
        compression: scope.choice("compression").unwrap_or(Compression::ZstdStream),
        large_threshold: scope.integer("large_threshold", 50..=250_u8, ""),
        api: discord::read_api(&mut scope),
        shards: shards::read(&mut scope),
        silence: shards::read_silence(&mut scope),
        broker,
        amqp: servers::read_amqp(&mut scope, files),
        redis: servers::read_redis(&mut scope, files),
        dead_letters: servers::read_dead_letters(&mut scope),
        shard_store,
        identify_reserve: reserve::read(&mut scope, flags.spend_reserve),
        prometheus: service::read_prometheus(&mut scope),
        filters: components::read_filters(&mut scope, &components),
        components,
        lanes: service::read_lanes(&mut scope),
        buffer: service::read_buffer(&mut scope),
        limits: service::read_limits(&mut scope),
        shutdown_grace: service::read_grace(&mut scope),
        log: service::read_log(&mut scope, flags.log_level),
        origins,
    }
}

const DEFAULT_FILE: &str = "gateway.toml";
const LARGEST_FILE: u64 = 1 << 20;
