//! What a client sent: the limits of every payload, then its opcode.

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    commands, connection::shard_of, fault::FaultKind, identify, journal::Happening, outbox::Action, resume,
    session::control_payload, state::Shared,
};

/// A payload that can't be accepted: the connection closes.
pub(crate) struct Rejected {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

impl Rejected {
    pub(crate) const MALFORMED: Self = Self { code: 4001, reason: "Invalid payload for the opcode." };

    pub(crate) fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

/// Takes one payload.
pub(crate) fn receive(shared: &Shared, id: u64, host: Option<&str>, payload: &[u8]) {
    if let Err(Rejected { code, reason }) = handle(shared, id, host, payload) {
        shared.state().close_now(id, code, reason);
    }
}

fn handle(shared: &Shared, id: u64, host: Option<&str>, payload: &[u8]) -> Result<(), Rejected> {
    if !take_send(shared, id) {
        return Err(Rejected::new(4008, "You are being rate limited."));
    }
    if payload.len() > shared.options.limits.payload_bytes {
        return Err(Rejected::new(4002, "The payload is too large."));
    }
    let envelope: Value =
        serde_json::from_slice(payload).map_err(|_| Rejected::new(4002, "Error while decoding payload."))?;
    let opcode = envelope.get("op").and_then(Value::as_u64);
    let opcode = opcode.ok_or_else(|| Rejected::new(4002, "Error while decoding payload."))?;
    let data = envelope.get("d").cloned().unwrap_or(Value::Null);
    match opcode {
        1 => heartbeat(shared, id, &data),
        2 => identify::identify(shared, id, host, data),
        6 => resume::resume(shared, id, &data),
        3 | 4 | 8 | 31 | 43 => command(shared, id, opcode, data),
        _ => Err(Rejected::new(4001, "Unknown opcode.")),
    }
}

fn take_send(shared: &Shared, id: u64) -> bool {
    let mut state = shared.state();
    state.connections.get_mut(&id).is_none_or(|outbox| outbox.sends.take(Instant::now()))
}

fn heartbeat(shared: &Shared, id: u64, data: &Value) -> Result<(), Rejected> {
    let sequence = data.as_u64();
    if sequence.is_none() && !data.is_null() {
        return Err(Rejected::MALFORMED);
    }
    let shard = shard_of(shared, id);
    let mut state = shared.state();
    if let Some(outbox) = state.connections.get_mut(&id) {
        outbox.beat = Instant::now();
    }
    let acknowledge = Action::Payload(control_payload(11, "null"));
    let delay = state.faults.take(shard, |kind| match kind {
        FaultKind::DelayAcks(delay) => Some(*delay),
        _ => None,
    });
    if let Some(delay) = delay {
        if let Some(outbox) = state.connections.get_mut(&id) {
            outbox.push_later(Instant::now() + delay, acknowledge);
        }
    } else if !state.faults.due(shard, &FaultKind::SwallowAcks) {
        state.act(id, acknowledge);
    }
    drop(state);
    shared.journal.write(Some(id), shard, Happening::Heartbeat { sequence });
    Ok(())
}

fn command(shared: &Shared, id: u64, opcode: u64, data: Value) -> Result<(), Rejected> {
    let shard = shard_of(shared, id);
    shared.journal.write(Some(id), shard, Happening::Command { opcode, data: data.clone() });
    let session = shared.state().session_of(id).map(|(session, _)| session.to_owned());
    let session = session.ok_or_else(|| Rejected::new(4003, "Not authenticated."))?;
    commands::answer(shared, id, &session, opcode, &data)
}
