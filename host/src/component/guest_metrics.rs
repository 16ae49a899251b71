//! A component's own figures among the gateway's metrics.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec};

/// Names that a component may use; each is a time series.
const NAMES: usize = 64;
/// Bytes of a name.
const NAME: usize = 64;

/// The families that all components' figures are in, each with the labels `component` and `name`.
#[derive(Debug, Clone)]
pub struct GuestFamilies {
    /// `gateway_component_counter`.
    pub counters: IntCounterVec,
    /// `gateway_component_gauge`.
    pub gauges: GaugeVec,
    /// What each component has named so far. An instance that is replaced does not begin anew.
    names: Arc<Mutex<HashMap<Arc<str>, HashSet<String>>>>,
}

impl GuestFamilies {
    /// For these two families.
    #[must_use]
    pub fn new(counters: IntCounterVec, gauges: GaugeVec) -> Self {
        Self { counters, gauges, names: Arc::default() }
    }

    /// Whether the component may use the name.
    fn takes(&self, component: &Arc<str>, name: &str) -> bool {
        let well_formed = !name.is_empty()
            && name.len() <= NAME
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !well_formed {
            return false;
        }
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.entry(Arc::clone(component)).or_default();
        known.contains(name) || (known.len() < NAMES && known.insert(name.to_owned()))
    }
}

/// The figures of one instance.
#[derive(Debug)]
pub(super) struct GuestMetrics {
    component: Arc<str>,
    families: GuestFamilies,
    counters: HashMap<String, IntCounter>,
    /// With the value that this instance has put in.
    gauges: HashMap<String, (Gauge, f64)>,
}

impl GuestMetrics {
    pub(super) fn new(component: Arc<str>, families: GuestFamilies) -> Self {
        Self { component, families, counters: HashMap::new(), gauges: HashMap::new() }
    }

    /// Whether the name was taken.
    pub(super) fn increment(&mut self, name: &str, by: u64) -> bool {
        if let Some(counter) = self.counters.get(name) {
            counter.inc_by(by);
            return true;
        }
        if !self.families.takes(&self.component, name) {
            return false;
        }
        let counter = self.families.counters.with_label_values(&[&*self.component, name]);
        counter.inc_by(by);
        self.counters.insert(name.to_owned(), counter);
        true
    }

    /// Whether the name and the value were taken.
    pub(super) fn set(&mut self, name: &str, value: f64) -> bool {
        if !value.is_finite() || (!self.gauges.contains_key(name) && !self.families.takes(&self.component, name)) {
            return false;
        }
        let (gauge, own) = self
            .gauges
            .entry(name.to_owned())
            .or_insert_with(|| (self.families.gauges.with_label_values(&[&*self.component, name]), 0.0));
        gauge.add(value - *own);
        *own = value;
        true
    }
}

impl Drop for GuestMetrics {
    /// The shown value is the sum over the instances that live.
    fn drop(&mut self) {
        for (gauge, own) in self.gauges.values() {
            gauge.sub(*own);
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Opts;

    use super::*;

    fn families() -> GuestFamilies {
        let labels = ["component", "name"];
        GuestFamilies::new(
            IntCounterVec::new(Opts::new("gateway_component_counter", "help"), &labels).unwrap(),
            GaugeVec::new(Opts::new("gateway_component_gauge", "help"), &labels).unwrap(),
        )
    }

    #[test]
    fn instances_add_up_and_leave_nothing_behind() {
        let families = families();
        let shown = || families.gauges.with_label_values(&["a", "depth"]).get();
        let mut one = GuestMetrics::new("a".into(), families.clone());
        let mut two = GuestMetrics::new("a".into(), families.clone());
        assert!(one.set("depth", 3.0) && two.set("depth", 4.0) && one.set("depth", 1.0));
        assert_eq!(shown(), 5.0);
        drop(one);
        assert_eq!(shown(), 4.0);
    }

    #[test]
    fn malformed_and_too_many_names_are_refused() {
        let mut metrics = GuestMetrics::new("a".into(), families());
        assert!(!metrics.increment("", 1) && !metrics.increment("a-b", 1) && !metrics.increment(&"a".repeat(65), 1));
        assert!(!metrics.set("depth", f64::NAN));
        let taken = (0..100).filter(|number| metrics.increment(&format!("n{number}"), 1)).count();
        assert_eq!(taken, NAMES);
        assert!(metrics.increment("n0", 1));
    }

    #[test]
    fn instances_that_come_and_go_share_the_names_of_their_component() {
        let families = families();
        let taken = (0..100).filter(|number| {
            let mut instance = GuestMetrics::new("a".into(), families.clone());
            instance.increment(&format!("n{number}"), 1)
        });
        assert_eq!(taken.count(), NAMES);
        assert!(GuestMetrics::new("b".into(), families).increment("its_own", 1));
    }
}
