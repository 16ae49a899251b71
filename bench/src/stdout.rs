//! What an event costs on its way to STDOUT.

use std::path::PathBuf;

use anyhow::Context as _;
use gateway_simulator::{Flood, FloodOptions};

use crate::floor::Buffering;
use crate::report::{self, Best};
use crate::subject::{Subject, Target, Variant};
use crate::{ROUNDS, allocations, idle, start};

/// Shards that are flooded at a time.
const SHARDS: [u32; 3] = [1, 4, 16];

/// Measures and prints.
pub(crate) fn bench(gateway: PathBuf, inspecting: PathBuf, events: u64) -> anyhow::Result<()> {
    anyhow::ensure!(events >= 1000, "at least 1000 events are needed in each run");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let subjects = [
        Subject::Floor(Buffering::Each),
        Subject::Floor(Buffering::Full),
        Subject::Gateway { binary: gateway.clone(), variant: Variant::NoCheckpoints },
        Subject::Gateway { binary: gateway.clone(), variant: Variant::Default },
        Subject::Gateway { binary: gateway.clone(), variant: Variant::Filter(inspecting) },
    ];
    println!("{events} events in each run, best of {ROUNDS}\n");
    report::heading(2);
    for shards in SHARDS {
        let flood = runtime.block_on(flood(shards, events))?;
        let target = Target::of(&flood, shards);
        let mut best: Vec<Best> = subjects.iter().map(|subject| Best::new(subject.to_string())).collect();
        for _ in 0..ROUNDS {
            for (subject, best) in subjects.iter().zip(&mut best) {
                best.add(subject.run(&target).with_context(|| format!("{subject} with {shards} shards"))?);
            }
        }
        report::table(&target, &best, 2);
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
