//! Where events go, and how they are written.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::choice::{BrokerType, Choice, Encoding};
use super::component_config::{self, ComponentConfig};
use super::nearest::did_you_mean;
use super::scope::Scope;

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
    /// Whether each message carries the identity of its event.
    pub message_ids: bool,
    /// Which commands are left out.
    pub commands: CommandPolicy,
}

impl Broker {
    /// What the adapter gets when it is opened: this table without anything secret, and which of the bot's `count` shards this
    /// gateway runs.
    #[must_use]
    pub fn component_config(&self, count: u32, ids: &[u32]) -> Json {
        json!({
            "type": self.kind.name(),
            "group": self.group,
            "encoding": self.encoding.name(),
            "message_timeout_ms": u64::try_from(self.message_timeout.as_millis()).unwrap_or(u64::MAX),
            "message_ids": self.message_ids,
            "shards": { "count": count, "ids": ids },
            "config": self.config.expose(),
        })
    }
}

/// Which commands from the broker are old, and are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandPolicy {
    /// Older commands are left out, where the broker says how old they are; `None` for no limit.
    pub greatest_age: Option<Duration>,
    /// Whether those are left out that the broker has delivered before.
    pub discard_redelivered: bool,
}

/// Reads `[broker]`.
pub(super) fn read(scope: &mut Scope<'_>) -> Broker {
    let kind = read_type(scope);
    let group = read_group(scope).unwrap_or_else(|| "gateway".to_owned());
    let component = scope.text("broker.component", "the name of a bundled component, or the path of a file");
    let encoding = scope.choice("broker.encoding");
    Broker {
        kind,
        component: component.unwrap_or_else(|| format!("broker-{}", kind.name())),
        config: component_config::read(scope, "broker.config"),
        group,
        encoding: encoding.unwrap_or(if kind == BrokerType::Redis { Encoding::Msgpack } else { Encoding::Json }),
        message_timeout: read_message_timeout(scope).unwrap_or(DEFAULT_MESSAGE_TIMEOUT),
        // In AMQP it is a property beside the body. Elsewhere a consumer that expects nothing new could stumble over it.
        message_ids: scope.boolean("broker.message_ids").unwrap_or(kind == BrokerType::Amqp),
        commands: read_command_policy(scope),
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
    kind
}

fn read_group(scope: &mut Scope<'_>) -> Option<String> {
    let accepted = format!("a name of at most {LONGEST_GROUP} bytes without control characters");
    let group = scope.text("broker.group", &accepted)?;
    let fault = match group.len() {
        _ if group.contains(char::is_control) => "has a control character in it".to_owned(),
        length if length > LONGEST_GROUP => format!("has {length} bytes"),
        _ => return Some(group),
    };
    let given = scope.given("broker.group")?;
    scope.refuse("broker.group", &given, &fault, &accepted);
    None
}

fn read_command_policy(scope: &mut Scope<'_>) -> CommandPolicy {
    let age = scope.duration("broker.command_age", Duration::ZERO..=GREATEST_COMMAND_AGE);
    CommandPolicy {
        greatest_age: Some(age.unwrap_or(DEFAULT_COMMAND_AGE)).filter(|age| !age.is_zero()),
        discard_redelivered: scope.boolean("broker.discard_redelivered").unwrap_or(false),
    }
}

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

const DEFAULT_MESSAGE_TIMEOUT: Duration = Duration::from_secs(120);
/// RabbitMQ takes no longer expiry than 32 bits of milliseconds.
const LONGEST_MESSAGE_TIMEOUT: Duration = Duration::from_millis(u32::MAX as u64);
const DEFAULT_COMMAND_AGE: Duration = Duration::from_secs(5 * 60);
const GREATEST_COMMAND_AGE: Duration = Duration::from_secs(365 * 24 * 3600);
/// AMQP's names have at most 255 bytes, and a shard's queue is named `group:4294967295`.
const LONGEST_GROUP: usize = 255 - ":4294967295".len();
