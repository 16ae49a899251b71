//! How long ago something was: looked at when it is scraped, so that a figure cannot freeze.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts, Result};

use super::families::Families;

/// A point in time that one side sets and others look at, without a lock. Clones are handles of the same.
#[derive(Debug, Clone, Default)]
pub struct Since(Arc<AtomicU64>);

impl Since {
    /// Sets it; `None` if there is nothing whose age matters.
    pub fn set(&self, at: Option<Instant>) {
        let milliseconds = at.map_or(0, |at| 1 + at.saturating_duration_since(*START).as_millis());
        self.0.store(u64::try_from(milliseconds).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long ago it was. `None` if there is nothing.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let milliseconds = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(START.elapsed().saturating_sub(Duration::from_millis(milliseconds)))
    }
}

/// Before anything that is measured.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What is shown where there is nothing whose age matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unset {
    /// An age of 0.
    Zero,
    /// No series, until there is something.
    Hidden,
}

/// A family of ages in seconds.
#[derive(Debug, Clone)]
pub(super) struct Ages {
    gauges: GaugeVec,
    unset: Unset,
    watched: Arc<Mutex<Vec<Watched>>>,
}

#[derive(Debug)]
struct Watched {
    /// Of the labels.
    values: Vec<String>,
    since: Since,
}

impl Ages {
    pub(super) fn new(families: &Families<'_>, name: &str, help: &str, labels: &[&str], unset: Unset) -> Result<Self> {
        LazyLock::force(&START);
        families.add(Self { gauges: GaugeVec::new(Opts::new(name, help), labels)?, unset, watched: Arc::default() })
    }

    /// Shows the age of what is set there, under these values of the labels.
    pub(super) fn watch(&self, values: &[&str]) -> Since {
        let since = Since::default();
        let values = values.iter().map(|&value| value.to_owned()).collect();
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).push(Watched { values, since: since.clone() });
        since
    }
}

impl Collector for Ages {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for Watched { values, since } in &*self.watched.lock().unwrap_or_else(PoisonError::into_inner) {
            if let Some(age) = since.age().or_else(|| (self.unset == Unset::Zero).then_some(Duration::ZERO)) {
                self.gauges.with_label_values(values).set(age.as_secs_f64());
            }
        }
        self.gauges.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_grows_until_it_is_set_anew() {
        let since = Since::default();
        assert_eq!(since.age(), None);
        let hour = Duration::from_secs(3600);
        LazyLock::force(&START);
        // Later than the start by an hour, so not older than 0.
        since.set(Some(Instant::now() + hour));
        assert_eq!(since.age(), Some(Duration::ZERO));
        since.set(Some(Instant::now()));
        assert!(since.age().is_some_and(|age| age < hour));
        since.set(None);
        assert_eq!(since.age(), None);
    }
}
