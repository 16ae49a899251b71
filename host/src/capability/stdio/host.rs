//! `stdio.write`, as the guest calls it.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, WasmList};

use super::PayloadForm;
use crate::component::state::{InstanceState, outside_a_call, past_the_end};

/// Bytes that the frames of one call may hold beside payloads: far more than the largest batch needs.
const GREATEST_CALL: usize = 32 << 20;

/// `payload-form` of wit/stdio.wit.
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting the guest's value")]
enum Form {
    #[component(name = "verbatim")]
    Verbatim,
    #[component(name = "single-line")]
    SingleLine,
}

/// Adds the capability to a linker. By hand, so that `before` and `after` go from the guest's memory straight into the frame.
///
/// # Errors
/// If the linker has the interface already.
pub fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    type Write = (u32, WasmList<u8>, Form, WasmList<u8>);
    let mut stdio = linker.instance("spectacles:gateway/stdio@0.1.0")?;
    stdio.func_wrap("write", |mut store: StoreContextMut<'_, InstanceState>, (index, before, form, after): Write| {
        let state = store.data_mut();
        let call = state.call().ok_or_else(outside_a_call)?;
        let (position, event) = call.batch.event(index).ok_or_else(|| past_the_end(index))?;
        let form = match form {
            Form::SingleLine if event.has_line_breaks() => PayloadForm::SingleLine,
            _ => PayloadForm::Verbatim,
        };
        let payload = event.payload.clone();
        let mut frames = std::mem::take(&mut state.capabilities().stdio);
        if frames.held().saturating_add(before.len()).saturating_add(after.len()) > GREATEST_CALL {
            return Err(wasmtime::Error::msg(format!(
                "`publish` handed over more than the {} MiB that one call may",
                GREATEST_CALL >> 20
            )));
        }
        frames.push(position, before.as_le_slice(&store), payload, form, after.as_le_slice(&store));
        store.data_mut().capabilities().stdio = frames;
        Ok(())
    })
}
