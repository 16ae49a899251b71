//! The whole gateway, from its start to its end.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use gateway_protocol::{IdentifyHistory, ShardId};
use reqwest::header::HeaderValue;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::broker::{Broker, dead_letters};
use super::commands::{self, CommandRelay};
use super::components::Components;
use super::identifies;
use super::lanes::{Flight, LaneSetup, Lanes};
use super::plan::{Plan, identity};
use super::shards::Shards;
use crate::capability::amqp;
use crate::command::{ReadyShards, Router};
use crate::config::{BrokerType, Choice as _, Config, StoreType};
use crate::connection::RedisAddress;
use crate::delivery::EventSender;
use crate::discord::{GatewayInfo, GatewayUrl, Rest, USER_AGENT, tls_config, tls_without_roots};
use crate::lane::{DeadLetterBox, LaneShard};
use crate::shard::{Dialer, IdentifyQueue, IdentifyRules, ShardParts, Siblings};
use crate::store::{BotKey, CheckpointWriter, LocalStore};
use crate::telemetry::{Health, Metrics};

/// Values from STDIN that may wait for the first lane.
const INCOMING: usize = 16;
/// What becomes of what was received and not delivered.
const COMES_AGAIN: &str = "It comes again when the sessions are resumed, as far as they are kept (shard_store) and something of \
                           them was delivered";
/// How old Discord's address must be to be asked for again.
const ADDRESS_AGE: Duration = Duration::from_secs(30);

/// The standard streams, as far as they are the broker.
pub struct Io {
    /// Where frames go.
    pub output: Box<dyn Write + Send>,
    /// Whether commands are read from STDIN.
    pub reads_input: bool,
}

/// Where the gateway tells about itself.
#[derive(Clone)]
pub struct Telemetry {
    /// Figures.
    pub metrics: Metrics,
    /// How far the shards are.
    pub health: Health,
}

/// A running gateway.
pub struct Gateway {
    shards: Shards,
    lanes: Lanes,
    broker: Broker,
    relay: JoinHandle<()>,
    identifies: JoinHandle<()>,
    fresh_base: JoinHandle<()>,
    checkpoints: Option<CheckpointWriter>,
    grace: Duration,
    stop: CancellationToken,
    health: Health,
}

impl Gateway {
    /// Starts everything, the broker's end first. `None` if `stop` came before it was done.
    ///
    /// # Errors
    /// Says what keeps the gateway from running, and what to do.
    pub async fn start(
        config: &Config,
        io: Io,
        telemetry: &Telemetry,
        stop: CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let rest = Rest::new(&config.api, &config.token)?;
        // Both take a while, and need nothing of one another.
        let preparing = prepare_components(config.clone(), telemetry.metrics.clone());
        let asking = async { Ok(rest.gateway_bot_when_available().await?) };
        let prepared = stop.run_until_cancelled(async { tokio::try_join!(asking, preparing) }).await;
        let Some((info, components)) = prepared.transpose()? else { return Ok(None) };
        let plan = Plan::new(config, &info, &telemetry.metrics)?;
        let opening = stop.run_until_cancelled(plan.open_store(config, &telemetry.metrics)).await;
        let Some(checkpoints) = opening.transpose()? else { return Ok(None) };

        let ready = ReadyShards::default();
        let (incoming, incoming_out) = mpsc::channel(INCOMING);
        let dead_letters = dead_letters(config, telemetry)?;
        let broker = Broker::new(config, io, incoming, &ready, &dead_letters, telemetry)?;
        let sender = checkpoints.as_ref().map(CheckpointWriter::sender);
        let found = |id| checkpoints.as_ref().map(|checkpoints| checkpoints.checkpoint(id)).unwrap_or_default();
        let shards =
            plan.shards.iter().map(|(id, budget)| LaneShard { id: *id, budget: Arc::clone(budget), found: found(*id) });
        if let Some(age) = config.buffer.greatest_age {
            telemetry.health.greatest_age(age);
        }
        let (lanes, commands, declared) = Lanes::start(LaneSetup {
            count: lane_count(config),
            shards: shards.collect(),
            filters: &components.filters,
            adapter: components.adapter.with_config(&plan.adapter_config(config)),
            broker: &broker,
            incoming: incoming_out,
            checkpoint: Arc::new(move |shard, checkpoint| {
                if let Some(sender) = &sender {
                    sender.save(shard, checkpoint);
                }
            }),
            dead_letters: DeadLetterBox { broker: config.broker.kind.name(), letters: dead_letters },
            tells_gaps: config.tells_gaps,
            telemetry,
        })
        .await?;
        telemetry.health.watch("main", tokio::runtime::Handle::current());
        // Commands find their queues, and events their way, before Discord sends the first one.
        let Some(opened) = stop.run_until_cancelled(broker.open(declared)).await else { return Ok(None) };
        opened?;

        let (base, base_out) = watch::channel(info.url.clone());
        let (stale, stale_out) = mpsc::channel(1);
        let fresh_base = tokio::spawn(keep_fresh(rest.clone(), base.clone(), stale_out));
        let rules = identify_rules(config, &plan, &info, checkpoints.is_some()).await?;
        let refresh = move || refreshed(rest.clone(), base.clone());
        let (identifies, serving) = IdentifyQueue::new(rules, refresh, telemetry.metrics.identifies());
        let identifies_task = tokio::spawn(serving);

        let dialer = dialer(config, &info)?;
        let mut shards = Shards::default();
        let mut queues = HashMap::new();
        for ((id, budget), siblings) in plan.shards.iter().zip(Siblings::new(plan.shards.len())) {
            let Some((thread, queue)) = lanes.of(*id) else { bail!("shard {id} has no lane") };
            let (commands, commands_out) = mpsc::channel(commands::QUEUE);
            queues.insert(*id, commands);
            telemetry.metrics.gaps().shard(*id);
            let parts = ShardParts {
                options: plan.options(*id),
                siblings,
                session: found(*id).session.map(|session| Plan::resumable(session, &info.url)),
                events: EventSender::new(queue.clone(), Arc::clone(budget)),
                commands: commands_out,
                identifies: identifies.clone(),
                dialer: dialer.clone(),
                base: base_out.clone(),
                stale: stale.clone(),
                version: config.api.gateway_version,
                compression: config.compression,
                payload_limit: config.limits.message_size,
                stop: stop.clone(),
                metrics: telemetry.metrics.shard(*id),
                command_metrics: telemetry.metrics.commands(),
                health: telemetry.health.shard(*id),
                ready: ready.clone(),
            };
            shards.spawn(parts, thread);
        }
        let Some((_, foreign)) = lanes.of(ShardId(0)) else { bail!("there is no lane") };
        let relay = CommandRelay {
            commands,
            router: Router::new(plan.count, plan.shards.iter().map(|(id, _)| *id)),
            shards: queues,
            foreign: foreign.clone(),
            metrics: telemetry.metrics.commands(),
        };
        Ok(Some(Self {
            shards,
            lanes,
            broker,
            relay: tokio::spawn(relay.run(stop.clone())),
            identifies: identifies_task,
            fresh_base,
            checkpoints,
            grace: config.shutdown_grace,
            stop,
            health: telemetry.health.clone(),
        }))
    }

    /// Runs until told to stop, or until something ends for good; then drains: what was received is written out, the
    /// watermarks are saved, the sockets closed with a code that keeps the sessions.
    ///
    /// # Errors
    /// Why it ended, unless it was told to.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let failure = tokio::select! {
            biased;
            // First: shards that were told to stop may have ended before this task hears of it, and that is no failure.
            () = self.stop.cancelled() => None,
            failure = first_failure(&mut self.broker, &mut self.lanes, &mut self.shards) => Some(failure),
        };
        self.stop.cancel();
        self.health.ending();
        if let Some(failure) = &failure {
            tracing::error!("{failure:#}. The gateway ends");
        }
        let grace = self.grace;
        let mut flight = None;
        let drained = match tokio::time::timeout(grace, self.drain(&mut flight)).await {
            Ok(drained) => drained,
            Err(_) => Err(anyhow!(
                "not everything was delivered within {} s (shutdown.grace). {COMES_AGAIN}",
                grace.as_secs_f64()
            )),
        };
        let landed = flight.map(|flight| self.lanes.landed(flight));
        if let Err(error) = &drained {
            tracing::error!("{error:#}");
        }
        if let Some(landed) = &landed {
            tracing::info!("when the shards had stopped, {landed}");
        }
        // Saves what is unsaved.
        drop(self.checkpoints.take());
        self.lanes.stop();
        match failure {
            Some(failure) => Err(failure),
            None => {
                drained?;
                tracing::info!("ended; sessions are kept for the next start");
                Ok(())
            }
        }
    }

    /// Notes in `flight` what is on its way when the shards have stopped.
    ///
    /// # Errors
    /// If not everything that was received could be delivered.
    async fn drain(&mut self, flight: &mut Option<Flight>) -> anyhow::Result<()> {
        self.broker.stop_consuming();
        while let Some(ended) = self.shards.next_ended().await {
            log_if_failed(ended);
        }
        // It holds the end of a lane's queue.
        log_if_failed((&mut self.relay).await.context("the task for commands crashed"));
        // Either may wait for Discord's REST interface, which nobody needs any more.
        self.identifies.abort();
        self.fresh_base.abort();
        *flight = Some(self.lanes.flight());
        self.lanes.close();
        let delivered = async {
            while let Some(ended) = self.lanes.next_ended().await {
                log_if_failed(ended);
            }
        };
        tokio::select! {
            biased;
            () = delivered => self.broker.close().await,
            // Nobody confirms any more what the lanes wait for.
            error = self.broker.failure() => Err(error),
        }
        .map_err(|error| anyhow!("not everything was delivered: {error:#}. {COMES_AGAIN}"))
    }
}

/// Checks what [`Gateway::start`] would find wrong without connecting, beside the components.
///
/// # Errors
/// What that is, and what to do.
pub fn check(config: &Config) -> anyhow::Result<()> {
    identity(config)?;
    Rest::new(&config.api, &config.token)?;
    if config.broker.kind == BrokerType::Redis || config.shard_store.kind == StoreType::Redis {
        RedisAddress::new(&config.redis)?;
    }
    if config.broker.kind == BrokerType::Amqp {
        amqp::check(&config.amqp)?;
    }
    if let Some(path) = config.shard_store.path.as_deref().filter(|_| config.shard_store.kind == StoreType::Local) {
        // Without a shard it locks none, so that it can be checked beside a running gateway.
        LocalStore::open(path, &BotKey::new(config.token.expose(), &config.api.host), 1, [])?;
    }
    Ok(())
}

async fn prepare_components(config: Config, metrics: Metrics) -> anyhow::Result<Components> {
    let prepare = move || Components::prepare(&config, &metrics.guests());
    tokio::task::spawn_blocking(prepare).await.context("preparing the components crashed")?
}

/// By which shards identify. Without a store there is nobody to tell the next process.
async fn identify_rules(
    config: &Config,
    plan: &Plan,
    info: &GatewayInfo,
    has_store: bool,
) -> anyhow::Result<IdentifyRules> {
    let (ledger, history) = match has_store {
        true => identifies::open(config, plan.shards.iter().map(|(id, _)| *id)).await?,
        false => (None, IdentifyHistory::default()),
    };
    Ok(IdentifyRules { limit: info.session_start_limit, reserve: config.identify_reserve, history, ledger })
}

/// Fresh figures of Discord, which bring a fresh address too.
async fn refreshed(rest: Rest, base: watch::Sender<GatewayUrl>) -> Option<gateway_protocol::SessionStartLimit> {
    match rest.gateway_bot().await {
        Ok(info) => {
            base.send_replace(info.url);
            Some(info.session_start_limit)
        }
        Err(error) => {
            tracing::warn!("Discord's current limits are not known, the last ones are used: {error}");
            None
        }
    }
}

/// Asks Discord for its address again when shards cannot connect to the one they have.
async fn keep_fresh(rest: Rest, base: watch::Sender<GatewayUrl>, mut stale: mpsc::Receiver<()>) {
    let mut asked: Option<Instant> = None;
    // Ends with the last shard.
    while stale.recv().await.is_some() {
        if asked.is_none_or(|asked| asked.elapsed() >= ADDRESS_AGE) {
            asked = Some(Instant::now());
            refreshed(rest.clone(), base.clone()).await;
        }
    }
}

fn dialer(config: &Config, info: &GatewayInfo) -> anyhow::Result<Dialer> {
    // Reading the system's certificates takes a while. A resume URL may need them although the base does not, but then it is not Discord's.
    let tls = if info.url.is_secure() { tls_config()? } else { tls_without_roots()? };
    Ok(Dialer { tls, user_agent: HeaderValue::from_static(USER_AGENT), message_limit: config.limits.message_size })
}

fn lane_count(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.lanes.map_or_else(cores, std::num::NonZero::get)
}

/// Why the gateway cannot go on. Pends while it can.
async fn first_failure(broker: &mut Broker, lanes: &mut Lanes, shards: &mut Shards) -> anyhow::Error {
    loop {
        tokio::select! {
            biased;
            failure = broker.failure() => return failure,
            Some(ended) = lanes.next_ended() => return match ended {
                Ok(()) => anyhow!("a lane ended early"),
                Err(error) => broker.explained(error).await,
            },
            ended = shards.next_ended() => match ended {
                Some(Ok(())) => {}
                Some(Err(error)) => return error,
                None => return anyhow!("all shards have ended"),
            },
        }
    }
}

fn log_if_failed(ended: anyhow::Result<()>) {
    if let Err(error) = ended {
        tracing::error!("{error:#}");
    }
}
