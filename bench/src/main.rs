//! What an event costs: the whole gateway to STDOUT against a bare loop that reads, inflates and writes, in one run.
//!
//! A flood server in this process sends the same events, compressed beforehand, to each of them in turn. What they use is
//! read from the system, so that the server's own cost stays out. `cargo xtask bench` builds what is needed and runs this.

mod allocations;
mod child;
mod floor;
mod idle;
mod report;
mod start;
mod subject;

use std::path::PathBuf;

use anyhow::Context as _;
use gateway_simulator::{Flood, FloodOptions};

use floor::Buffering;
use report::Row;
use subject::{Subject, Target};

/// Shards that are flooded at a time.
const SHARDS: [u32; 3] = [1, 4, 16];
/// Events in each run, over all its shards, unless the command line says otherwise.
const EVENTS: u64 = 400_000;
/// Runs of each subject, interleaved; the one with the least processor time counts, as noise only adds.
const ROUNDS: u32 = 3;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", "each", url, shards] => floor::run(url, shards.parse()?, Buffering::Each),
        ["floor", "full", url, shards] => floor::run(url, shards.parse()?, Buffering::Full),
        [gateway, filter] => bench(gateway.into(), filter.into(), EVENTS),
        [gateway, filter, events] => bench(gateway.into(), filter.into(), events.parse()?),
        _ => anyhow::bail!("arguments: <gateway binary> <inspecting filter> [events in each run]"),
    }
}

fn bench(gateway: PathBuf, inspecting: PathBuf, events: u64) -> anyhow::Result<()> {
    anyhow::ensure!(events >= 1000, "at least 1000 events are needed in each run");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let subjects = [
        Subject::Floor(Buffering::Each),
        Subject::Floor(Buffering::Full),
        Subject::Gateway { binary: gateway.clone(), filter: None },
        Subject::Gateway { binary: gateway.clone(), filter: Some(inspecting) },
    ];
    println!("{events} events in each run, best of {ROUNDS}\n");
    report::heading();
    for shards in SHARDS {
        let flood = runtime.block_on(flood(shards, events))?;
        let target = Target::of(&flood, shards);
        let mut rows: Vec<Option<Row>> = vec![None; subjects.len()];
        for _ in 0..ROUNDS {
            for (subject, row) in subjects.iter().zip(&mut rows) {
                let usage = subject.run(&target).with_context(|| format!("{subject} with {shards} shards"))?;
                let better = row.as_ref().is_none_or(|row| usage.cpu_seconds < row.usage.cpu_seconds);
                if better {
                    *row = Some(Row { usage, events: target.events });
                }
            }
        }
        report::table(shards, target.payload_bytes, &subjects, &rows);
        runtime.block_on(flood.shutdown());
    }
    let floods = (runtime.block_on(flood(1, events / 8))?, runtime.block_on(flood(1, events / 4))?);
    let targets = (Target::of(&floods.0, 1), Target::of(&floods.1, 1));
    for subject in subjects.iter().filter(|subject| matches!(subject, Subject::Gateway { .. })) {
        let per_event = allocations::per_event(subject, &targets.0, &targets.1)?;
        println!("allocations per event, {subject}: {per_event:.2}");
    }
    println!("memory of an idle shard: {:.0} KiB", runtime.block_on(idle::bytes_per_shard(&gateway))? / 1024.0);
    println!(
        "from exec to the first REST request: {:.1} ms (median, compiled components cached)",
        start::milliseconds(&gateway)?
    );
    Ok(())
}

async fn flood(shards: u32, events: u64) -> anyhow::Result<Flood> {
    let options = FloodOptions { shards, events_per_shard: events / u64::from(shards), ..FloodOptions::default() };
    Flood::start(options).await.context("the flood cannot start")
}
