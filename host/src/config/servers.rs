//! The servers that brokers and stores are on, and what is kept of messages that they do not take.

use std::path::PathBuf;

use super::FileReader;
use super::broker::Broker;
use super::ca_file;
use super::choice::{BrokerType, StoreType, Unroutable};
use super::error::{Place, Problem};
use super::scope::Scope;
use super::secret::SecretUrl;
use super::service::ShardStore;
use super::value::{Given, Value};

/// The AMQP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amqp {
    /// Its address, with user and password: `amqp://` or `amqps://`.
    pub url: SecretUrl,
    /// A PEM file with the certificates to trust for `amqps://`; `None` for those of the system. It has been read once, and
    /// had at least one.
    pub ca_file: Option<PathBuf>,
    /// What happens to a message that no queue takes.
    pub unroutable: Unroutable,
}

/// The Redis server or cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Addresses, with user and password; more than one is a cluster. Each is `host:port`, `redis://` or `rediss://`; either all
    /// are `rediss://` or none. Empty only if neither broker nor store is of the type `redis`.
    pub urls: Vec<SecretUrl>,
    /// Connections at a time, at least 1.
    pub pool_size: u32,
    /// A PEM file with the certificates to trust for `rediss://`; `None` for those of the system. It has been read once, and
    /// had at least one.
    pub ca_file: Option<PathBuf>,
}

/// Where messages are kept that a broker never takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterConfig {
    /// The file; `None` for the platform's place.
    pub path: Option<PathBuf>,
}

/// Reads `[amqp]`.
pub(super) fn read_amqp(scope: &mut Scope<'_>, read_file: FileReader<'_>) -> Amqp {
    let url = scope.secret("amqp.url", AMQP_ACCEPTED).unwrap_or_else(|| "amqp://localhost".to_owned());
    if let Some(given) = scope.given("amqp.url").filter(|_| !has_scheme(&url, &["amqp", "amqps"])) {
        scope.error(given.secret_problem("amqp.url", "is no AMQP address", AMQP_ACCEPTED));
    }
    Amqp {
        ca_file: ca_file::read(scope, "amqp.ca_file", has_scheme(&url, &["amqps"]), read_file),
        url: SecretUrl::new(url),
        unroutable: scope.choice("amqp.unroutable").unwrap_or_default(),
    }
}

/// Reads `[redis]`.
pub(super) fn read_redis(scope: &mut Scope<'_>, read_file: FileReader<'_>) -> Redis {
    let urls = given_urls(scope).map_or_else(Vec::new, |given| read_urls(scope, &given));
    let pool_size = scope.integer("redis.pool_size", 0..=1000, ", 0 for the default");
    Redis {
        ca_file: ca_file::read(scope, "redis.ca_file", urls.iter().any(is_secure), read_file),
        urls,
        pool_size: pool_size.filter(|size| *size != 0).unwrap_or(5),
    }
}

/// Reads `[dead_letters]`.
pub(super) fn read_dead_letters(scope: &mut Scope<'_>) -> DeadLetterConfig {
    DeadLetterConfig { path: scope.text("dead_letters.path", "the path of a file").map(PathBuf::from) }
}

/// Reports broker and store if they need Redis and no address is given. Such an address has no default: a server that
/// happens to listen on this machine may be anybody's.
pub(super) fn require_redis(scope: &mut Scope<'_>, broker: &Broker, store: &ShardStore) {
    let addresses = scope.given("redis.urls").or_else(|| scope.given("redis.url"));
    if addresses.is_some_and(|given| !matches!(given.value, Value::List(entries) if entries.is_empty())) {
        return;
    }
    let used =
        [("broker.type", broker.kind == BrokerType::Redis), ("shard_store.type", store.kind == StoreType::Redis)];
    for (key, _) in used.into_iter().filter(|(_, used)| *used) {
        if let Some(given) = scope.given(key) {
            let accepted = format!("redis.urls or the environment variable REDIS_URL with {REDIS_ACCEPTED}");
            scope.refuse(key, &given, "needs the address of a Redis server", &accepted);
        }
    }
}

/// The addresses of Redis from whichever of the two keys has them.
fn given_urls(scope: &mut Scope<'_>) -> Option<Given> {
    match (scope.given("redis.urls"), scope.given("redis.url")) {
        (Some(list), Some(single)) if !matches!(list.place, Place::Variable(_)) => {
            scope.error(Problem::at(&single.place, "redis.url and redis.urls are both given; remove redis.url"));
            Some(list)
        }
        (list, single) => list.or(single),
    }
}

fn read_urls(scope: &mut Scope<'_>, given: &Given) -> Vec<SecretUrl> {
    let entries = match &given.value {
        Value::List(entries) => entries.as_slice(),
        _ => std::slice::from_ref(given),
    };
    let mut urls = Vec::new();
    for entry in entries {
        match &entry.value {
            Value::Text(url) if !url.contains("://") || has_scheme(url, &["redis", "rediss"]) => {
                urls.push(SecretUrl::new(url.trim()));
            }
            _ => scope.error(entry.secret_problem("redis.urls", "has what is no Redis address", REDIS_ACCEPTED)),
        }
    }
    if urls.iter().any(is_secure) && !urls.iter().all(is_secure) {
        let fault = "has addresses with TLS beside addresses without";
        scope.error(given.secret_problem("redis.urls", fault, "rediss:// for all of them, or for none"));
    }
    urls
}

fn is_secure(url: &SecretUrl) -> bool {
    has_scheme(url.expose(), &["rediss"])
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    url.split_once("://").is_some_and(|(scheme, rest)| !rest.is_empty() && schemes.contains(&scheme))
}

const AMQP_ACCEPTED: &str = "amqp://[user:password@]host[:port][/virtual host], or amqps:// for TLS";
const REDIS_ACCEPTED: &str = "host:port, or redis://[user:password@]host[:port][/database], or rediss:// for TLS";
