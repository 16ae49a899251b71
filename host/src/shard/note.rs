//! What a shard's machine tells besides what is to be done with the link: for the lane, the log and the figures.

use std::collections::VecDeque;

use gateway_protocol::{Action, DropReason, Phase};

use super::outbox::{LaneGone, Outbox};
use super::task::ShardParts;
use crate::delivery::{Gap, GapReason};
use crate::event::Happening;
use crate::telemetry::ShardState;

/// Does what needs no link, and puts off the rest until the received payload is done with.
pub(super) fn note(
    parts: &ShardParts,
    outbox: &mut Outbox,
    later: &mut VecDeque<Action>,
    action: Action,
) -> Result<(), LaneGone> {
    let (shard, metrics) = (parts.id, &parts.metrics);
    match action {
        Action::SessionStarted(session) => {
            // A session of an earlier run is not new.
            if session.sequence.0 == 0 {
                metrics.session_started();
                tracing::info!("shard {shard}: a new session begins");
            } else {
                tracing::info!(
                    "shard {shard}: going on with the session of an earlier run, after event {}",
                    session.sequence
                );
            }
            outbox.send(Happening::SessionStarted(shard, session))?;
        }
        Action::SessionResumed => {
            metrics.session_resumed();
            tracing::info!("shard {shard}: resumed");
        }
        Action::SessionLost { session, reason } => {
            metrics.session_lost();
            let gap = Gap::after(&session, GapReason::SessionLost);
            tracing::warn!("shard {shard}: the session is lost ({}), and with it {gap}", reason.label());
            outbox.send(Happening::SessionEnded(shard, gap))?;
        }
        Action::SequenceGap { from, to } => {
            metrics.sequence_gap(to.0.saturating_sub(from.0).saturating_sub(1));
            let session = parts.machine.session().map_or("", |session| &session.id);
            let gap = Gap::between(session, from, to, GapReason::LeftOut);
            tracing::warn!("shard {shard}: {gap} will not come");
            outbox.send(Happening::Gap(shard, gap))?;
        }
        Action::Dropped { reason: DropReason::Duplicate, .. } => metrics.duplicate(),
        Action::Dropped { reason, .. } => {
            tracing::warn!("shard {shard}: an event was not taken: {}", reason.label());
        }
        Action::HeartbeatAcknowledged(round_trip) => metrics.ping(round_trip),
        Action::Reconnecting(cause) => {
            metrics.reconnecting(cause.label());
            tracing::info!("shard {shard}: connecting anew ({})", cause.label());
        }
        action => later.push_back(action),
    }
    Ok(())
}

/// What health shows of a phase.
pub(super) fn shown(phase: Phase) -> ShardState {
    match phase {
        Phase::Idle => ShardState::Starting,
        Phase::Waiting => ShardState::Waiting,
        Phase::Connecting | Phase::AwaitingHello => ShardState::Connecting,
        Phase::AwaitingPermit => ShardState::Queued,
        Phase::Identifying => ShardState::Identifying,
        Phase::Resuming => ShardState::Resuming,
        Phase::Active => ShardState::Ready,
        Phase::Finished => ShardState::Stopped,
    }
}
