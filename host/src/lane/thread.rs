//! The thread of a lane, with a runtime of its own.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A running thread. What is spawned on its [`handle`](Self::handle) stays on it.
#[derive(Debug)]
pub struct LaneThread {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl LaneThread {
    /// Starts the thread of lane number `index`.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(index: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("lane-{index}")).spawn(move || {
            // An owner that is gone means the same as one that says stop.
            let _ = runtime.block_on(stopped);
            // A name that is still being looked up must not hold the end up.
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, stop, thread })
    }

    /// Where tasks of this lane are spawned.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the thread. Tasks that still run on it are dropped.
    pub fn stop(self) {
        // It has ended already if nobody listens.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("a lane's thread crashed");
        }
    }
}
