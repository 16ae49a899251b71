//! Commands from the broker on their way to the shards that send them.

use std::collections::HashMap;

use gateway_protocol::ShardId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::capability::{Claim, Outcome};
use crate::command::{Claimed, ClaimedPacket, Refusal, Route, Router};
use crate::component::Command;
use crate::event::Happening;
use crate::telemetry::CommandMetrics;

/// Commands that wait at a shard that is not ready, or that has sent all that Discord's limit allows. Beyond it, no more are
/// taken from the broker.
pub(super) const QUEUE: usize = 256;

/// The reason of commands that came too late to be sent.
const NOT_SENT: &str = "not_sent";

/// Takes commands in order, and hands each to its shard.
pub(super) struct CommandRelay {
    /// Where they come from.
    pub(super) commands: mpsc::Receiver<Claimed>,
    /// Says where each goes.
    pub(super) router: Router,
    /// The shards of this gateway.
    pub(super) shards: HashMap<ShardId, mpsc::Sender<ClaimedPacket>>,
    /// A lane that publishes commands for shards of other gateways.
    pub(super) foreign: mpsc::Sender<Happening>,
    /// Figures.
    pub(super) metrics: CommandMetrics,
}

impl CommandRelay {
    /// Works until told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let work = async {
            while let Some(Claimed { command, claim }) = self.commands.recv().await {
                match self.route(command) {
                    Ok(route) => self.relay(route, claim).await,
                    Err(refusal) => {
                        self.metrics.refused(refusal.label());
                        tracing::warn!("a command was refused: {refusal}");
                        claim.finish(Outcome::Refused);
                    }
                }
            }
        };
        stop.run_until_cancelled(work).await;
        while self.commands.try_recv().is_ok() {
            self.metrics.refused(NOT_SENT);
        }
    }

    fn route(&self, command: Command) -> Result<Route, Refusal> {
        match command {
            Command::Send(body) => self.router.send(&body),
            Command::Packet((shard, body)) => self.router.packet(ShardId(shard), &body),
        }
    }

    async fn relay(&self, route: Route, claim: Claim) {
        match route {
            Route::Own(shard, packet) => {
                if let Some(queue) = self.shards.get(&shard) {
                    // A shard that has ended takes none: the gateway is ending, too.
                    let _ = queue.send(ClaimedPacket { packet, claim }).await;
                }
            }
            Route::Republish(event) => {
                self.metrics.republished();
                // As above.
                let _ = self.foreign.send(Happening::Republish(event, claim)).await;
            }
        }
    }
}
