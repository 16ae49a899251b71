//! The world `broker`, from the host's side.

use std::sync::Arc;

use super::bindings::broker_world::{Broker, BrokerPre};
use super::bindings::{Command, Message};
use super::call::Call;
use super::loader::{Role, Source};
use super::sandbox::{Environment, Sandbox, guarded};
use super::{CallError, LoadError, event_record};
use crate::capability::Capabilities;
use crate::config::BrokerType;

/// The code of a broker adapter, compiled and checked.
#[derive(Clone)]
pub struct AdapterCode {
    name: Arc<str>,
    pre: BrokerPre<super::state::InstanceState>,
    environment: Environment,
}

impl AdapterCode {
    /// Compiles the component and checks that it is an adapter, and imports no capability that it is not granted.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn prepare(source: &Source, granted: BrokerType, environment: Environment) -> Result<Self, LoadError> {
        let role = Role::Adapter(granted);
        let pre = source.prepare(&environment.engine, role)?;
        let pre = BrokerPre::new(pre).map_err(|error| LoadError::OtherContract {
            name: source.name.to_string(),
            world: role.world(),
            reason: format!("{error:#}"),
        })?;
        Ok(Self { name: Arc::clone(&source.name), pre, environment })
    }

    /// The component's name in logs and metrics.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The adapter with the JSON object that its `open` gets.
    #[must_use]
    pub fn with_config(&self, config: &serde_json::Value) -> Adapter {
        Adapter { code: self.clone(), config: config.to_string().into() }
    }
}

/// A broker adapter, ready to be instantiated in every lane.
#[derive(Clone)]
pub struct Adapter {
    code: AdapterCode,
    config: Arc<str>,
}

impl Adapter {
    /// The component's name in logs and metrics.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        self.code.name()
    }

    /// Makes an instance with its own view of the capabilities, and lets it prepare its broker.
    ///
    /// # Errors
    /// If `open` fails or breaks a limit.
    pub async fn instantiate(&self, capabilities: Capabilities) -> Result<AdapterInstance, CallError> {
        let mut sandbox = Sandbox::new(self.name(), &self.code.environment, capabilities);
        let world: Broker = guarded!(sandbox, |store| self.code.pre.instantiate_async(store))?;
        sandbox.store.data_mut().capabilities.opening = true;
        guarded!(sandbox, |store| world.spectacles_gateway_adapter().call_open(store, &self.config))?
            .map_err(CallError::Refused)?;
        sandbox.store.data_mut().capabilities.opening = false;
        Ok(AdapterInstance { sandbox, world })
    }
}

/// One instance of an adapter.
pub struct AdapterInstance {
    sandbox: Sandbox,
    world: Broker,
}

impl AdapterInstance {
    /// What the instance has handed to the capabilities, and where the lane puts what they may take.
    pub fn capabilities(&mut self) -> &mut Capabilities {
        &mut self.sandbox.store.data_mut().capabilities
    }

    /// Bytes of memory that the instance holds.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.sandbox.memory_used()
    }

    /// Publishes the events that `call` asks about. What the adapter hands over is found in [`Self::capabilities`].
    ///
    /// # Errors
    /// After an error nothing of what was handed over may go out: the same events will be published again.
    pub async fn publish(&mut self, call: &mut Call) -> Result<(), CallError> {
        let batch = Arc::clone(&call.batch);
        let events: Vec<_> = batch.asked_events().map(event_record).collect();
        self.sandbox.store.data_mut().call = Some(std::mem::take(call));
        let answer =
            guarded!(self.sandbox, |store| self.world.spectacles_gateway_adapter().call_publish(store, &events));
        *call = self.sandbox.store.data_mut().call.take().unwrap_or_default();
        answer?.map_err(CallError::Refused)
    }

    /// Hands over what came in, and returns the commands in it.
    ///
    /// # Errors
    /// If the adapter does not understand the message, or breaks a limit.
    pub async fn receive(&mut self, message: Message<'_>) -> Result<Vec<Command>, CallError> {
        guarded!(self.sandbox, |store| self.world.spectacles_gateway_adapter().call_receive(store, message))?
            .map_err(CallError::Refused)
    }

    /// Tells the instance that it ends.
    ///
    /// # Errors
    /// If it breaks a limit.
    pub async fn close(mut self) -> Result<(), CallError> {
        guarded!(self.sandbox, |store| self.world.spectacles_gateway_adapter().call_close(store))
    }
}
