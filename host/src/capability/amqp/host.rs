//! The functions of wit/amqp.wit, as the guest calls them.

use gateway_protocol::ShardId;
use lapin::ExchangeKind;
use lapin::types::{AMQPValue, FieldTable, LongString};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, WasmList, WasmStr};

use super::declare::short;
use super::messages::Properties;
use super::topology::{Binding, Consumer, Declaration, Exchange, Queue, Topology};
use crate::capability::body::{GREATEST_CALL, GuestBody, push};
use crate::component::state::InstanceState;

type Store<'a> = StoreContextMut<'a, InstanceState>;

/// `field-value`.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum GuestValue {
    #[component(name = "boolean")]
    Boolean(bool),
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "text")]
    Text(WasmStr),
}

/// `field`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct GuestField {
    name: WasmStr,
    value: GuestValue,
}

/// `exchange`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct GuestExchange {
    name: WasmStr,
    kind: WasmStr,
    durable: bool,
    #[component(name = "auto-delete")]
    auto_delete: bool,
    internal: bool,
    arguments: WasmList<GuestField>,
}

/// `queue`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct GuestQueue {
    name: WasmStr,
    durable: bool,
    exclusive: bool,
    #[component(name = "auto-delete")]
    auto_delete: bool,
    arguments: WasmList<GuestField>,
}

/// `binding`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct GuestBinding {
    queue: WasmStr,
    exchange: WasmStr,
    #[component(name = "routing-key")]
    routing_key: WasmStr,
    arguments: WasmList<GuestField>,
}

/// `consumer`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct GuestConsumer {
    queue: WasmStr,
    prefetch: u16,
    shard: Option<u32>,
}

/// `properties`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct GuestProperties {
    #[component(name = "content-type")]
    content_type: Option<WasmStr>,
    persistent: bool,
    expiration: Option<u32>,
    priority: Option<u8>,
    #[component(name = "message-id")]
    message_id: Option<WasmStr>,
    #[component(name = "correlation-id")]
    correlation_id: Option<WasmStr>,
    #[component(name = "reply-to")]
    reply_to: Option<WasmStr>,
    kind: Option<WasmStr>,
    headers: WasmList<GuestField>,
}

/// Adds the capability to a linker. By hand, so that names and bodies go from the guest's memory straight to where they
/// are kept, and properties that do not change are built once.
///
/// # Errors
/// If the linker has the interface already.
pub fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    let mut amqp = linker.instance("spectacles:gateway/amqp@0.1.0")?;
    amqp.func_wrap("declare-exchange", |mut store: Store<'_>, (exchange,): (GuestExchange,)| {
        let (declaration, size) = read_exchange(&mut store, &exchange)?;
        topology(&mut store, "declare-exchange", size)?.declare(declaration, size);
        Ok(())
    })?;
    amqp.func_wrap("declare-queue", |mut store: Store<'_>, (queue,): (GuestQueue,)| {
        let (declaration, size) = read_queue(&mut store, &queue)?;
        topology(&mut store, "declare-queue", size)?.declare(declaration, size);
        Ok(())
    })?;
    amqp.func_wrap("bind-queue", |mut store: Store<'_>, (binding,): (GuestBinding,)| {
        let (declaration, size) = read_binding(&mut store, &binding)?;
        topology(&mut store, "bind-queue", size)?.declare(declaration, size);
        Ok(())
    })?;
    amqp.func_wrap("consume", |mut store: Store<'_>, (consumer,): (GuestConsumer,)| {
        let queue = given_name(&store, "a consumer's queue", &consumer.queue)?;
        if consumer.prefetch == 0 {
            return Err(wasmtime::Error::msg("the prefetch of a consumer is 1 to 65535, not 0"));
        }
        let consumer = Consumer { queue, prefetch: consumer.prefetch, shard: consumer.shard.map(ShardId) };
        topology(&mut store, "consume", 0)?.consume(consumer);
        Ok(())
    })?;
    type Publish = (u32, WasmStr, WasmStr, GuestBody, GuestProperties);
    amqp.func_wrap("publish", |mut store: Store<'_>, (index, exchange, routing_key, body, properties): Publish| {
        let mut messages = std::mem::take(&mut store.data_mut().capabilities().amqp);
        push(&mut messages.contents, &mut store, index, &body)?;
        let is_last = match messages.last_properties() {
            Some(last) => is_same(&store, last, &properties)?,
            None => false,
        };
        let changed = if is_last { None } else { Some(read_properties(&mut store, &properties)?) };
        let exchange = exchange.to_str(&store)?;
        let routing_key = routing_key.to_str(&store)?;
        let id = properties.message_id.as_ref().map(|id| id.to_str(&store)).transpose()?;
        messages.route(
            checked("an exchange", &exchange)?,
            checked("a routing key", &routing_key)?,
            id.as_deref().map(|id| checked("a message's id", id)).transpose()?,
            changed,
        );
        drop((exchange, routing_key, id));
        if messages.held() > GREATEST_CALL {
            return Err(too_much("publish"));
        }
        store.data_mut().capabilities().amqp = messages;
        Ok(())
    })
}

/// Where declarations gather while `adapter.open` runs.
fn topology<'a>(store: &'a mut Store<'_>, function: &str, size: usize) -> wasmtime::Result<&'a mut Topology> {
    let capabilities = store.data_mut().capabilities();
    if !capabilities.opening {
        return Err(wasmtime::Error::msg(format!("`amqp.{function}` was called outside `adapter.open`")));
    }
    let topology = &mut capabilities.declared.amqp;
    if topology.held().saturating_add(size) > GREATEST_CALL {
        return Err(too_much(function));
    }
    Ok(topology)
}

fn read_exchange(store: &mut Store<'_>, exchange: &GuestExchange) -> wasmtime::Result<(Declaration, usize)> {
    let name = given_name(store, "an exchange", &exchange.name)?;
    let kind = match given_name(store, "an exchange's kind", &exchange.kind)?.as_str() {
        "direct" => ExchangeKind::Direct,
        "fanout" => ExchangeKind::Fanout,
        "topic" => ExchangeKind::Topic,
        "headers" => ExchangeKind::Headers,
        other => ExchangeKind::Custom(other.to_owned()),
    };
    let (arguments, size) = read_table(store, &exchange.arguments)?;
    let size = size + name.len();
    let GuestExchange { durable, auto_delete, internal, .. } = *exchange;
    Ok((Declaration::Exchange(Exchange { name, kind, durable, auto_delete, internal, arguments }), size))
}

fn read_queue(store: &mut Store<'_>, queue: &GuestQueue) -> wasmtime::Result<(Declaration, usize)> {
    let name = given_name(store, "a queue", &queue.name)?;
    let (arguments, size) = read_table(store, &queue.arguments)?;
    let size = size + name.len();
    let GuestQueue { durable, exclusive, auto_delete, .. } = *queue;
    Ok((Declaration::Queue(Queue { name, durable, exclusive, auto_delete, arguments }), size))
}

fn read_binding(store: &mut Store<'_>, binding: &GuestBinding) -> wasmtime::Result<(Declaration, usize)> {
    let queue = given_name(store, "a binding's queue", &binding.queue)?;
    let exchange = given_name(store, "a binding's exchange", &binding.exchange)?;
    let routing_key = name(store, "a routing key", &binding.routing_key)?;
    let (arguments, size) = read_table(store, &binding.arguments)?;
    let size = size + queue.len() + exchange.len() + routing_key.len();
    Ok((Declaration::Binding(Binding { queue, exchange, routing_key, arguments }), size))
}

/// Whether the guest's properties are those that were built before, apart from the message's id. With headers they are built
/// anew.
fn is_same(store: &Store<'_>, last: &Properties, properties: &GuestProperties) -> wasmtime::Result<bool> {
    let sent = &last.sent;
    let texts = [
        (sent.content_type(), &properties.content_type),
        (sent.correlation_id(), &properties.correlation_id),
        (sent.reply_to(), &properties.reply_to),
        (sent.kind(), &properties.kind),
    ];
    let is_plain = sent.headers().is_none() && properties.headers.len() == 0;
    let has_same_numbers = last.expiration == properties.expiration
        && *sent.priority() == properties.priority
        && sent.delivery_mode().is_some() == properties.persistent;
    if !is_plain || !has_same_numbers {
        return Ok(false);
    }
    for (last, given) in texts {
        let is_same = match (last, given) {
            (None, None) => true,
            (Some(last), Some(given)) => *given.to_str(store)? == *last.as_str(),
            _ => false,
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// All properties but the message's id.
fn read_properties(store: &mut Store<'_>, properties: &GuestProperties) -> wasmtime::Result<Properties> {
    let mut sent = lapin::BasicProperties::default();
    let mut size = NUMBERS;
    let mut text = |what: &str, given: &Option<WasmStr>| -> wasmtime::Result<_> {
        let Some(given) = given else { return Ok(None) };
        let given = name(store, what, given)?;
        size += given.len() + 1;
        Ok(Some(short(&given)))
    };
    if let Some(content_type) = text("a content type", &properties.content_type)? {
        sent = sent.with_content_type(content_type);
    }
    if let Some(id) = text("a correlation id", &properties.correlation_id)? {
        sent = sent.with_correlation_id(id);
    }
    if let Some(reply_to) = text("a reply-to", &properties.reply_to)? {
        sent = sent.with_reply_to(reply_to);
    }
    if let Some(kind) = text("a type", &properties.kind)? {
        sent = sent.with_type(kind);
    }
    if properties.persistent {
        sent = sent.with_delivery_mode(PERSISTENT);
    }
    if let Some(expiration) = properties.expiration {
        sent = sent.with_expiration(short(&expiration.to_string()));
    }
    if let Some(priority) = properties.priority {
        sent = sent.with_priority(priority);
    }
    if properties.headers.len() > 0 {
        let (headers, bytes) = read_table(store, &properties.headers)?;
        sent = sent.with_headers(headers);
        size += bytes;
    }
    Ok(Properties { sent, expiration: properties.expiration, size })
}

/// A table, and the bytes that it takes on the wire at most.
fn read_table(store: &mut Store<'_>, fields: &WasmList<GuestField>) -> wasmtime::Result<(FieldTable, usize)> {
    let mut table = FieldTable::default();
    let mut size = 0;
    for index in 0..fields.len() {
        let Some(field) = fields.get(&mut *store, index) else { break };
        let GuestField { name: field_name, value } = field?;
        let field_name = name(&*store, "a field", &field_name)?;
        size += field_name.len() + FIELD;
        let value = match value {
            GuestValue::Boolean(value) => AMQPValue::Boolean(value),
            GuestValue::Integer(value) => AMQPValue::LongLongInt(value),
            GuestValue::Text(text) => {
                let text = text.to_str(&*store)?;
                size += text.len();
                AMQPValue::LongString(LongString::from(&*text))
            }
        };
        if size > GREATEST_CALL {
            return Err(too_much("a table"));
        }
        table.insert(short(&field_name), value);
    }
    Ok((table, size))
}

/// A name that must not be empty.
fn given_name(store: &Store<'_>, what: &str, given: &WasmStr) -> wasmtime::Result<String> {
    let name = name(store, what, given)?;
    if name.is_empty() { Err(wasmtime::Error::msg(format!("the name of {what} is empty"))) } else { Ok(name) }
}

fn name(store: &Store<'_>, what: &str, given: &WasmStr) -> wasmtime::Result<String> {
    checked(what, &given.to_str(store)?).map(str::to_owned)
}

fn checked<'a>(what: &str, name: &'a str) -> wasmtime::Result<&'a str> {
    if name.len() > LONGEST_NAME {
        return Err(wasmtime::Error::msg(format!(
            "{what} has a name of {} bytes; {LONGEST_NAME} are the most that AMQP takes",
            name.len()
        )));
    }
    Ok(name)
}

fn too_much(function: &str) -> wasmtime::Error {
    wasmtime::Error::msg(format!(
        "`amqp.{function}` handed over more than the {} MiB that one call may",
        GREATEST_CALL >> 20
    ))
}

/// AMQP's short strings.
const LONGEST_NAME: usize = 255;
/// AMQP's delivery mode.
const PERSISTENT: u8 = 2;
/// Bytes of flags, expiration, priority, delivery mode and the length of headers.
const NUMBERS: usize = 32;
/// Bytes around a field's name and text, and those of a number.
const FIELD: usize = 16;
