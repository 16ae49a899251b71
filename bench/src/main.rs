//! What an event costs: the whole gateway to STDOUT against a bare loop that reads, inflates and writes, in one run; or to
//! brokers, against a bare loop that publishes.
//!
//! A flood server in this process sends the same events, compressed beforehand, to each of them in turn. What they use is
//! read from the system, so that the server's own cost stays out. `cargo xtask bench` builds what is needed and runs this.

mod allocations;
mod brokers;
mod child;
mod floor;
mod idle;
mod report;
mod start;
mod stdout;
mod subject;

use floor::Buffering;

/// Events in each run to STDOUT, over all its shards, unless the command line says otherwise: enough that the start of 16
/// connections does not count.
const EVENTS: u64 = 1_000_000;
/// Events in each run to a broker, which take longer.
const BROKER_EVENTS: u64 = 400_000;
/// Runs of each subject, interleaved; the one with the least processor time counts, as noise only adds.
const ROUNDS: u32 = 3;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", "each", flood, shards] => floor::to_pipe(flood, shards.parse()?, Buffering::Each),
        ["floor", "full", flood, shards] => floor::to_pipe(flood, shards.parse()?, Buffering::Full),
        ["floor", kind, flood, shards, server] => floor::to_broker(flood, shards.parse()?, kind.parse()?, server),
        [gateway, _, "brokers"] => brokers::bench(gateway.into(), BROKER_EVENTS),
        [gateway, _, "brokers", "--soak", events] => brokers::soak(gateway.as_ref(), events.parse()?),
        [gateway, _, "brokers", events] => brokers::bench(gateway.into(), events.parse()?),
        [gateway, filter] => stdout::bench(gateway.into(), filter.into(), EVENTS),
        [gateway, filter, events] => stdout::bench(gateway.into(), filter.into(), events.parse()?),
        _ => anyhow::bail!(
            "arguments: <gateway binary> <inspecting filter> [brokers] [events in each run]\n       \
             or: <gateway binary> <inspecting filter> brokers --soak <events>"
        ),
    }
}
