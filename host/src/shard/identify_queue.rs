//! The one place where identify permits come from: a task around the pure [`IdentifyLimiter`] and [`IdentifyHistory`].

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use gateway_protocol::{
    IdentifyHistory, IdentifyHold, IdentifyLimiter, IdentifyReason, IdentifyRecord, Reserve, SessionStartLimit, ShardId,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::config::format_duration;
use crate::store::{IdentifyLedger, wall_time};
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

/// What permits depend on.
#[derive(Debug)]
pub struct IdentifyRules {
    /// What Discord said just now.
    pub limit: SessionStartLimit,
    /// What is not spent of it.
    pub reserve: Reserve,
    /// The identifies of earlier processes.
    pub history: IdentifyHistory,
    /// Where those of this one are kept; `None` if they are not.
    pub ledger: Option<IdentifyLedger>,
}

#[derive(Debug)]
struct Request {
    shard: ShardId,
    reason: IdentifyReason,
    grant: oneshot::Sender<()>,
}

impl IdentifyQueue {
    /// A queue, and the task that serves it: run it until the last handle is gone. `refresh` fetches Discord's current figures;
    /// `None` when it cannot.
    pub fn new<F>(
        rules: IdentifyRules,
        refresh: impl FnMut() -> F + Send + 'static,
        metrics: IdentifyMetrics,
    ) -> (Self, impl Future<Output = ()> + Send + 'static)
    where
        F: Future<Output = Option<SessionStartLimit>> + Send + 'static,
    {
        let (requests, inbox) = mpsc::channel(REQUESTS);
        (Self { requests }, Desk::new(rules, metrics).serve(inbox, refresh))
    }

    /// Queues for a permit.
    #[must_use]
    pub fn request(&self, shard: ShardId, reason: IdentifyReason) -> Permit {
        let requests = self.requests.clone();
        Box::pin(async move {
            let (grant, permit) = oneshot::channel();
            let queued = requests.send(Request { shard, reason, grant }).await;
            if queued.is_err() || permit.await.is_err() {
                // The task outlives all handles, but for the end of the process: then no permit comes.
                std::future::pending().await
            }
        })
    }
}

/// Where requests lie until they are granted.
struct Desk {
    limiter: IdentifyLimiter,
    history: IdentifyHistory,
    ledger: Option<IdentifyLedger>,
    waiting: HashMap<ShardId, Request>,
    /// When Discord told its figures.
    fetched: Instant,
    /// What was told last about shards that wait: once for each such time.
    told: Option<IdentifyHold>,
    metrics: IdentifyMetrics,
}

impl Desk {
    fn new(rules: IdentifyRules, metrics: IdentifyMetrics) -> Self {
        let IdentifyRules { limit, reserve, history, ledger } = rules;
        let fetched = Instant::now();
        let limiter = IdentifyLimiter::new(limit, reserve, fetched.into_std());
        metrics.refreshed();
        metrics.left(limiter.remaining(), limiter.reserve());
        Self { limiter, history, ledger, waiting: HashMap::new(), fetched, told: None, metrics }
    }

    async fn serve<F>(mut self, mut inbox: mpsc::Receiver<Request>, mut refresh: impl FnMut() -> F)
    where
        F: Future<Output = Option<SessionStartLimit>>,
    {
        loop {
            let deadline = self.limiter.poll_timeout().map(Instant::from_std);
            tokio::select! {
                request = inbox.recv() => match request {
                    Some(request) => self.take(request),
                    None => return,
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {}
            }
            self.forget_those_that_went();
            if !self.waiting.is_empty() && self.fetched.elapsed() >= FRESH {
                self.fetched = Instant::now();
                if let Some(limit) = refresh().await {
                    self.limiter.update(limit, Instant::now().into_std());
                    self.metrics.refreshed();
                }
            }
            self.grant().await;
            self.show();
        }
    }

    fn take(&mut self, request: Request) {
        let shard = request.shard;
        let breaker = self.history.breaker(shard, wall_time());
        if !breaker.wait.is_zero() {
            tracing::warn!(
                "shard {shard}: identified {} times in a row, so it waits for {} before it does so again (reason: {}). \
                 See in the log why sessions do not last or are not kept",
                breaker.in_a_row,
                format_duration(in_seconds(breaker.wait)),
                request.reason.label()
            );
        }
        self.limiter.request(shard, (Instant::now() + breaker.wait).into_std());
        self.waiting.insert(shard, request);
    }

    fn forget_those_that_went(&mut self) {
        for (shard, _) in self.waiting.extract_if(|_, request| request.grant.is_closed()) {
            self.limiter.cancel(shard);
        }
    }

    /// Gives the permits that are due. They are on record before they are used, so that a process that dies of it has left a trace.
    async fn grant(&mut self) {
        let now = Instant::now().into_std();
        let due = std::iter::from_fn(|| self.limiter.poll_granted(now));
        let granted: Vec<_> = due.filter_map(|shard| self.waiting.remove(&shard)).collect();
        if granted.is_empty() {
            return;
        }
        let at = wall_time();
        let record =
            |request: &Request| IdentifyRecord { at, shard: request.shard, reason: request.reason.label().to_owned() };
        let records: Vec<_> = granted.iter().map(record).collect();
        if let Some(ledger) = &mut self.ledger
            && let Err(error) = ledger.append(&records).await
        {
            self.metrics.unrecorded(records.len());
            tracing::warn!("a session start goes on without its record, which slows down crash loops: {error:#}");
        }
        records.into_iter().for_each(|record| self.history.note(record, at));
        let now = Instant::now().into_std();
        for request in granted {
            self.limiter.handed_over(request.shard, now);
            self.metrics.granted(request.reason);
            // The shard may have gone in this instant: its permit is spent.
            let _ = request.grant.send(());
        }
    }

    fn show(&mut self) {
        for hold in IdentifyHold::ALL {
            self.metrics.waiting(hold, self.limiter.held(hold));
        }
        self.metrics.left(self.limiter.remaining(), self.limiter.reserve());
        let waits_for_discord = |hold: &IdentifyHold| self.limiter.held(*hold) > 0;
        let hold = [IdentifyHold::Exhausted, IdentifyHold::Reserve].into_iter().find(waits_for_discord);
        if std::mem::replace(&mut self.told, hold) == hold {
            return;
        }
        let shards = self.limiter.waiting();
        let resets_in = self.limiter.resets_at().saturating_duration_since(Instant::now().into_std());
        let resets_in = format_duration(in_seconds(resets_in));
        match hold {
            Some(IdentifyHold::Exhausted) => tracing::warn!(
                "no session starts are left for today: {shards} shards wait until Discord allows more, in {resets_in}"
            ),
            Some(IdentifyHold::Reserve) => tracing::error!(
                "{shards} shards wait: the {} session starts that are left for today are the reserve (identify.reserve, \
                 GATEWAY_IDENTIFY_RESERVE). They go on when Discord allows more, in {resets_in}. To let them identify now, start \
                 the gateway with --spend-reserve",
                self.limiter.remaining()
            ),
            _ => {}
        }
    }
}

/// Rounded up.
fn in_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}
