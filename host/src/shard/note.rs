//! What a shard's machine tells besides what is to be done with the link: for the lane, the log and the figures.

use std::collections::VecDeque;

use gateway_protocol::{Action, DropReason, Phase, ReconnectCause};

use super::outbox::{LaneGone, Outbox};
use super::parts::ShardParts;
use crate::delivery::{Gap, GapReason};
use crate::telemetry::ShardState;

/// Does what needs no link, and puts off the rest until the received payload is done with.
pub(super) fn note(
    parts: &ShardParts,
    outbox: &mut Outbox,
    later: &mut VecDeque<Action>,
    action: Action,
) -> Result<(), LaneGone> {
    let (shard, metrics) = (parts.id(), &parts.metrics);
    match action {
        Action::SessionStarted(session) => {
            if outbox.session().is_some_and(|known| known.id == session.id) {
                tracing::info!("shard {shard}: going on with its session after event {}", session.sequence);
            // A session of an earlier run is not new.
            } else if session.sequence.0 == 0 {
                metrics.session_started();
                tracing::info!("shard {shard}: a new session begins");
            } else {
                tracing::info!(
                    "shard {shard}: going on with the session of an earlier run, after event {}",
                    session.sequence
                );
            }
            outbox.session_started(session)?;
        }
        Action::SessionResumed => {
            metrics.session_resumed();
            tracing::info!("shard {shard}: resumed");
        }
        Action::SessionMoved(session) => {
            tracing::info!("shard {shard}: the session's own address does not work, the general one does from now on");
            outbox.session_started(session)?;
        }
        Action::SessionLost { session, reason } => {
            metrics.session_lost();
            let gap = Gap::after(&session, GapReason::SessionLost);
            tracing::warn!("shard {shard}: the session is lost ({}), and with it {gap}", reason.label());
            outbox.session_ended(gap)?;
        }
        Action::SequenceGap { from, to } => {
            metrics.sequence_gap(to.0.saturating_sub(from.0).saturating_sub(1));
            let session = outbox.session().map_or("", |session| &session.id);
            let gap = Gap::between(session, from, to, GapReason::LeftOut);
            tracing::warn!("shard {shard}: {gap} will not come");
            outbox.gap(gap)?;
        }
        Action::Dropped { reason: DropReason::Duplicate, .. } => metrics.duplicate(),
        Action::Dropped { reason, .. } => {
            tracing::warn!("shard {shard}: an event was not taken: {}", reason.label());
        }
        Action::HeartbeatAcknowledged(round_trip) => metrics.ping(round_trip),
        Action::Reconnecting(cause @ ReconnectCause::Backpressure) => {
            metrics.reconnecting(cause.label());
            tracing::warn!(
                "shard {shard}: the lane has taken nothing for long (buffer.patience); no connection until there is room, the session is kept"
            );
        }
        Action::Reconnecting(cause @ ReconnectCause::Deaf) => {
            metrics.reconnecting(cause.label());
            tracing::warn!(
                "shard {shard}: heartbeats are answered, but no event has come for too long (shards.silence); connecting anew"
            );
        }
        Action::Reconnecting(cause) => {
            metrics.reconnecting(cause.label());
            tracing::info!("shard {shard}: connecting anew ({})", cause.label());
        }
        action => later.push_back(action),
    }
    Ok(())
}

/// What health shows of a phase, and of a shard that is suspected to be deaf.
pub(super) fn shown(phase: Phase, is_deaf: bool) -> ShardState {
    match phase {
        Phase::Finished => ShardState::Stopped,
        Phase::Parked => ShardState::Parked,
        _ if is_deaf => ShardState::Deaf,
        Phase::Idle => ShardState::Starting,
        Phase::Waiting => ShardState::Waiting,
        Phase::Connecting | Phase::AwaitingHello => ShardState::Connecting,
        Phase::AwaitingPermit => ShardState::Queued,
        Phase::Identifying => ShardState::Identifying,
        Phase::Resuming => ShardState::Resuming,
        Phase::Active => ShardState::Ready,
    }
}
