//! The one place where identify permits come from: a task around the pure [`IdentifyLimiter`].

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use gateway_protocol::{IdentifyLimiter, SessionStartLimit, ShardId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::telemetry::IdentifyMetrics;

/// Requests that may wait for the task to look at them.
const REQUESTS: usize = 64;
/// How old Discord's figures may be when a permit is given. Other gateways spend from the same account.
const FRESH: Duration = Duration::from_secs(300);

/// Asks for permits. Cheap to clone.
#[derive(Debug, Clone)]
pub struct IdentifyQueue {
    requests: mpsc::Sender<Request>,
}

/// Ends when the permit is given. Dropping it gives the place in the queue back, at no cost.
pub type Permit = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Debug)]
struct Request {
    shard: ShardId,
    grant: oneshot::Sender<()>,
}

impl IdentifyQueue {
    /// A queue, and the task that serves it: run it until the last handle is gone. `refresh` fetches Discord's current figures;
    /// `None` when it cannot.
    pub fn new<F>(
        limit: SessionStartLimit,
        refresh: impl FnMut() -> F + Send + 'static,
        metrics: IdentifyMetrics,
    ) -> (Self, impl Future<Output = ()> + Send + 'static)
    where
        F: Future<Output = Option<SessionStartLimit>> + Send + 'static,
    {
        let (requests, inbox) = mpsc::channel(REQUESTS);
        (Self { requests }, serve(limit, inbox, refresh, metrics))
    }

    /// Queues for a permit.
    #[must_use]
    pub fn request(&self, shard: ShardId) -> Permit {
        let requests = self.requests.clone();
        Box::pin(async move {
            let (grant, permit) = oneshot::channel();
            let queued = requests.send(Request { shard, grant }).await;
            if queued.is_err() || permit.await.is_err() {
                // The task outlives all handles, but for the end of the process: then no permit comes.
                std::future::pending().await
            }
        })
    }
}

async fn serve<F>(
    limit: SessionStartLimit,
    mut inbox: mpsc::Receiver<Request>,
    mut refresh: impl FnMut() -> F,
    metrics: IdentifyMetrics,
) where
    F: Future<Output = Option<SessionStartLimit>>,
{
    let mut fetched = Instant::now();
    let mut limiter = IdentifyLimiter::new(limit, fetched.into_std());
    let mut waiting: HashMap<ShardId, oneshot::Sender<()>> = HashMap::new();
    // That shards wait is told once for each such time.
    let mut told = false;
    metrics.left(limiter.remaining());
    loop {
        let deadline = limiter.poll_timeout().map(Instant::from_std);
        tokio::select! {
            request = inbox.recv() => match request {
                Some(Request { shard, grant }) => {
                    limiter.request(shard);
                    waiting.insert(shard, grant);
                }
                None => return,
            },
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {}
        }
        for (shard, _) in waiting.extract_if(|_, grant| grant.is_closed()) {
            limiter.cancel(shard);
        }
        if !waiting.is_empty() && fetched.elapsed() >= FRESH {
            fetched = Instant::now();
            if let Some(limit) = refresh().await {
                limiter.update(limit, Instant::now().into_std());
            }
        }
        while let Some(shard) = limiter.poll_granted(Instant::now().into_std()) {
            metrics.granted(limiter.remaining());
            if let Some(grant) = waiting.remove(&shard) {
                // The shard may have gone in this instant: its permit is spent.
                let _ = grant.send(());
            }
        }
        let exhausted = limiter.remaining() == 0 && limiter.waiting() > 0;
        if !std::mem::replace(&mut told, exhausted) && exhausted {
            tracing::warn!(
                "no session starts are left for today: {} shards wait until Discord allows more",
                limiter.waiting()
            );
        }
        metrics.left(limiter.remaining());
    }
}
