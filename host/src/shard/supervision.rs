//! What a crash of a shard's driver costs: its connection, and nothing that came in.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use gateway_protocol::{Phase, close};

use super::link::Link;
use super::outbox::LaneGone;
use super::parts::ShardEnd;
use super::task::{NOT_SENT, ShardTask};
use crate::connection::Backoff;
use crate::panic::panic_text;
use crate::telemetry::ShardState;

impl ShardTask {
    /// Runs until told to stop, or until Discord or the lane ends it. After a crash it resumes the session behind the last event
    /// that the outbox has.
    pub async fn run(mut self) -> ShardEnd {
        let ended = self.work_through_crashes().await;
        if let Link::Up(socket, _) = self.link {
            // The machine did not end this: its lane is gone.
            socket.close(Some(close::KEEP_SESSION)).await;
        }
        self.parts.metrics.alive(false);
        self.parts.ready.set(self.parts.id(), false);
        match (ended, self.end) {
            (Err(LaneGone), _) => ShardEnd::LaneGone,
            (Ok(()), end) => end.unwrap_or(ShardEnd::Stopped),
        }
    }

    async fn work_through_crashes(&mut self) -> Result<(), LaneGone> {
        let mut backoff = Backoff::default();
        loop {
            let start = Instant::now();
            let panic = match AssertUnwindSafe(self.work()).catch_unwind().await {
                Ok(ended) => return ended,
                Err(panic) => panic,
            };
            if start.elapsed() >= LASTING {
                backoff.reset();
            }
            self.drop_connection();
            let pause = backoff.next_delay();
            tracing::error!(
                "shard {}: it has crashed, and resumes its session in {} ms: {}",
                self.parts.id(),
                pause.as_millis(),
                panic_text(&*panic)
            );
            if self.parts.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return self.hand_over_rest().await;
            }
            self.start_over();
        }
    }

    /// Without a close frame, which keeps the session.
    fn drop_connection(&mut self) {
        self.parts.metrics.crashed();
        self.parts.health.set(ShardState::Crashed);
        self.link_lost();
        self.show_ready(false);
        self.permit = None;
        self.actions.clear();
        // Nobody knows any more which of them Discord has. The broker may give them to somebody else.
        (0..self.claims.give_all_back()).for_each(|_| self.parts.command_metrics.refused(NOT_SENT));
    }

    fn start_over(&mut self) {
        self.machine.start_over(self.outbox.session().cloned());
        // It is told anew whether the outbox has room.
        self.paused = false;
        self.parts.metrics.paused(false);
        self.stopping = false;
        self.phase = Phase::Idle;
        self.end = None;
    }
}

/// After working for this long, a crash is not one more in a row.
const LASTING: Duration = Duration::from_secs(60);
