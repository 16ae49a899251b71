//! A client that runs beside the test.

use std::time::Duration;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{error::Elapsed, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::report::{Received, Report};

/// A running client.
pub struct Client {
    received: watch::Receiver<Received>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Client {
    /// Runs `drive` until it is told to stop; then it closes its connections for good.
    pub fn run<F>(drive: impl FnOnce(Reporter, CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (reporter, received) = watch::channel(Received::default());
        let stop = CancellationToken::new();
        let task = tokio::spawn(drive(Reporter(reporter), stop.clone()));
        Self { received, stop, task }
    }

    /// Waits until what was received is enough.
    pub async fn until(&mut self, enough: impl Fn(&Received) -> bool) {
        let done = |received: &Received| !received.problems().is_empty() || enough(received);
        let waited = timeout(PATIENCE, self.received.wait_for(done)).await;
        let ended = matches!(waited, Ok(Err(_)));
        let late = matches!(waited, Err(Elapsed { .. }));
        drop(waited);
        self.check();
        assert!(!ended, "the client ended; what it last said is above");
        assert!(!late, "the client is silent. It had: {:?}", self.received.borrow());
    }

    /// Everything that it has got by now.
    #[must_use]
    pub fn received(&self) -> watch::Ref<'_, Received> {
        self.received.borrow()
    }

    /// Tells it to end, waits until it has, and answers with everything that it got.
    pub async fn finish(self) -> Received {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.expect("the client does not end").expect("the client failed");
        let received = self.received.borrow().clone();
        assert_eq!(received.problems(), [""; 0]);
        received
    }

    fn check(&self) {
        assert_eq!(self.received.borrow().problems(), [""; 0]);
    }
}

/// Takes the reports of a client.
#[derive(Clone)]
pub struct Reporter(watch::Sender<Received>);

impl Reporter {
    /// Adds a report.
    pub fn report(&self, report: Report) {
        self.0.send_modify(|received| received.add(report));
    }
}

/// How long anything may take before the test fails. Generous: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
