//! What the host keeps for each instance, and how the interfaces of `wit/` that every component may import reach it.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, ResourceTable, WasmStr};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::bindings::{log, metrics, types};
use super::call::Call;
use super::guest_log::GuestLog;
use super::guest_metrics::GuestMetrics;
use super::limits::{Limiter, Limits};
use crate::capability::Capabilities;

/// Resources that a guest may hold at a time.
const RESOURCES: usize = 1024;

/// The host's side of one instance.
pub struct InstanceState {
    pub(super) limiter: Limiter,
    pub(super) log: GuestLog,
    pub(super) metrics: GuestMetrics,
    /// The running call's events; none between calls.
    pub(super) call: Option<Call>,
    pub(super) capabilities: Capabilities,
    wasi: WasiCtx,
    resources: ResourceTable,
}

impl InstanceState {
    pub(super) fn new(name: &Arc<str>, limits: &Limits, metrics: GuestMetrics, capabilities: Capabilities) -> Self {
        let log = GuestLog::new(Arc::clone(name));
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCES);
        let wasi = WasiCtxBuilder::new().stderr(log.stream()).build();
        Self { limiter: Limiter::new(limits), log, metrics, call: None, capabilities, wasi, resources }
    }

    /// The running call's events; none between calls.
    pub(crate) fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    /// What the instance has handed over.
    pub(crate) fn capabilities(&mut self) -> &mut Capabilities {
        &mut self.capabilities
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}

impl types::Host for InstanceState {}

impl log::Host for InstanceState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.log.write(level, &message);
        Ok(())
    }
}

impl metrics::Host for InstanceState {
    fn increment(&mut self, name: String, by: u64) -> wasmtime::Result<()> {
        if !self.metrics.increment(&name, by) {
            self.log.refuse_metric(&name);
        }
        Ok(())
    }

    fn set(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        if !self.metrics.set(&name, value) {
            self.log.refuse_metric(&name);
        }
        Ok(())
    }
}

struct Whole;

impl wasmtime::component::HasData for Whole {
    type Data<'a> = &'a mut InstanceState;
}

/// Adds what every world may import.
pub(super) fn link_common(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    types::add_to_linker::<_, Whole>(linker, |state| state)?;
    log::add_to_linker::<_, Whole>(linker, |state| state)?;
    metrics::add_to_linker::<_, Whole>(linker, |state| state)?;
    link_payloads(linker)
}

/// Linked by hand, unlike the others: strings are borrowed from the guest, and payloads lent to it, so that an event costs no
/// copy on the host's side.
fn link_payloads(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    let mut payloads = linker.instance("spectacles:gateway/payloads@0.1.0")?;
    payloads.func_wrap("size", |mut store: StoreContextMut<'_, InstanceState>, (index,): (u32,)| {
        Ok((running(&mut store)?.size(index).ok_or_else(|| past_the_end(index))?,))
    })?;
    payloads.func_wrap("get", |mut store: StoreContextMut<'_, InstanceState>, (index, pointer): (u32, WasmStr)| {
        let mut call = store.data_mut().call.take().ok_or_else(outside_a_call)?;
        let found = pointer.to_str(&store).map(|pointer| call.get(index, &pointer));
        store.data_mut().call = Some(call);
        Ok((found?.ok_or_else(|| past_the_end(index))?,))
    })?;
    payloads.func_wrap(
        "read",
        |mut store: StoreContextMut<'_, InstanceState>, (index, offset, length): (u32, u32, u32)| {
            Ok((running(&mut store)?.read(index, offset, length).ok_or_else(|| past_the_end(index))?,))
        },
    )?;
    payloads.func_wrap("identity", |mut store: StoreContextMut<'_, InstanceState>, (index,): (u32,)| {
        Ok((running(&mut store)?.identity(index).ok_or_else(|| past_the_end(index))?,))
    })
}

fn running<'a>(store: &'a mut StoreContextMut<'_, InstanceState>) -> wasmtime::Result<&'a mut Call> {
    store.data_mut().call.as_mut().ok_or_else(outside_a_call)
}

pub(crate) fn outside_a_call() -> wasmtime::Error {
    wasmtime::Error::msg("a payload was used outside a call that has events")
}

pub(crate) fn past_the_end(index: u32) -> wasmtime::Error {
    wasmtime::Error::msg(format!("index {index} is past the end of the list of events"))
}
