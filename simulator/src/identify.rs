//! Op 2: validation in Discord's order, the throttle of each key, the daily budget, and READY.

use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

use crate::{
    fault::{Answer, FaultKind},
    inbound::Rejected,
    intents,
    journal::Happening,
    outbox::Action,
    session::{Identity, control_payload},
    state::{Shared, State},
};

/// Takes an Identify.
pub(crate) fn identify(shared: &Shared, id: u64, host: Option<&str>, mut data: Value) -> Result<(), Rejected> {
    let token = data.get("token").and_then(Value::as_str).map(str::to_owned);
    if let Some(field) = data.get_mut("token") {
        *field = Value::from("<redacted>");
    }
    let shard = shard_of(&data);
    let named = shard.as_ref().ok().copied().flatten().map(|(shard, _)| shard);
    shared.journal.write(Some(id), named, Happening::Identify { data: data.clone() });
    if shared.state().session_of(id).is_some() {
        return Err(Rejected::new(4005, "Already authenticated."));
    }
    if !data.get("properties").is_some_and(Value::is_object) {
        return Err(Rejected::MALFORMED);
    }
    if !shared.accepts(&token.ok_or(Rejected::MALFORMED)?) {
        return Err(Rejected::new(4004, "Authentication failed."));
    }
    let identity = validate(shared, &data, shard?)?;
    let mut state = shared.state();
    if let Some(outbox) = state.connections.get_mut(&id) {
        outbox.shard = Some(identity.shard);
        outbox.compresses_payloads = data.get("compress").and_then(Value::as_bool).unwrap_or(false);
    }
    if is_throttled(shared, &mut state, &identity) {
        if shared.options.knobs.throttled_identify_counts {
            spend_start(shared, &mut state, id)?;
        }
        reject_later(shared, &mut state, id);
        return Ok(());
    }
    spend_start(shared, &mut state, id)?;
    answer(shared, &mut state, id, host, identity)
}

/// `None` if the client is unsharded.
fn shard_of(data: &Value) -> Result<Option<(u32, u32)>, Rejected> {
    let Some(shard) = data.get("shard").filter(|shard| !shard.is_null()) else { return Ok(None) };
    let number = |index: usize| shard.get(index).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let is_pair = shard.as_array().is_some_and(|pair| pair.len() == 2);
    match (number(0), number(1)) {
        (Some(id), Some(count)) if is_pair => Ok(Some((id, count))),
        _ => Err(Rejected::new(4010, "Invalid shard.")),
    }
}

fn validate(shared: &Shared, data: &Value, shard: Option<(u32, u32)>) -> Result<Identity, Rejected> {
    let (id, count) = shard.unwrap_or((0, 1));
    let multiple = shared.options.knobs.large_bot.unwrap_or(1).max(1);
    if id >= count || count % multiple != 0 {
        return Err(Rejected::new(4010, "Invalid shard."));
    }
    let identity = Identity {
        shard: id,
        count,
        sharded: shard.is_some(),
        intents: validate_intents(shared, data)?,
        large_threshold: large_threshold(data)?,
    };
    let required = shared.state().faults.take(None, |kind| match kind {
        FaultKind::ShardCountRaised(required) => Some(*required),
        _ => None,
    });
    let guilds = shared.world.guilds_of(id, count).len();
    let too_many = guilds > usize::try_from(shared.options.limits.guilds_per_shard).unwrap_or(usize::MAX);
    if too_many || required.is_some_and(|required| count < required) {
        return Err(Rejected::new(4011, "Sharding required."));
    }
    Ok(identity)
}

fn validate_intents(shared: &Shared, data: &Value) -> Result<u64, Rejected> {
    let asked = data.get("intents").and_then(Value::as_u64);
    let asked = asked.filter(|asked| asked & !(intents::ALL | shared.options.knobs.extra_intents) == 0);
    let asked = asked.ok_or_else(|| Rejected::new(4013, "Invalid intent(s)."))?;
    let revoked = shared.state().faults.take(None, |kind| match kind {
        FaultKind::IntentsRevoked(revoked) => Some(*revoked),
        _ => None,
    });
    let granted = shared.options.knobs.privileged_intents & !revoked.unwrap_or(0);
    if asked & intents::PRIVILEGED & !granted != 0 {
        return Err(Rejected::new(4014, "Disallowed intent(s)."));
    }
    Ok(asked)
}

fn large_threshold(data: &Value) -> Result<u32, Rejected> {
    let Some(threshold) = data.get("large_threshold").filter(|threshold| !threshold.is_null()) else { return Ok(50) };
    let threshold = threshold.as_u64().filter(|threshold| (50..=250).contains(threshold));
    threshold.and_then(|threshold| u32::try_from(threshold).ok()).ok_or(Rejected::MALFORMED)
}

/// Whether the key of this shard has identified too recently.
fn is_throttled(shared: &Shared, state: &mut State, identity: &Identity) -> bool {
    let now = Instant::now();
    let interval = shared.options.limits.identify_interval.saturating_sub(JITTER);
    let key = identity.shard % shared.options.max_concurrency.max(1);
    let throttled = state.identified.get(&key).is_some_and(|last| now < *last + interval);
    if !throttled {
        state.identified.insert(key, now);
    }
    throttled
}

/// Spends one session start. The start that isn't there costs the bot its token and every session.
fn spend_start(shared: &Shared, state: &mut State, id: u64) -> Result<(), Rejected> {
    if state.ledger.spend(Instant::now()) {
        return Ok(());
    }
    state.faults.arm(FaultKind::TokenRevoked.into());
    let sessions: Vec<_> = state.sessions.keys().cloned().collect();
    sessions.iter().for_each(|session| shared.end_session(state, session));
    let others: Vec<_> = state.connections.keys().copied().filter(|other| *other != id).collect();
    others.into_iter().for_each(|other| state.close_now(other, 4004, "Authentication failed."));
    Err(Rejected::new(4004, "Authentication failed."))
}

fn reject_later(shared: &Shared, state: &mut State, id: u64) {
    let (least, most) = shared.options.limits.identify_rejection.clone().into_inner();
    let delay = least + most.saturating_sub(least).mul_f64(state.random.f64());
    let shard = state.connections.get(&id).and_then(|outbox| outbox.shard);
    if let Some(outbox) = state.connections.get_mut(&id) {
        outbox.push_later(Instant::now() + delay, Action::Payload(control_payload(9, false)));
    }
    shared.journal.write(Some(id), shard, Happening::InvalidSession { resumable: false });
}

fn answer(shared: &Shared, state: &mut State, id: u64, host: Option<&str>, identity: Identity) -> Result<(), Rejected> {
    let answer = state.faults.take(Some(identity.shard), |kind| match kind {
        FaultKind::AnswerIdentify(answer) => Some(answer.clone()),
        _ => None,
    });
    match answer {
        None => {
            let resume_url = resume_url(shared, state, host, identity.shard);
            shared.start_session(state, id, identity, resume_url.as_deref());
        }
        Some(Answer::InvalidSession { resumable }) => shared.invalidate(state, id, resumable),
        Some(Answer::Close(code)) => return Err(Rejected::new(code, "Closed on demand.")),
        Some(Answer::Drop) => state.push_now(id, Action::Drop),
        Some(Answer::Silence) => {}
    }
    Ok(())
}

fn resume_url(shared: &Shared, state: &mut State, host: Option<&str>, shard: u32) -> Option<String> {
    if state.faults.due(Some(shard), &FaultKind::ReadyWithoutResumeUrl) {
        return None;
    }
    let own = || shared.addresses.resume_url(host);
    Some(shared.options.knobs.resume_url.clone().unwrap_or_else(own))
}

/// What the network may take from the time between two identifies.
const JITTER: Duration = Duration::from_millis(100);
