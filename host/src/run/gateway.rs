//! The whole gateway, from its start to its end.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use gateway_protocol::{Identity, Session, Shard, ShardCount, ShardId, ShardOptions};
use reqwest::header::HeaderValue;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::commands::{self, CommandRelay};
use super::components::Components;
use super::lanes::{LaneSetup, Lanes};
use super::shards::Shards;
use crate::capability::stdio::{self, WriterEnd};
use crate::command::Router;
use crate::config::{self, Config, StoreType};
use crate::delivery::{Budget, EventSender};
use crate::discord::{GatewayInfo, GatewayUrl, Rest, USER_AGENT, tls_config, tls_without_roots};
use crate::lane::Writer;
use crate::shard::{Dialer, IdentifyQueue, ShardParts};
use crate::store::{self, BotKey, CheckpointWriter, LocalStore};
use crate::telemetry::{Health, Metrics};

/// Values from STDIN that may wait for the first lane.
const INCOMING: usize = 16;
/// How often what lanes have settled is saved. After a crash, at most that much is delivered again.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(500);
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
    writer_end: WriterEnd,
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
        let checkpoints = plan.open_store(config, &telemetry.metrics)?;

        let (writer, writer_end) = Writer::start(io.output).context("STDOUT cannot be written")?;
        let (incoming, incoming_out) = mpsc::channel(INCOMING);
        if io.reads_input {
            stdio::read_stdin(incoming).context("STDIN cannot be read")?;
        }
        let sender = checkpoints.as_ref().map(CheckpointWriter::sender);
        let (lanes, commands) = Lanes::start(LaneSetup {
            count: lane_count(config),
            shards: &plan.shards,
            components: &components,
            writer,
            incoming: incoming_out,
            checkpoint: Arc::new(move |checkpoint| {
                if let Some(sender) = &sender {
                    sender.save(checkpoint.shard, checkpoint.session);
                }
            }),
            telemetry,
        })
        .await?;
        telemetry.health.watch("main", tokio::runtime::Handle::current());

        let (base, base_out) = watch::channel(info.url.clone());
        let (stale, stale_out) = mpsc::channel(1);
        let metrics = telemetry.metrics.identifies();
        let fresh_base = tokio::spawn(keep_fresh(rest.clone(), base.clone(), stale_out));
        let refresh = move || refreshed(rest.clone(), base.clone());
        let (identifies, serving) = IdentifyQueue::new(info.session_start_limit, refresh, metrics);
        let identifies_task = tokio::spawn(serving);

        let dialer = dialer(config, &info)?;
        let mut shards = Shards::default();
        let mut queues = HashMap::new();
        for (id, budget) in &plan.shards {
            let Some((thread, queue)) = lanes.of(*id) else { bail!("shard {id} has no lane") };
            let (commands, commands_out) = mpsc::channel(commands::QUEUE);
            queues.insert(*id, commands);
            let session = checkpoints.as_ref().and_then(|checkpoints| checkpoints.session(*id));
            let parts = ShardParts {
                machine: plan.machine(*id, session),
                id: *id,
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
            writer_end,
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
            failure = first_failure(&mut self.writer_end, &mut self.lanes, &mut self.shards) => Some(failure),
        };
        self.stop.cancel();
        self.health.ending();
        if let Some(failure) = &failure {
            tracing::error!("{failure:#}. The gateway ends");
        }
        let grace = self.grace;
        let drained = match tokio::time::timeout(grace, self.drain()).await {
            Ok(drained) => drained,
            Err(_) => Err(anyhow!(
                "not everything was delivered within {} s (shutdown.grace). {COMES_AGAIN}",
                grace.as_secs_f64()
            )),
        };
        if let Err(error) = &drained {
            tracing::error!("{error:#}");
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

    /// # Errors
    /// If not everything that was received could be delivered.
    async fn drain(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.shards.next_ended().await {
            log_if_failed(ended);
        }
        // It holds the end of a lane's queue.
        log_if_failed((&mut self.relay).await.context("the task for commands crashed"));
        // Either may wait for Discord's REST interface, which nobody needs any more.
        self.identifies.abort();
        self.fresh_base.abort();
        self.lanes.close();
        let delivered = async {
            while let Some(ended) = self.lanes.next_ended().await {
                log_if_failed(ended);
            }
        };
        let written = tokio::select! {
            biased;
            () = delivered => self.writer_end.ended().await,
            // Nobody confirms any more what the lanes wait for.
            Err(error) = self.writer_end.ended() => Err(error),
        };
        written
            .map_err(|error| anyhow!("not everything was delivered, because STDOUT is gone ({error}). {COMES_AGAIN}"))
    }
}

/// Which shards run, and with what.
struct Plan {
    count: ShardCount,
    /// Those of this gateway, each with the budget of its events.
    shards: Vec<(ShardId, Arc<Budget>)>,
    identity: Arc<Identity>,
}

impl Plan {
    fn new(config: &Config, info: &GatewayInfo, metrics: &Metrics) -> anyhow::Result<Self> {
        let (count, ids) = match &config.shards {
            config::Shards::Recommended => (info.shards, None),
            config::Shards::All { count } => (*count, None),
            config::Shards::Subset { count, ids } => (*count, Some(ids.clone())),
        };
        let ids = ids.unwrap_or_else(|| (0..count.get()).map(ShardId).collect());
        let whole = Budget::new(config.buffer.total);
        metrics.queue_limits(config.buffer.per_shard, config.buffer.total);
        metrics.running_shards(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        let limit = info.session_start_limit;
        tracing::info!(
            "running {} of {count} shards; {} of {} session starts left today, {} at a time",
            ids.len(),
            limit.remaining,
            limit.total,
            limit.max_concurrency
        );
        let shards = ids.into_iter().map(|id| (id, whole.part(config.buffer.per_shard))).collect::<Vec<_>>();
        for (id, budget) in &shards {
            let budget = Arc::clone(budget);
            metrics.watch_queue(*id, move || budget.used());
        }
        let count = ShardCount::new(count.get()).context("there are no shards")?;
        Ok(Self { count, shards, identity: Arc::new(identity(config)?) })
    }

    fn machine(&self, id: ShardId, session: Option<Session>) -> Shard {
        let options = ShardOptions { id, count: self.count, identity: Arc::clone(&self.identity) };
        Shard::new(options, session, fastrand::Rng::new())
    }

    /// `None` if sessions are not kept.
    fn open_store(&self, config: &Config, metrics: &Metrics) -> anyhow::Result<Option<CheckpointWriter>> {
        if config.shard_store.kind != StoreType::Local {
            return Ok(None);
        }
        let directory = config.shard_store.path.clone().unwrap_or_else(store::default_directory);
        let bot = BotKey::new(config.token.expose(), &config.api.host);
        let ids = self.shards.iter().map(|(id, _)| *id);
        let opened = match LocalStore::open(&directory, &bot, self.count.get(), ids) {
            Ok(store) => store,
            // Nobody asked for this place. A read-only container still runs, as the original did.
            Err(error @ store::StoreError::NotWritable { .. }) if config.shard_store.path.is_none() => {
                tracing::warn!("{error}. For now, sessions are not kept");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let writer = CheckpointWriter::start(opened, CHECKPOINT_INTERVAL, metrics.checkpoints());
        Ok(Some(writer.context("the system refuses a thread for checkpoints")?))
    }
}

/// What shards identify with.
fn identity(config: &Config) -> anyhow::Result<Identity> {
    let identity = Identity {
        token: config.token.expose().to_owned(),
        intents: config.intents.bits().into(),
        presence: config.presence.as_ref().map(config::Presence::to_json),
        large_threshold: config.large_threshold,
    };
    identity.validate()?;
    Ok(identity)
}

/// Checks what [`Gateway::start`] would find wrong without connecting, beside the components.
///
/// # Errors
/// What that is, and what to do.
pub fn check(config: &Config) -> anyhow::Result<()> {
    identity(config)?;
    Rest::new(&config.api, &config.token)?;
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
async fn first_failure(writer_end: &mut WriterEnd, lanes: &mut Lanes, shards: &mut Shards) -> anyhow::Error {
    loop {
        tokio::select! {
            biased;
            ended = writer_end.ended() => return match ended {
                Ok(()) => anyhow!("the writer of STDOUT ended early"),
                Err(error) => anyhow::Error::new(error).context("STDOUT cannot be written any more"),
            },
            Some(ended) = lanes.next_ended() => return match ended {
                Ok(()) => anyhow!("a lane ended early"),
                Err(error) => error,
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
