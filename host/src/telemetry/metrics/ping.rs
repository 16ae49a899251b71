//! Heartbeat round trips, as the summary that the original gateway shows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway_protocol::ShardId;
use prometheus::Result;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary};

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];
/// Round trips older than this do not count for the quantiles, as in the original.
const MAX_AGE: Duration = Duration::from_secs(600);
/// Round trips that are kept of a shard. At Discord's interval some 15 fall into `MAX_AGE`.
const KEPT: usize = 128;

/// `gateway_ping`.
#[derive(Debug, Clone)]
pub(super) struct Pings {
    desc: Desc,
    windows: Arc<Mutex<BTreeMap<ShardId, Window>>>,
}

impl Pings {
    pub(super) fn new() -> Result<Self> {
        let help = "Latency between heartbeat and acknowledgement (in milliseconds).";
        let desc = Desc::new("gateway_ping".into(), help.into(), vec!["id".into()], Default::default())?;
        Ok(Self { desc, windows: Arc::default() })
    }

    pub(super) fn observe(&self, shard: ShardId, round_trip: Duration) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.entry(shard).or_default().observe(Instant::now(), round_trip.as_secs_f64() * 1000.0);
    }
}

impl Collector for Pings {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = Instant::now();
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics: Vec<_> = windows.iter().map(|(shard, window)| metric(*shard, &window.summary(now))).collect();
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(MetricType::SUMMARY);
        family.set_metric(metrics);
        vec![family]
    }
}

/// The latest round trips of a shard, and the sum over all of them.
#[derive(Debug, Default)]
struct Window {
    latest: VecDeque<(Instant, f64)>,
    sum: f64,
    count: u64,
}

impl Window {
    fn observe(&mut self, now: Instant, milliseconds: f64) {
        if self.latest.len() >= KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back((now, milliseconds));
        self.sum += milliseconds;
        self.count += 1;
    }

    fn summary(&self, now: Instant) -> Summary {
        let young = self.latest.iter().filter(|(at, _)| now.saturating_duration_since(*at) <= MAX_AGE);
        let mut values: Vec<f64> = young.map(|(_, milliseconds)| *milliseconds).collect();
        values.sort_unstable_by(f64::total_cmp);
        let quantiles = QUANTILES.iter().map(|rank| {
            let mut quantile = Quantile::default();
            quantile.set_quantile(*rank);
            quantile.set_value(nearest_rank(&values, *rank));
            quantile
        });
        let mut summary = Summary::default();
        summary.set_quantile(quantiles.collect());
        summary.set_sample_sum(self.sum);
        summary.set_sample_count(self.count);
        summary
    }
}

/// The smallest of the sorted values that `rank` of them do not exceed; not a number if there are none.
fn nearest_rank(sorted: &[f64], rank: f64) -> f64 {
    let position = (rank * sorted.len() as f64).ceil() as usize;
    sorted.get(position.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn metric(shard: ShardId, summary: &Summary) -> Metric {
    let mut id = LabelPair::default();
    id.set_name("id".into());
    id.set_value(shard.0.to_string());
    let mut metric = Metric::from_label(vec![id]);
    metric.set_summary(summary.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(summary: &Summary) -> Vec<f64> {
        summary.get_quantile().iter().map(Quantile::value).collect()
    }

    #[test]
    fn quantiles_are_the_nearest_ranks() {
        let mut window = Window::default();
        let now = Instant::now();
        for value in (1..=100).rev() {
            window.observe(now, f64::from(value));
        }
        let summary = window.summary(now);
        assert_eq!(values(&summary), [50.0, 90.0, 95.0, 99.0]);
        assert_eq!((summary.sample_count(), summary.sample_sum()), (100, 5050.0));
    }

    #[test]
    fn one_round_trip_is_every_quantile_and_an_old_one_is_none() {
        let mut window = Window::default();
        let now = Instant::now();
        window.observe(now, 41.5);
        assert_eq!(values(&window.summary(now + MAX_AGE)), [41.5; 4]);
        let late = window.summary(now + MAX_AGE + Duration::from_millis(1));
        assert!(values(&late).iter().all(|value| value.is_nan()));
        assert_eq!((late.sample_count(), late.sample_sum()), (1, 41.5), "sum and count never go down");
    }

    #[test]
    fn only_the_latest_are_kept() {
        let mut window = Window::default();
        let now = Instant::now();
        (0..10 * KEPT).for_each(|_| window.observe(now, 1.0));
        (0..KEPT).for_each(|_| window.observe(now, 2.0));
        assert_eq!(window.latest.len(), KEPT);
        assert_eq!(values(&window.summary(now)), [2.0; 4]);
    }
}
