//! One instance under its limits.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Store, Trap};

use super::CallError;
use super::bindings::log::Level;
use super::engine::{Engine, TICK, ticks};
use super::guest_metrics::{GuestFamilies, GuestMetrics};
use super::limits::Limits;
use super::state::InstanceState;
use crate::capability::Capabilities;

/// What every instance of a component shares.
#[derive(Clone)]
pub struct Environment {
    /// Runs it.
    pub engine: Engine,
    /// What each instance may use.
    pub limits: Limits,
    /// Where its own figures go.
    pub figures: GuestFamilies,
}

/// An instance's store. After a failed call it must not be used again.
pub(super) struct Sandbox {
    pub(super) store: Store<InstanceState>,
    limits: Limits,
}

impl Sandbox {
    pub(super) fn new(name: &Arc<str>, environment: &Environment, capabilities: Capabilities) -> Self {
        let metrics = GuestMetrics::new(Arc::clone(name), environment.figures.clone());
        let state = InstanceState::new(name, &environment.limits, metrics, capabilities);
        let mut store = Store::new(environment.engine.raw(), state);
        store.limiter(|state| &mut state.limiter);
        Self { store, limits: environment.limits.clone() }
    }

    /// Starts the clock of the next call.
    pub(super) fn arm(&mut self) -> &mut Store<InstanceState> {
        self.store.set_epoch_deadline(ticks(self.limits.time));
        self.store.data_mut().limiter.start_call();
        &mut self.store
    }

    /// How long a call may take when the guest waits instead of computing, where the engine's clock does not reach it.
    pub(super) fn patience(&self) -> Duration {
        self.limits.time + 2 * TICK
    }

    pub(super) fn timeout(&self) -> CallError {
        CallError::Timeout(self.limits.time)
    }

    pub(super) fn memory_used(&self) -> usize {
        self.store.data().limiter.memory_used()
    }

    /// What the engine's error means. Where in the component it happened is for who looks for a fault there.
    pub(super) fn explain(&self, error: &wasmtime::Error) -> CallError {
        let state = self.store.data();
        state.log.write(Level::Debug, &format!("{error:#}"));
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => self.timeout(),
            _ if state.limiter.has_refused() => CallError::Memory(self.limits.memory),
            _ => CallError::Trap(error.root_cause().to_string()),
        }
    }
}

/// Makes one call of a guest: with a time limit, and with its failure explained. A crash of the host in it fails this call alone:
/// its instance is not used again.
macro_rules! guarded {
    ($sandbox:expr, |$store:ident| $call:expr) => {{
        let patience = $sandbox.patience();
        let outcome = {
            let $store = $sandbox.arm();
            let call = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe($call));
            tokio::time::timeout(patience, call).await
        };
        match outcome {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err($sandbox.explain(&error)),
            Ok(Err(panic)) => Err($crate::component::CallError::Panic($crate::panic::panic_text(&*panic))),
            Err(_) => Err($sandbox.timeout()),
        }
    }};
}
pub(super) use guarded;
