//! `stdio.write`, as the guest calls it.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList};

use crate::capability::body::{GuestForm, push_parts};
use crate::component::state::InstanceState;

/// Adds the capability to a linker. By hand, so that `before` and `after` go from the guest's memory straight into the frame.
///
/// # Errors
/// If the linker has the interface already.
pub fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    type Write = (u32, WasmList<u8>, GuestForm, WasmList<u8>);
    let mut stdio = linker.instance("spectacles:gateway/stdio@0.1.0")?;
    stdio.func_wrap("write", |mut store: StoreContextMut<'_, InstanceState>, (index, before, form, after): Write| {
        let mut frames = std::mem::take(&mut store.data_mut().capabilities().stdio);
        push_parts(&mut frames, &mut store, index, Some(&before), Some(form), Some(&after))?;
        store.data_mut().capabilities().stdio = frames;
        Ok(())
    })
}
