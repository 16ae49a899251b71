//! How the gateway itself runs: sessions, metrics, memory, log, end.

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use super::choice::{LogFormat, LogLevel, StoreType};
use super::error::Problem;
use super::scope::Scope;
use crate::delivery::Pace;

/// Where sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardStore {
    /// The kind of store.
    pub kind: StoreType,
    /// What stands before every key in Redis.
    pub prefix: String,
    /// The directory of a local store; `None` for the platform's place.
    pub path: Option<PathBuf>,
    /// How much may be unsaved.
    pub pace: Pace,
}

/// The listener for metrics and health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// Where it listens.
    pub address: ListenAddress,
    /// The only path that has the metrics, with its `/`; `None` for every path.
    pub endpoint: Option<String>,
}

/// An address to listen on, as Go writes it: without a host it is every interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    host: String,
    port: u16,
}

impl ListenAddress {
    /// From `host:port` or `:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let valid = bracketed || !host.contains([':', '/', '[', ']', '@', ' ']);
        let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())??;
        valid.then(|| Self { host: host.to_owned(), port })
    }

    /// What to bind, the best first; the next is for when it cannot be had: a machine without IPv6, say.
    #[must_use]
    pub fn candidates(&self) -> Vec<String> {
        if self.host.is_empty() {
            vec![format!("[::]:{}", self.port), format!("0.0.0.0:{}", self.port)]
        } else {
            vec![self.to_string()]
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// How many bytes of events may be on their way to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Of one shard.
    pub per_shard: usize,
    /// Of all shards; at least `per_shard`.
    pub total: usize,
    /// How old an event may be that is not delivered, before the gateway says that it is not ready; `None` for any age.
    pub greatest_age: Option<Duration>,
    /// How long a shard may have no room before it gives its connection up until it has; `None` for ever.
    pub patience: Option<Duration>,
}

/// Bounds on what Discord sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest message, decompressed.
    pub message_size: usize,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// What is logged.
    pub level: LogLevel,
    /// How it is written.
    pub format: LogFormat,
}

/// Reads `[shard_store]`.
pub(super) fn read_shard_store(scope: &mut Scope<'_>) -> ShardStore {
    let kind = scope.choice("shard_store.type").unwrap_or(StoreType::Local);
    let prefix = scope.text("shard_store.prefix", "a text").unwrap_or_default();
    let ambiguous = kind == StoreType::Redis && prefix.ends_with(|last: char| last.is_ascii_digit());
    if let Some(given) = scope.given("shard_store.prefix").filter(|_| ambiguous) {
        let message = format!(
            "shard_store.prefix = {prefix:?} ends with a digit, so its keys may be those of another prefix too (shard 0 of \"p1\" \
             has the keys of shard 10 of \"p\"); unless sessions are kept there already, let it end with another character"
        );
        scope.warn(&given, message);
    }
    let path = scope.text("shard_store.path", "the path of a directory").map(PathBuf::from);
    let interval = scope.duration("shard_store.interval", Duration::from_millis(10)..=Duration::from_secs(60));
    let events = scope.integer("shard_store.events", 1..=1_000_000_u64, "").and_then(NonZeroU64::new);
    let pace =
        Pace { interval: interval.unwrap_or(Pace::DEFAULT.interval), events: events.unwrap_or(Pace::DEFAULT.events) };
    ShardStore { kind, prefix, path, pace }
}

/// Reads `[prometheus]`.
pub(super) fn read_prometheus(scope: &mut Scope<'_>) -> Option<Prometheus> {
    let address = scope.text("prometheus.address", ADDRESS_ACCEPTED);
    let endpoint = scope.text("prometheus.endpoint", ENDPOINT_ACCEPTED);
    if let Some(given) = scope.given("prometheus.endpoint") {
        if endpoint.as_ref().is_some_and(|endpoint| !endpoint.starts_with('/')) {
            scope.refuse("prometheus.endpoint", &given, "does not begin with /", ENDPOINT_ACCEPTED);
        }
        if scope.given("prometheus.address").is_none() {
            scope.warn(&given, "prometheus.endpoint has no effect, because prometheus.address is not given");
        }
    }
    let parsed = ListenAddress::parse(&address?);
    if let Some(given) = scope.given("prometheus.address").filter(|_| parsed.is_none()) {
        scope.refuse("prometheus.address", &given, "is no address to listen on", ADDRESS_ACCEPTED);
    }
    Some(Prometheus { address: parsed?, endpoint })
}

/// Reads `lanes.count`; `None` is one for each processor core.
pub(super) fn read_lanes(scope: &mut Scope<'_>) -> Option<NonZeroUsize> {
    scope.integer("lanes.count", 0..=1024_usize, ", 0 for one per processor core").and_then(NonZeroUsize::new)
}

/// Reads `[buffer]`.
pub(super) fn read_buffer(scope: &mut Scope<'_>) -> Buffer {
    let sizes = 64 << 10..=2047 << 20;
    let per_shard = scope.size("buffer.per_shard", sizes.clone()).unwrap_or(16 << 20);
    let total = scope.size("buffer.total", sizes).unwrap_or(256 << 20);
    if per_shard > total {
        let accepted = "a total of at least buffer.per_shard";
        match scope
            .given("buffer.total")
            .map(|given| ("buffer.total", given))
            .or_else(|| scope.given("buffer.per_shard").map(|given| ("buffer.per_shard", given)))
        {
            Some((key, given)) => scope.refuse(key, &given, "leaves buffer.total below buffer.per_shard", accepted),
            None => {
                scope.error(Problem::missing(format!("buffer.total is below buffer.per_shard; accepted: {accepted}")))
            }
        }
    }
    let age = scope.duration("buffer.greatest_age", Duration::ZERO..=Duration::from_secs(24 * 3600));
    let greatest_age = Some(age.unwrap_or(Duration::from_secs(60))).filter(|age| !age.is_zero());
    let patience = scope.duration("buffer.patience", Duration::ZERO..=Duration::from_secs(24 * 3600));
    let patience = Some(patience.unwrap_or(Duration::from_secs(30))).filter(|patience| !patience.is_zero());
    Buffer { per_shard, total, greatest_age, patience }
}

/// Reads `[limits]`.
pub(super) fn read_limits(scope: &mut Scope<'_>) -> Limits {
    Limits { message_size: scope.size("limits.message_size", 1 << 20..=1 << 30).unwrap_or(128 << 20) }
}

/// Reads `shutdown.grace`.
pub(super) fn read_grace(scope: &mut Scope<'_>) -> Duration {
    let grace = scope.duration("shutdown.grace", Duration::ZERO..=Duration::from_secs(3600));
    grace.unwrap_or(Duration::from_secs(20))
}

/// Reads `[log]`; the flag `--loglevel` is stronger.
pub(super) fn read_log(scope: &mut Scope<'_>, flag: Option<LogLevel>) -> Log {
    let level = scope.choice("log.level").unwrap_or(LogLevel::Info);
    Log { level: flag.unwrap_or(level), format: scope.choice("log.format").unwrap_or(LogFormat::Text) }
}

const ADDRESS_ACCEPTED: &str = "\":8080\" for all interfaces, or \"host:port\" such as \"127.0.0.1:8080\"";
const ENDPOINT_ACCEPTED: &str = "a path such as \"/metrics\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_host_is_every_interface() {
        let address = ListenAddress::parse(":8080").unwrap();
        assert_eq!(address.candidates(), ["[::]:8080", "0.0.0.0:8080"]);
        assert_eq!(address.to_string(), ":8080");
    }

    #[test]
    fn an_address_with_host_is_bound_as_it_is() {
        for text in ["127.0.0.1:0", "localhost:8080", "[::1]:9090"] {
            assert_eq!(ListenAddress::parse(text).unwrap().candidates(), [text]);
        }
    }

    #[test]
    fn other_texts_are_no_address() {
        for text in ["8080", "", ":", ":http", ":65536", ":+80", "::1:80", "http://localhost:80", "a b:80"] {
            assert_eq!(ListenAddress::parse(text), None, "{text}");
        }
    }
}
