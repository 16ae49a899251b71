//! The filter chain of a lane: which events of a batch go on to the broker.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use serde::de::IgnoredAny;

use super::names::{NameId, PerName};
use crate::component::call::{Batch, Call};
use crate::component::filter::{Filter, FilterInstance, Interest};
use crate::component::{CallError, Verdict};
use crate::config::OnError;
use crate::telemetry::ComponentMetrics;

/// Events of one batch that are tried one by one after a failure, before the rest is given up to `on_error`. A component that
/// hangs must not hold the lane for its time limit once for every event.
const TRIES: u32 = 3;

/// Which events of a batch still go on, with what is needed to decide it.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) call: Call,
    /// For each event of the batch, its name's number.
    pub(super) names: Vec<Option<NameId>>,
    /// For each event of the batch, whether it goes on.
    pub(super) passes: Vec<bool>,
}

impl Course {
    /// The batch, to be changed. No call runs, so nothing else holds it.
    pub(super) fn batch(&mut self) -> &mut Batch {
        Arc::make_mut(&mut self.call.batch)
    }

    /// Makes the events that still go on the ones that the next component is asked about.
    pub(super) fn ask_passing(&mut self) {
        let mut asked = std::mem::take(&mut self.batch().asked);
        asked.clear();
        asked.extend((0..).zip(&self.passes).filter(|(_, passes)| **passes).map(|(position, _)| position));
        self.batch().asked = asked;
    }

    fn ask_one(&mut self, position: u32) {
        let asked = &mut self.batch().asked;
        asked.clear();
        asked.push(position);
    }
}

/// Filters in the order of the configuration.
pub(super) struct Chain {
    slots: Vec<Slot>,
}

/// One filter's place in the chain.
pub(super) struct Slot {
    filter: Filter,
    on_error: OnError,
    metrics: ComponentMetrics,
    /// `None` before the first use and after a failure.
    instance: Option<FilterInstance>,
    /// That of the last instance, so that the filter is asked about nothing else when it must be made anew.
    interest: Arc<Interest>,
    /// Names for which the verdict is known: whether they pass.
    remembered: PerName<bool>,
}

impl Chain {
    pub(super) fn new(filters: impl IntoIterator<Item = (Filter, OnError, ComponentMetrics)>) -> Self {
        let slot = |(filter, on_error, metrics)| Slot {
            filter,
            on_error,
            metrics,
            instance: None,
            interest: Arc::default(),
            remembered: PerName::default(),
        };
        Self { slots: filters.into_iter().map(slot).collect() }
    }

    /// Makes the instances, so that a component that cannot start is found before the first event.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        for slot in &mut self.slots {
            let name = Arc::clone(slot.filter.name());
            slot.instance().await.map_err(|error| anyhow!("component `{name}` failed at its start: {error}"))?;
        }
        Ok(())
    }

    /// Makes new instances before the next call: those that there are may be in any state.
    pub(super) fn drop_instances(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.instance = None);
    }

    /// Runs a batch through all filters.
    ///
    /// # Errors
    /// If a filter failed whose `on_error` is `stop`.
    pub(super) async fn run(&mut self, course: &mut Course) -> anyhow::Result<()> {
        for slot in &mut self.slots {
            if slot.apply_remembered(course) {
                slot.ask(course).await.with_context(|| format!("component `{}` failed", slot.filter.name()))?;
            }
        }
        Ok(())
    }
}

impl Slot {
    async fn instance(&mut self) -> Result<&mut FilterInstance, CallError> {
        if self.instance.is_none() {
            let instance = self.filter.instantiate().await?;
            self.remembered.clear();
            self.interest = Arc::clone(instance.interest());
            self.instance = Some(instance);
        }
        // Just filled.
        self.instance.as_mut().ok_or_else(|| CallError::Contract("no instance".into()))
    }

    /// Applies what is known about names. Whether there is anything left to ask about.
    fn apply_remembered(&mut self, course: &mut Course) -> bool {
        let mut asked = std::mem::take(&mut course.batch().asked);
        asked.clear();
        let batch = Arc::clone(&course.call.batch);
        for (position, ((passes, name), event)) in
            (0..).zip(course.passes.iter_mut().zip(&course.names).zip(&batch.events))
        {
            if !*passes {
                continue;
            }
            let known = name.and_then(|name| self.remembered.get(name));
            let known = known.or_else(|| self.uninterested(*name, &event.name));
            match known {
                Some(verdict) => *passes = verdict,
                None => asked.push(position),
            }
        }
        drop(batch);
        let any = !asked.is_empty();
        course.batch().asked = asked;
        any
    }

    /// An event that the filter does not want to see passes.
    fn uninterested(&mut self, id: Option<NameId>, name: &str) -> Option<bool> {
        if self.interest.covers(name) {
            return None;
        }
        if let Some(id) = id {
            self.remembered.set(id, true);
        }
        Some(true)
    }

    /// Asks about the asked events. After a failure they are tried one by one, so that only the guilty ones meet `on_error`.
    async fn ask(&mut self, course: &mut Course) -> anyhow::Result<()> {
        let Err(error) = self.decide(course).await else { return Ok(()) };
        let asked = course.call.batch.asked.clone();
        if let [position] = *asked {
            return self.give_up(course, position, &error);
        }
        let mut failures = 1;
        for position in asked {
            course.ask_one(position);
            if failures > TRIES {
                self.give_up(course, position, &error)?;
            } else if let Err(error) = self.decide(course).await {
                failures += 1;
                self.give_up(course, position, &error)?;
            }
        }
        Ok(())
    }

    fn give_up(&self, course: &mut Course, position: u32, error: &CallError) -> anyhow::Result<()> {
        match self.on_error {
            OnError::Pass => {}
            OnError::Drop => set(&mut course.passes, position, false),
            OnError::Stop => return Err(anyhow!("{error}. Its `on_error` is `stop`, so the gateway ends")),
        }
        Ok(())
    }

    async fn decide(&mut self, course: &mut Course) -> Result<(), CallError> {
        let started = Instant::now();
        let outcome = match self.instance().await {
            Ok(instance) => instance.decide(&mut course.call).await,
            Err(error) => Err(error),
        };
        self.metrics.called(course.call.batch.asked.len(), started.elapsed());
        let outcome = outcome.and_then(|verdicts| self.apply(course, verdicts));
        if let Err(error) = &outcome {
            self.metrics.failed(error.reason());
            tracing::warn!(component = &**self.filter.name(), "filter failed: {error}");
            if !error.leaves_instance() {
                self.instance = None;
            }
        }
        self.metrics.memory(self.instance.as_ref().map_or(0, FilterInstance::memory_used));
        outcome
    }

    /// All or nothing: after a failure the same events are asked about again, and must be as they were.
    fn apply(&mut self, course: &mut Course, verdicts: Vec<Verdict>) -> Result<(), CallError> {
        verdicts.iter().try_for_each(check)?;
        let asked = std::mem::take(&mut course.batch().asked);
        asked.iter().zip(verdicts).for_each(|(position, verdict)| self.apply_one(course, *position, verdict));
        course.batch().asked = asked;
        Ok(())
    }

    fn apply_one(&mut self, course: &mut Course, position: u32, verdict: Verdict) {
        let passes = match verdict {
            Verdict::Pass => true,
            Verdict::Drop => false,
            Verdict::PassAlways => self.remember(course, position, true),
            Verdict::DropAlways => self.remember(course, position, false),
            Verdict::Replace(payload) => {
                replace(course, position, payload);
                true
            }
        };
        self.metrics.decided(passes);
        set(&mut course.passes, position, passes);
    }

    fn remember(&mut self, course: &Course, position: u32, passes: bool) -> bool {
        let name = usize::try_from(position).ok().and_then(|position| course.names.get(position).copied().flatten());
        if let Some(name) = name {
            self.remembered.set(name, passes);
        }
        passes
    }
}

fn set(passes: &mut [bool], position: u32, value: bool) {
    if let Some(slot) = usize::try_from(position).ok().and_then(|position| passes.get_mut(position)) {
        *slot = value;
    }
}

fn check(verdict: &Verdict) -> Result<(), CallError> {
    let Verdict::Replace(payload) = verdict else { return Ok(()) };
    let text = std::str::from_utf8(payload)
        .map_err(|error| CallError::Contract(format!("`replace` holds no UTF-8: {error}")))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| CallError::Contract(format!("`replace` holds no JSON text: {error}")))?;
    Ok(())
}

fn replace(course: &mut Course, position: u32, payload: Vec<u8>) {
    course.call.lookups.forget(position);
    let event = usize::try_from(position).ok().and_then(|position| course.batch().events.get_mut(position));
    if let Some(event) = event {
        event.replace_payload(Bytes::from(payload));
    }
}
