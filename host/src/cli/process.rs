//! What the sub-commands that run something have in common: log, runtime, signals, metrics server.

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Loaded};
use crate::run::{Gateway, Io, Telemetry, signals};
use crate::telemetry::log::{self, LogGuard};
use crate::telemetry::{Health, Metrics, MetricsServer};

/// Starts the log, and writes into it what is doubtful in the configuration and what it amounts to.
pub(super) fn start_log(loaded: &Loaded) -> anyhow::Result<LogGuard> {
    let guard = log::init(loaded.config.log.level, loaded.config.log.format)?;
    tracing::info!("gateway {}", env!("CARGO_PKG_VERSION"));
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match &loaded.file {
        Some(path) => tracing::info!("configuration from {}, the environment and flags", path.display()),
        None => tracing::info!("configuration from the environment and flags"),
    }
    for line in loaded.config.effective().lines() {
        tracing::info!("  {line}");
    }
    Ok(guard)
}

/// Runs on this thread. Lanes have threads of their own.
pub(super) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime can be made")?;
    let outcome = runtime.block_on(future);
    // What still blocks (a read of STDIN, a name that is being looked up) must not keep the process from its end.
    runtime.shutdown_background();
    outcome
}

/// Runs a gateway until a signal, until `stop`, or until it cannot go on.
pub(super) async fn run_gateway(config: &Config, io: Io, stop: CancellationToken) -> anyhow::Result<()> {
    let signals = tokio::spawn(signals::watch(stop.clone()).context("the system takes no signal handler")?);
    let telemetry = Telemetry { metrics: Metrics::new()?, health: Health::default() };
    let served = CancellationToken::new();
    let server = serve_metrics(config, &telemetry, served.clone())?;
    let outcome = match Gateway::start(config, io, &telemetry, stop).await {
        Ok(Some(gateway)) => gateway.run().await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    // Last, so that the drain itself can be watched.
    served.cancel();
    let served = match server {
        Some(server) => server.await.context("the metrics server crashed").and_then(|served| Ok(served?)),
        None => Ok(()),
    };
    signals.abort();
    outcome.and(served)
}

type Serving = tokio::task::JoinHandle<std::io::Result<()>>;

fn serve_metrics(config: &Config, telemetry: &Telemetry, stop: CancellationToken) -> anyhow::Result<Option<Serving>> {
    let Some(prometheus) = &config.prometheus else { return Ok(None) };
    let endpoint = prometheus.endpoint.as_deref().unwrap_or_default();
    let server = MetricsServer::bind(&prometheus.address.to_string(), endpoint)?;
    tracing::info!("metrics on http://{}", server.local_address()?);
    let Telemetry { metrics, health } = telemetry.clone();
    Ok(Some(tokio::spawn(server.serve(metrics, health, stop))))
}
