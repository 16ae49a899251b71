//! The functions of `redis`, as the guest calls them.

use std::time::Duration;

use gateway_protocol::ShardId;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, WasmList, WasmStr};

use super::blocked::refusal;
use super::reply::Reply;
use super::{Commands, Consumer, Trim};
use crate::capability::body::{self, GREATEST_CALL, GuestBody};
use crate::component::GuestError;
use crate::component::state::{InstanceState, outside_a_call, past_the_end};

/// `trim` of wit/redis.wit.
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(variant)]
enum GuestTrim {
    #[component(name = "nothing")]
    Nothing,
    #[component(name = "older-than")]
    OlderThan(u64),
    #[component(name = "beyond")]
    Beyond(u64),
}

/// `argument` of wit/redis.wit.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Argument {
    #[component(name = "bytes")]
    Bytes(WasmList<u8>),
    #[component(name = "body")]
    Body(GuestBody),
}

/// `consumer` of wit/redis.wit.
#[derive(ComponentType, Lift)]
#[component(record)]
struct GuestConsumer {
    #[component(name = "key")]
    key: String,
    #[component(name = "group")]
    group: String,
    #[component(name = "start")]
    start: String,
    #[component(name = "field")]
    field: String,
    #[component(name = "claim-after")]
    claim_after: u64,
    #[component(name = "shard")]
    shard: Option<u32>,
}

type Store<'a> = StoreContextMut<'a, InstanceState>;
type Append = (u32, WasmStr, WasmStr, GuestBody, Vec<(String, String)>, GuestTrim);

/// Adds the capability to a linker. By hand, so that bytes go from the guest's memory straight into the command.
///
/// # Errors
/// If the linker has the interface already.
pub fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    let mut redis = linker.instance("spectacles:gateway/redis@0.1.0")?;
    redis.func_wrap("append", |mut store: Store<'_>, arguments: Append| {
        hand_over(&mut store, |commands, store| append(commands, store, &arguments))
    })?;
    redis.func_wrap("publish", |mut store: Store<'_>, (index, channel, body): (u32, WasmStr, GuestBody)| {
        hand_over(&mut store, |commands, store| {
            commands.begin_publish(channel.to_str(&*store)?.as_bytes());
            push(commands, store, index, &body)
        })
    })?;
    redis.func_wrap("command", |mut store: Store<'_>, (index, arguments): (u32, Vec<Argument>)| {
        hand_over(&mut store, |commands, store| command(commands, store, index, &arguments))
    })?;
    redis.func_wrap_async("query", |mut store: Store<'_>, (arguments,): (Vec<Vec<u8>>,)| {
        Box::new(async move {
            check(&arguments.iter().map(|argument| Some(argument.as_slice())).collect::<Vec<_>>())?;
            let client = store.data_mut().capabilities().redis_queries.clone();
            Ok((query(client, &arguments).await,))
        })
    })?;
    redis.func_wrap("consume", |mut store: Store<'_>, (consumer,): (GuestConsumer,)| consume(&mut store, consumer))
}

/// Lends out what has been handed over so far. After a trap the instance is gone, and with it what it handed over.
fn hand_over<'a>(
    store: &mut Store<'a>,
    add: impl FnOnce(&mut Commands, &mut Store<'a>) -> wasmtime::Result<()>,
) -> wasmtime::Result<()> {
    let mut commands = std::mem::take(&mut store.data_mut().capabilities().redis);
    add(&mut commands, store)?;
    if commands.held() > GREATEST_CALL {
        return Err(wasmtime::Error::msg(format!(
            "`publish` handed over more than the {} MiB that one call may",
            GREATEST_CALL >> 20
        )));
    }
    store.data_mut().capabilities().redis = commands;
    Ok(())
}

fn append(commands: &mut Commands, store: &mut Store<'_>, arguments: &Append) -> wasmtime::Result<()> {
    let (index, stream, field, body, more, trim) = arguments;
    let trim = match trim {
        GuestTrim::Nothing => Trim::Nothing,
        GuestTrim::OlderThan(age) => Trim::OlderThan(Duration::from_millis(*age)),
        GuestTrim::Beyond(entries) => Trim::Beyond(*entries),
    };
    let position = position(store, *index)?;
    {
        let (stream, field) = (stream.to_str(&*store)?, field.to_str(&*store)?);
        commands.begin_append(stream.as_bytes(), field.as_bytes(), more.len(), trim);
    }
    body::push(commands.content(), store, *index, body)?;
    for (name, value) in more {
        commands.argument(name.as_bytes());
        commands.argument(value.as_bytes());
    }
    commands.end(position);
    Ok(())
}

fn push(commands: &mut Commands, store: &mut Store<'_>, index: u32, body: &GuestBody) -> wasmtime::Result<()> {
    let position = position(store, index)?;
    body::push(commands.content(), store, index, body)?;
    commands.end(position);
    Ok(())
}

fn command(commands: &mut Commands, store: &mut Store<'_>, index: u32, arguments: &[Argument]) -> wasmtime::Result<()> {
    let position = position(store, index)?;
    let own: Vec<Option<&[u8]>> = arguments
        .iter()
        .map(|argument| match argument {
            Argument::Bytes(bytes) => Some(bytes.as_le_slice(&*store)),
            Argument::Body(_) => None,
        })
        .collect();
    check(&own)?;
    commands.begin(arguments.len());
    for (place, argument) in arguments.iter().enumerate() {
        match argument {
            // Nearly all commands have their key there.
            Argument::Bytes(bytes) if place == 1 => commands.key(bytes.as_le_slice(&*store)),
            Argument::Bytes(bytes) => commands.argument(bytes.as_le_slice(&*store)),
            Argument::Body(body) => body::push(commands.content(), store, index, body)?,
        }
    }
    commands.end(position);
    Ok(())
}

/// Traps if a command must not be sent. An argument that is a body is `None`.
fn check(arguments: &[Option<&[u8]>]) -> wasmtime::Result<()> {
    let Some(Some(name)) = arguments.first() else {
        return Err(wasmtime::Error::msg("a command of `redis` begins with its name, as bytes"));
    };
    let has_block = arguments.iter().flatten().any(|argument| argument.eq_ignore_ascii_case(b"BLOCK"));
    match refusal(name, arguments.get(1).copied().flatten(), has_block) {
        None => Ok(()),
        Some(reason) => {
            let name = String::from_utf8_lossy(name);
            Err(wasmtime::Error::msg(format!("`redis` does not send the command {name:?}: {reason}")))
        }
    }
}

async fn query(client: Option<super::QueryClient>, arguments: &[Vec<u8>]) -> Result<Reply, GuestError> {
    let client = client.ok_or_else(|| GuestError::Unavailable("there is no Redis server here".to_owned()))?;
    match client.query(arguments).await {
        Ok(answer) => Reply::try_from(answer).map_err(|error| GuestError::Other(error.to_string())),
        Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
            Err(GuestError::Unavailable(error.to_string()))
        }
        Err(error) => Err(GuestError::Other(error.to_string())),
    }
}

fn consume(store: &mut Store<'_>, consumer: GuestConsumer) -> wasmtime::Result<()> {
    let capabilities = store.data_mut().capabilities();
    if !capabilities.opening {
        return Err(wasmtime::Error::msg("`redis.consume` was called outside `adapter.open`"));
    }
    if consumer.claim_after < LEAST_CLAIM_AFTER {
        return Err(wasmtime::Error::msg(format!("`claim-after` of a consumer is less than {LEAST_CLAIM_AFTER}")));
    }
    if capabilities.declared.redis.len() >= CONSUMERS {
        return Err(wasmtime::Error::msg(format!("more than {CONSUMERS} consumers were added")));
    }
    capabilities.declared.redis.push(Consumer {
        stream: consumer.key,
        group: consumer.group,
        start: consumer.start,
        field: consumer.field,
        claim_after: Duration::from_millis(consumer.claim_after),
        shard: consumer.shard.map(ShardId),
    });
    Ok(())
}

/// The position in the batch of the event at `index` of the running call.
fn position(store: &Store<'_>, index: u32) -> wasmtime::Result<u32> {
    let call = store.data().call().ok_or_else(outside_a_call)?;
    call.batch.event(index).map(|(position, _)| position).ok_or_else(|| past_the_end(index))
}

const LEAST_CLAIM_AFTER: u64 = 1000;
/// More than a gateway has shards.
const CONSUMERS: usize = 10_000;
