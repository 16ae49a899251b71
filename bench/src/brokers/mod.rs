//! What an event costs on its way into a broker: the gateway against a bare loop with the client library, on real servers.

mod latency;
mod server;
mod soak;
mod subject;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use gateway_simulator::{Flood, FloodOptions};
use tokio::runtime::Runtime;

use crate::ROUNDS;
use crate::report::{self, Best};
use crate::subject::Target;
use server::Server;
use subject::Subject;

pub(crate) use soak::soak;

/// For how long Redis keeps entries, so that its memory stays small.
pub(crate) const RETENTION: Duration = Duration::from_secs(1);
/// `broker.group`: the exchange's name.
pub(crate) const GROUP: &str = "bench";
/// Shards that are flooded at a time.
const SHARDS: [u32; 2] = [1, 4];
/// The name of the flood's last event in each shard.
const MARKER: &str = "FLOOD_END";

/// What takes the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrokerKind {
    Redis,
    Amqp,
}

impl BrokerKind {
    const ALL: [Self; 2] = [Self::Redis, Self::Amqp];

    /// `broker.type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Amqp => "amqp",
        }
    }
}

impl FromStr for BrokerKind {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).context("the broker is `redis` or `amqp`")
    }
}

impl fmt::Display for BrokerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Redis => "Redis",
            Self::Amqp => "RabbitMQ",
        })
    }
}

/// Measures and prints.
pub(crate) fn bench(gateway: PathBuf, events: u64) -> anyhow::Result<()> {
    anyhow::ensure!(events >= 1000, "at least 1000 events are needed in each run");
    let runtime = runtime()?;
    let subjects = [Subject::Floor, Subject::Gateway(gateway)];
    println!("{events} events in each run, best of {ROUNDS}\n");
    for kind in BrokerKind::ALL {
        println!("into {kind}");
        report::heading(1);
        let server = runtime.block_on(Server::start(kind))?;
        for shards in SHARDS {
            costs(&runtime, &server, &subjects, shards, events)?;
        }
    }
    println!("from the flood's write to the consumer's receipt, {} events/s, best of {ROUNDS}\n", latency::PACE);
    println!("{:<10}{:<28}{:>10}{:>10}", "", "", "p50 ms", "p99 ms");
    for kind in BrokerKind::ALL {
        let server = runtime.block_on(Server::start(kind))?;
        latency::measure(&runtime, &server, &subjects)?;
    }
    Ok(())
}

fn costs(runtime: &Runtime, server: &Server, subjects: &[Subject], shards: u32, events: u64) -> anyhow::Result<()> {
    let options = FloodOptions {
        shards,
        events_per_shard: events / u64::from(shards),
        marker: MARKER.to_owned(),
        ..FloodOptions::default()
    };
    let flood = runtime.block_on(Flood::start(options)).context("the flood cannot start")?;
    let target = Target::of(&flood, shards);
    let mut best: Vec<Best> = subjects.iter().map(|subject| Best::new(subject.to_string())).collect();
    for _ in 0..ROUNDS {
        for (subject, best) in subjects.iter().zip(&mut best) {
            let usage = runtime
                .block_on(subject.run(server, &flood, &target))
                .with_context(|| format!("{subject} with {shards} shards into {}", server.kind()))?;
            best.add(usage);
        }
    }
    report::table(&target, &best, 1);
    runtime.block_on(flood.shutdown());
    Ok(())
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A gateway's configuration for a broker at this address.
fn configuration(kind: BrokerKind, url: &str) -> String {
    let server = match kind {
        BrokerKind::Redis => format!("[redis]\nurls = [{url:?}]\n"),
        BrokerKind::Amqp => format!("[amqp]\nurl = {url:?}\n"),
    };
    let own = match kind {
        BrokerKind::Redis => format!("config = {{ retention_ms = {} }}\n", RETENTION.as_millis()),
        BrokerKind::Amqp => String::new(),
    };
    format!("[broker]\ntype = {:?}\ngroup = {GROUP:?}\n{own}\n{server}", kind.name())
}

/// A gateway that publishes everything to this server, with its state in `home`.
fn gateway(binary: &Path, server: &Server, host: &str, home: &Path) -> anyhow::Result<std::process::Command> {
    crate::subject::gateway(binary, &configuration(server.kind(), &server.url()), host, home)
}
