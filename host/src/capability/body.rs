//! `body` of wit/content.wit, as guests hand it over.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, WasmList};

use super::{Contents, PayloadForm};
use crate::component::state::{InstanceState, outside_a_call, past_the_end};

/// Bytes that one call may hand over beside payloads: far more than the largest batch needs.
pub(super) const GREATEST_CALL: usize = 32 << 20;

/// `payload-form` of wit/content.wit.
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting the guest's value")]
pub(super) enum GuestForm {
    #[component(name = "verbatim")]
    Verbatim,
    #[component(name = "single-line")]
    SingleLine,
    #[component(name = "msgpack-string")]
    MsgpackString,
    #[component(name = "msgpack-object")]
    MsgpackObject,
}

/// `body` of wit/content.wit.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum GuestBody {
    #[component(name = "payload")]
    Payload(GuestForm),
    #[component(name = "wrapped")]
    Wrapped((WasmList<u8>, GuestForm, WasmList<u8>)),
    #[component(name = "bytes")]
    Bytes(WasmList<u8>),
}

/// Adds to `contents` what the running call hands over for the event at `index` of its list.
///
/// # Errors
/// Traps outside a call that has events, for an index past the end, and beyond what one call may hand over.
pub(super) fn push(
    contents: &mut Contents,
    store: &mut StoreContextMut<'_, InstanceState>,
    index: u32,
    body: &GuestBody,
) -> wasmtime::Result<()> {
    match body {
        GuestBody::Payload(form) => push_parts(contents, store, index, None, Some(*form), None),
        GuestBody::Wrapped((before, payload, after)) => {
            push_parts(contents, store, index, Some(before), Some(*payload), Some(after))
        }
        GuestBody::Bytes(bytes) => push_parts(contents, store, index, Some(bytes), None, None),
    }
}

/// As [`push`], for a body in its parts: from the guest's memory straight into `contents`.
pub(super) fn push_parts(
    contents: &mut Contents,
    store: &mut StoreContextMut<'_, InstanceState>,
    index: u32,
    before: Option<&WasmList<u8>>,
    form: Option<GuestForm>,
    after: Option<&WasmList<u8>>,
) -> wasmtime::Result<()> {
    let call = store.data().call().ok_or_else(outside_a_call)?;
    let (position, event) = call.batch.event(index).ok_or_else(|| past_the_end(index))?;
    let (payload, form) = match form {
        None => (bytes::Bytes::new(), PayloadForm::Verbatim),
        Some(GuestForm::SingleLine) if event.has_line_breaks() => (event.payload.clone(), PayloadForm::SingleLine),
        Some(GuestForm::Verbatim | GuestForm::SingleLine) => (event.payload.clone(), PayloadForm::Verbatim),
        Some(GuestForm::MsgpackString) => (event.payload.clone(), PayloadForm::MsgpackString),
        Some(GuestForm::MsgpackObject) => (event.payload.clone(), PayloadForm::MsgpackObject),
    };
    let own = [before, after].into_iter().flatten().map(WasmList::len).sum::<usize>();
    if contents.held().saturating_add(own) > GREATEST_CALL {
        return Err(wasmtime::Error::msg(format!(
            "`publish` handed over more than the {} MiB that one call may",
            GREATEST_CALL >> 20
        )));
    }
    let before = before.map(|list| list.as_le_slice(&*store)).unwrap_or_default();
    let after = after.map(|list| list.as_le_slice(&*store)).unwrap_or_default();
    contents.push(position, before, payload, form, after);
    Ok(())
}
