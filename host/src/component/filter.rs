//! The world `event-filter`, from the host's side.

use std::collections::HashSet;
use std::sync::Arc;

use super::bindings::Verdict;
use super::bindings::filter_world::exports::spectacles::gateway::filter as contract;
use super::bindings::filter_world::{EventFilter, EventFilterPre};
use super::call::Call;
use super::loader::{Role, Source};
use super::sandbox::{Environment, Sandbox, guarded};
use super::{CallError, LoadError, event_record};
use crate::capability::Capabilities;

/// A filter, ready to be instantiated in every lane.
#[derive(Clone)]
pub struct Filter {
    name: Arc<str>,
    pre: EventFilterPre<super::state::InstanceState>,
    config: Arc<str>,
    /// The operator's choice of what it is asked about.
    events: Option<Arc<HashSet<String>>>,
    environment: Environment,
}

impl Filter {
    /// Compiles the component and checks that it is a filter. `config` is the JSON object that its `init` gets, `events` the names
    /// that it is asked about at most; `None` for all.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn prepare(
        source: &Source,
        config: &serde_json::Value,
        events: Option<Vec<String>>,
        environment: Environment,
    ) -> Result<Self, LoadError> {
        let pre = source.prepare(&environment.engine, Role::Filter)?;
        let pre = EventFilterPre::new(pre).map_err(|error| LoadError::OtherContract {
            name: source.name.to_string(),
            world: Role::Filter.world(),
            reason: format!("{error:#}"),
        })?;
        let events = events.map(|events| Arc::new(events.into_iter().collect()));
        Ok(Self { name: Arc::clone(&source.name), pre, config: config.to_string().into(), events, environment })
    }

    /// The component's name in logs and metrics.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Makes an instance, and lets it say what it wants to see.
    ///
    /// # Errors
    /// If `init` fails or breaks a limit.
    pub async fn instantiate(&self) -> Result<FilterInstance, CallError> {
        let mut sandbox = Sandbox::new(&self.name, &self.environment, Capabilities::default());
        let world: EventFilter = guarded!(sandbox, |store| self.pre.instantiate_async(store))?;
        let answer = guarded!(sandbox, |store| world.spectacles_gateway_filter().call_init(store, &self.config))?;
        let own = answer.map_err(CallError::Refused)?.events.map(HashSet::from_iter);
        Ok(FilterInstance { interest: Arc::new(Interest { operators: self.events.clone(), own }), sandbox, world })
    }
}

/// The events that a filter is asked about.
#[derive(Debug, Default)]
pub struct Interest {
    /// The operator's choice; `None` for all.
    operators: Option<Arc<HashSet<String>>>,
    /// The filter's own; `None` for all.
    own: Option<HashSet<String>>,
}

impl Interest {
    /// Whether it is asked about events of that name.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.operators.as_ref().is_none_or(|events| events.contains(name))
            && self.own.as_ref().is_none_or(|events| events.contains(name))
    }
}

/// One instance of a filter.
pub struct FilterInstance {
    interest: Arc<Interest>,
    sandbox: Sandbox,
    world: EventFilter,
}

impl FilterInstance {
    /// What it is asked about.
    #[must_use]
    pub fn interest(&self) -> &Arc<Interest> {
        &self.interest
    }

    /// Bytes of memory that the instance holds.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.sandbox.memory_used()
    }

    /// Asks about the events of `call`: one verdict for each. `call` comes back with what was looked up.
    ///
    /// # Errors
    /// The instance is gone then.
    pub async fn decide(&mut self, call: &mut Call) -> Result<Vec<Verdict>, CallError> {
        let batch = Arc::clone(&call.batch);
        let events: Vec<contract::Event<'_>> = batch.asked_events().map(event_record).collect();
        self.sandbox.store.data_mut().call = Some(std::mem::take(call));
        let answer = guarded!(self.sandbox, |store| self.world.spectacles_gateway_filter().call_decide(store, &events));
        *call = self.sandbox.store.data_mut().call.take().unwrap_or_default();
        let expected = events.len();
        let verdicts = answer?;
        if verdicts.len() != expected {
            return Err(CallError::Contract(format!(
                "`decide` gave {} verdicts for {expected} events",
                verdicts.len()
            )));
        }
        Ok(verdicts)
    }
}
