//! How full the queues between shards and broker are. Looked up at a scrape, so that an event costs nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use gateway_protocol::ShardId;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts, Result};

use super::families::Families;

type Used = Box<dyn Fn() -> usize + Send + Sync>;

/// `gateway_queue_bytes` and `gateway_queue_limit_bytes`.
#[derive(Clone)]
pub(super) struct Queues {
    bytes: IntGaugeVec,
    limits: IntGaugeVec,
    watched: Arc<Mutex<BTreeMap<ShardId, Used>>>,
}

impl Queues {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        let help = "Bytes of a shard's events that were received and are not settled.";
        families.add(Self {
            bytes: IntGaugeVec::new(Opts::new("gateway_queue_bytes", help), &["shard"])?,
            limits: families.gauges(
                "gateway_queue_limit_bytes",
                "Bytes at which reading stops: of one shard, or of all shards of the process.",
                &["scope"],
            )?,
            watched: Arc::default(),
        })
    }

    pub(super) fn watch(&self, shard: ShardId, used: impl Fn() -> usize + Send + Sync + 'static) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, Box::new(used));
    }

    pub(super) fn limits(&self, shard: usize, process: usize) {
        for (scope, limit) in [("shard", shard), ("process", process)] {
            self.limits.with_label_values(&[scope]).set(i64::try_from(limit).unwrap_or(i64::MAX));
        }
    }
}

impl Collector for Queues {
    fn desc(&self) -> Vec<&Desc> {
        self.bytes.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (shard, used) in &*self.watched.lock().unwrap_or_else(PoisonError::into_inner) {
            let bytes = i64::try_from(used()).unwrap_or(i64::MAX);
            self.bytes.with_label_values(&[&shard.0.to_string()]).set(bytes);
        }
        self.bytes.collect()
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queues").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
