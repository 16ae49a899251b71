//! Op 6: replay and RESUMED, or the reason why not.

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    fault::{Answer, FaultKind},
    inbound::Rejected,
    journal::Happening,
    options::Refusal,
    outbox::Action,
    state::{Shared, State},
};

/// Takes a Resume.
pub(crate) fn resume(shared: &Shared, id: u64, data: &Value) -> Result<(), Rejected> {
    let token = data.get("token").and_then(Value::as_str).ok_or(Rejected::MALFORMED)?;
    let session = data.get("session_id").and_then(Value::as_str).ok_or(Rejected::MALFORMED)?;
    let sequence = data.get("seq").and_then(Value::as_u64).ok_or(Rejected::MALFORMED)?;
    let accepted = shared.accepts(token);
    let mut state = shared.state();
    if state.session_of(id).is_some() {
        return Err(Rejected::new(4005, "Already authenticated."));
    }
    shared.expire_sessions(&mut state);
    let shard = state.sessions.get(session).map(|session| session.identity.shard);
    if let Some(outbox) = state.connections.get_mut(&id) {
        outbox.shard = shard;
    }
    let happening = Happening::Resume { session: session.to_owned(), sequence };
    shared.journal.write(Some(id), shard, happening);
    let revoked = state.faults.due(None, &FaultKind::TokenRevoked);
    if revoked {
        return Err(Rejected::new(4004, "Authentication failed."));
    }
    if !accepted {
        return refuse(shared, &mut state, id, shared.options.knobs.resume_token);
    }
    let answer = state.faults.take(shard, |kind| match kind {
        FaultKind::AnswerResume(answer) => Some(answer.clone()),
        _ => None,
    });
    match answer {
        None => attach(shared, &mut state, id, session, sequence),
        Some(Answer::InvalidSession { resumable }) => {
            if !resumable {
                shared.end_session(&mut state, session);
            }
            shared.invalidate(&mut state, id, resumable);
            Ok(())
        }
        Some(Answer::Close(code)) => Err(Rejected::new(code, "Closed on demand.")),
        Some(Answer::Drop) => {
            state.push_now(id, Action::Drop);
            Ok(())
        }
        Some(Answer::Silence) => Ok(()),
    }
}

fn attach(shared: &Shared, state: &mut State, id: u64, session_id: &str, sequence: u64) -> Result<(), Rejected> {
    let Some(session) = state.sessions.get_mut(session_id) else {
        return refuse(shared, state, id, Refusal::InvalidSession);
    };
    if sequence > session.sequence {
        return refuse(shared, state, id, shared.options.knobs.sequence_ahead);
    }
    if !session.can_replay_from(sequence) {
        shared.end_session(state, session_id);
        return refuse(shared, state, id, Refusal::InvalidSession);
    }
    session.forget_markers();
    let shard = session.identity.shard;
    let (last, replayed) = (session.sequence, session.backlog(sequence));
    let previous = session.connection.replace(id);
    session.detached = None;
    if let Some(previous) = previous.filter(|previous| *previous != id) {
        let code = shared.options.knobs.takeover_close;
        state.close_now(previous, code, "The session was resumed elsewhere.");
    }
    let skip = state.faults.due(Some(shard), &FaultKind::ResumedWithoutReplay);
    let repeat = state.faults.due(Some(shard), &FaultKind::DuplicateReplay);
    if let Some(outbox) = state.connections.get_mut(&id) {
        outbox.session = Some(session_id.to_owned());
        outbox.written = if skip { last } else { sequence };
        outbox.repeat_until = if repeat { last } else { 0 };
        if let Some(lifetime) = shared.options.knobs.base_resume_lifetime.filter(|_| !outbox.on_resume_url) {
            outbox.push_later(Instant::now() + lifetime, Action::close(1001, RECONNECT_REASON));
        }
    }
    shared.mark_resumed(state, session_id);
    let replayed = if skip { 0 } else { replayed };
    shared.journal.write(Some(id), Some(shard), Happening::Resumed { session: session_id.to_owned(), replayed });
    Ok(())
}

fn refuse(shared: &Shared, state: &mut State, id: u64, refusal: Refusal) -> Result<(), Rejected> {
    match refusal {
        Refusal::InvalidSession => {
            shared.invalidate(state, id, false);
            Ok(())
        }
        Refusal::Close(code) => Err(Rejected::new(code, "Invalid seq or token.")),
    }
}

/// What Discord says when it wants a client to come back elsewhere.
pub(crate) const RECONNECT_REASON: &str = "Discord WebSocket requesting client reconnect.";
