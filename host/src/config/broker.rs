//! Where events go, and how they are written.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::choice::{BrokerType, Choice, Encoding};
use super::component_config::{self, ComponentConfig};
use super::error::{Place, Problem};
use super::nearest::did_you_mean;
use super::scope::Scope;
use super::secret::SecretUrl;
use super::value::{Given, Value};

/// The broker and its adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Broker {
    /// The kind of broker.
    pub kind: BrokerType,
    /// The adapter: the name of a bundled component, or the path of a file.
    pub component: String,
    /// What a custom adapter is configured with.
    pub config: ComponentConfig,
    /// The name that consumers know this gateway by: exchange, prefix of queues, consumer group.
    pub group: String,
    /// How payloads are written.
    pub encoding: Encoding,
    /// How long an event may wait for its consumer: whole milliseconds, at least one.
    pub message_timeout: Duration,
}

impl Broker {
    /// What the adapter gets when it is opened: this table without anything secret.
    #[must_use]
    pub fn component_config(&self) -> Json {
        json!({
            "type": self.kind.name(),
            "group": self.group,
            "encoding": self.encoding.name(),
            "message_timeout_ms": u64::try_from(self.message_timeout.as_millis()).unwrap_or(u64::MAX),
            "config": self.config.expose(),
        })
    }
}

/// The AMQP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amqp {
    /// Its address, with user and password.
    pub url: SecretUrl,
}

/// The Redis server or cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Addresses, with user and password; more than one is a cluster. Empty if none is configured.
    pub urls: Vec<SecretUrl>,
    /// Connections at a time.
    pub pool_size: u32,
}

/// Reads `[broker]`.
pub(super) fn read(scope: &mut Scope<'_>) -> Broker {
    let kind = read_type(scope);
    let group = scope.text("broker.group", "a name").unwrap_or_else(|| "gateway".to_owned());
    let component = scope.text("broker.component", "the name of a bundled component, or the path of a file");
    let encoding = scope.choice("broker.encoding");
    Broker {
        kind,
        component: component.unwrap_or_else(|| format!("broker-{}", kind.name())),
        config: component_config::read(scope, "broker.config"),
        group,
        encoding: encoding.unwrap_or(if kind == BrokerType::Redis { Encoding::Msgpack } else { Encoding::Json }),
        message_timeout: read_message_timeout(scope).unwrap_or(DEFAULT_MESSAGE_TIMEOUT),
    }
}

fn read_type(scope: &mut Scope<'_>) -> BrokerType {
    let Some(given) = scope.given("broker.type") else { return BrokerType::Stdio };
    let Some(name) = scope.text("broker.type", "stdio, amqp, redis") else { return BrokerType::Stdio };
    let Some(kind) = BrokerType::parse(&name) else {
        let hint = did_you_mean(&name, BrokerType::names());
        let known = BrokerType::names().collect::<Vec<_>>().join(", ");
        scope.warn(
            &given,
            format!("broker.type = {name:?} IS NOT KNOWN, so events go to STDOUT and commands come from STDIN; known: {known}{hint}"),
        );
        return BrokerType::Stdio;
    };
    if !AVAILABLE.contains(&kind) {
        let accepted = AVAILABLE.map(Choice::name).join(", ");
        scope.refuse("broker.type", &given, "is known, but this version has no adapter for it", &accepted);
    }
    kind
}

/// The brokers that this version has an adapter for.
const AVAILABLE: [BrokerType; 1] = [BrokerType::Stdio];

/// 0 means the default, as it always has.
fn read_message_timeout(scope: &mut Scope<'_>) -> Option<Duration> {
    let key = "broker.message_timeout";
    let timeout = scope.duration(key, Duration::ZERO..=LONGEST_MESSAGE_TIMEOUT).filter(|timeout| !timeout.is_zero())?;
    if timeout < Duration::from_millis(1) {
        let given = scope.given(key)?;
        scope.refuse(key, &given, "is less than a millisecond", "0 for the default (2m), or at least 1ms");
        return None;
    }
    u64::try_from(timeout.as_millis()).ok().map(Duration::from_millis)
}

/// Reads `[amqp]`.
pub(super) fn read_amqp(scope: &mut Scope<'_>) -> Amqp {
    let url = scope.secret("amqp.url", AMQP_ACCEPTED).unwrap_or_else(|| "amqp://localhost".to_owned());
    if let Some(given) = scope.given("amqp.url").filter(|_| !has_scheme(&url, &["amqp", "amqps"])) {
        scope.error(given.secret_problem("amqp.url", "is no AMQP address", AMQP_ACCEPTED));
    }
    Amqp { url: SecretUrl::new(url) }
}

/// Reads `[redis]`.
pub(super) fn read_redis(scope: &mut Scope<'_>) -> Redis {
    let (list, single) = (scope.given("redis.urls"), scope.given("redis.url"));
    let given = match (list, single) {
        (Some(list), Some(single)) if !matches!(list.place, Place::Variable(_)) => {
            scope.error(Problem::at(&single.place, "redis.url and redis.urls are both given; remove redis.url"));
            Some(list)
        }
        (list, single) => list.or(single),
    };
    let pool_size = scope.integer("redis.pool_size", 0..=1000, ", 0 for the default");
    Redis {
        urls: given.map_or_else(Vec::new, |given| read_urls(scope, &given)),
        pool_size: pool_size.filter(|size| *size != 0).unwrap_or(5),
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
    urls
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    url.split_once("://").is_some_and(|(scheme, rest)| !rest.is_empty() && schemes.contains(&scheme))
}

const DEFAULT_MESSAGE_TIMEOUT: Duration = Duration::from_secs(120);
/// RabbitMQ takes no longer expiry than 32 bits of milliseconds.
const LONGEST_MESSAGE_TIMEOUT: Duration = Duration::from_millis(u32::MAX as u64);
const AMQP_ACCEPTED: &str = "amqp://[user:password@]host[:port][/virtual host], or amqps:// for TLS";
const REDIS_ACCEPTED: &str = "host:port, or redis://[user:password@]host[:port][/database], or rediss:// for TLS";
