//! The gateway's figures, for Prometheus. docs/metrics.md explains every family.
//!
//! What happens is told to a small struct of whoever it happens to ([`ShardMetrics`], [`LaneMetrics`], …), with one function
//! for each happening. These structs hold their time series, so that an event costs no look-up of labels. Every label's
//! values are bounded: what a server or a component names freely is only taken up to a limit.

mod age;
mod broker;
mod checkpoint;
mod command;
mod component;
mod dead_letter;
mod families;
mod gap;
mod identify;
mod lane;
mod ping;
mod process;
mod queue;
mod shard;
#[cfg(test)]
mod tests;

use gateway_protocol::ShardId;
use prometheus::{IntGauge, Registry, TextEncoder};

pub use self::age::Since;
pub use self::broker::BrokerMetrics;
pub use self::checkpoint::CheckpointMetrics;
pub use self::command::CommandMetrics;
pub use self::component::ComponentMetrics;
pub use self::dead_letter::DeadLetterMetrics;
pub use self::gap::GapMetrics;
pub use self::identify::IdentifyMetrics;
pub use self::lane::LaneMetrics;
pub use self::shard::ShardMetrics;

use self::broker::BrokerFamilies;
use self::component::ComponentFamilies;
use self::families::Families;
use self::lane::LaneFamilies;
use self::process::ProcessFigures;
use self::queue::Queues;
use self::shard::ShardFamilies;
use crate::component::GuestFamilies;

/// All figures of one gateway. Clones are handles of the same figures.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    total_shards: IntGauge,
    shards: ShardFamilies,
    lanes: LaneFamilies,
    components: ComponentFamilies,
    guests: GuestFamilies,
    queues: Queues,
    commands: CommandMetrics,
    identifies: IdentifyMetrics,
    checkpoints: CheckpointMetrics,
    brokers: BrokerFamilies,
    dead_letters: DeadLetterMetrics,
    gaps: GapMetrics,
}

impl Metrics {
    /// Makes the families, in a registry of their own.
    ///
    /// # Errors
    /// Only if two families had one name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessFigures::new()?))?;
        let families = Families::new(&registry);
        families
            .gauges("gateway_build_info", "Always 1; its label says which version runs.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let guest_labels = ["component", "name"];
        Ok(Self {
            total_shards: families.gauge("gateway_total_shards", "Total number of shards that should be online.")?,
            shards: ShardFamilies::new(&families)?,
            lanes: LaneFamilies::new(&families)?,
            components: ComponentFamilies::new(&families)?,
            guests: GuestFamilies::new(
                families.counters(
                    "gateway_component_counter",
                    "Counters that components keep themselves.",
                    &guest_labels,
                )?,
                families.float_gauges(
                    "gateway_component_gauge",
                    "Gauges that components keep themselves, summed over their instances.",
                    &guest_labels,
                )?,
            ),
            queues: Queues::new(&families)?,
            commands: CommandMetrics::new(&families)?,
            identifies: IdentifyMetrics::new(&families)?,
            checkpoints: CheckpointMetrics::new(&families)?,
            brokers: BrokerFamilies::new(&families)?,
            dead_letters: DeadLetterMetrics::new(&families)?,
            gaps: GapMetrics::new(&families)?,
            registry,
        })
    }

    /// This gateway runs `count` shards.
    pub fn running_shards(&self, count: u32) {
        self.total_shards.set(count.into());
    }

    /// The figures of a shard, for its driver. One owner at a time.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> ShardMetrics {
        ShardMetrics::new(shard, &self.shards)
    }

    /// The figures of the lane with that number, for the lane. One owner at a time.
    #[must_use]
    pub fn lane(&self, index: usize) -> LaneMetrics {
        LaneMetrics::new(index, &self.lanes)
    }

    /// How many events the first `lanes` lanes have taken that are not settled, and how many they have ever settled.
    #[must_use]
    pub fn lane_totals(&self, lanes: usize) -> (u64, u64) {
        self.lanes.totals(lanes)
    }

    /// The figures of a component's instance, for the lane that has it.
    #[must_use]
    pub fn component(&self, name: &str) -> ComponentMetrics {
        ComponentMetrics::new(name, &self.components)
    }

    /// Where components' own figures go.
    #[must_use]
    pub fn guests(&self) -> GuestFamilies {
        self.guests.clone()
    }

    /// The figures of the command router.
    #[must_use]
    pub fn commands(&self) -> CommandMetrics {
        self.commands.clone()
    }

    /// The figures of the identify queue.
    #[must_use]
    pub fn identifies(&self) -> IdentifyMetrics {
        self.identifies.clone()
    }

    /// The figures of the checkpoint writer.
    #[must_use]
    pub fn checkpoints(&self) -> CheckpointMetrics {
        self.checkpoints.clone()
    }

    /// The figures of a broker. To be called once for each: it counts as not connected from then on.
    #[must_use]
    pub fn broker(&self, name: &'static str) -> BrokerMetrics {
        BrokerMetrics::new(name, &self.brokers)
    }

    /// The figures of gaps.
    #[must_use]
    pub fn gaps(&self) -> GapMetrics {
        self.gaps.clone()
    }

    /// The figures of the file of dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetterMetrics {
        self.dead_letters.clone()
    }

    /// Shows how many bytes of a shard's events are on their way. `used` is asked at every scrape and must answer at once.
    pub fn watch_queue(&self, shard: ShardId, used: impl Fn() -> usize + Send + Sync + 'static) {
        self.queues.watch(shard, used);
    }

    /// Shows how many bytes may be on their way: of one shard, and of the whole process.
    pub fn queue_limits(&self, shard: usize, process: usize) {
        self.queues.limits(shard, process);
    }

    /// All figures in Prometheus' text format 0.0.4.
    ///
    /// # Errors
    /// If a family breaks that format.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
