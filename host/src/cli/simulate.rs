//! `gateway simulate`: a simulated Discord, for bots and components that are developed offline.

use std::io::Write as _;

use anyhow::Context as _;
use gateway_simulator::{Options, Rate, Simulator};
use tokio_util::sync::CancellationToken;

use super::args::{SimulateArguments, Traffic};
use super::process;
use crate::config::{Flags, LogFormat, LogLevel};
use crate::run::signals;
use crate::telemetry::log;

/// Serves until a signal.
pub(super) fn run(flags: &Flags, arguments: &SimulateArguments) -> anyhow::Result<()> {
    let _log = log::init(flags.log_level.unwrap_or(LogLevel::Info), LogFormat::Text)?;
    process::block_on(serve(arguments))
}

async fn serve(arguments: &SimulateArguments) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let signals = tokio::spawn(signals::watch(stop.clone())?);
    let options = arguments.world.apply(options(&arguments.traffic));
    let options = Options { listen: arguments.listen, tls: arguments.tls, ..options };
    let simulator =
        Simulator::start(options).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    arguments.faults.iter().for_each(|fault| simulator.control().fault(fault.clone()));
    let (scheme, host) = (simulator.api_scheme(), simulator.api_host());
    let mut output = std::io::stdout();
    writeln!(output, "Discord is simulated on {scheme}://{host}/api. Any token is valid. A gateway connects with")?;
    writeln!(
        output,
        "  DISCORD_API_PROTOCOL={scheme} DISCORD_API_HOST={host} DISCORD_TOKEN=any DISCORD_EVENTS='*' gateway"
    )?;
    if let Some(certificate) = simulator.certificate_pem() {
        writeln!(output, "Clients must trust this certificate (SSL_CERT_FILE for a gateway):\n{certificate}")?;
    }
    stop.cancelled().await;
    simulator.shutdown().await;
    signals.abort();
    Ok(())
}

/// What the simulator does for the flags that `demo` and `simulate` share.
pub(super) fn options(traffic: &Traffic) -> Options {
    Options {
        recommended_shards: traffic.shards,
        event_rate: Rate::per_second(traffic.rate.into()),
        seed: traffic.seed.unwrap_or_else(|| fastrand::u64(..)),
        ..Options::default()
    }
}
