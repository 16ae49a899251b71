//! The way from a shard to its lane: in order, bounded by bytes.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::mpsc;

use super::Budget;
use crate::event::{Event, Happening};

/// Happenings in one lane's queue. Bytes are what bounds it in practice; this bounds floods of tiny events.
const QUEUE: usize = 4096;
/// What an event costs beside its payload.
const OVERHEAD: usize = 128;

/// The receiving end, which a lane owns.
pub type EventReceiver = mpsc::Receiver<Happening>;

/// The queue of a lane. Clone the sender's other half for each shard with [`EventSender::new`].
#[must_use]
pub fn event_queue() -> (mpsc::Sender<Happening>, EventReceiver) {
    mpsc::channel(QUEUE)
}

/// Why a happening was not taken at once.
#[derive(Debug, Error)]
pub enum TrySendError {
    /// There is no room now.
    #[error("the queue is full")]
    Full(Happening),
    /// The lane has ended.
    #[error("the lane has ended")]
    Closed,
}

/// A shard's end of its lane's queue.
#[derive(Debug, Clone)]
pub struct EventSender {
    queue: mpsc::Sender<Happening>,
    budget: Arc<Budget>,
}

impl EventSender {
    /// The end for a shard with that budget. The lane gives the bytes back when the events are settled.
    #[must_use]
    pub fn new(queue: mpsc::Sender<Happening>, budget: Arc<Budget>) -> Self {
        Self { queue, budget }
    }

    /// Hands a happening over if there is room.
    ///
    /// # Errors
    /// Gives it back if there is none.
    pub fn try_send(&mut self, happening: Happening) -> Result<(), TrySendError> {
        use mpsc::error::TrySendError as Queue;
        // A lane that has ended gives no bytes back.
        if self.queue.is_closed() {
            return Err(TrySendError::Closed);
        }
        let bytes = cost(&happening);
        if bytes > 0 && !self.budget.try_reserve(bytes) {
            return Err(TrySendError::Full(happening));
        }
        self.queue.try_send(happening).map_err(|refused| {
            if bytes > 0 {
                self.budget.release(bytes);
            }
            match refused {
                Queue::Full(happening) => TrySendError::Full(happening),
                Queue::Closed(_) => TrySendError::Closed,
            }
        })
    }

    /// Happenings that wait for the lane, of all its shards.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Waits until one more event of the size of `happening` would find room, or the lane has ended, which the next send reports.
    pub async fn room_for(&self, happening: &Happening) {
        let bytes = cost(happening);
        let room = async {
            if bytes > 0 {
                self.budget.reserve(bytes).await;
                self.budget.release(bytes);
            }
            drop(self.queue.reserve().await);
        };
        tokio::select! {
            biased;
            () = self.queue.closed() => {}
            () = room => {}
        }
    }
}

/// The bytes that a happening takes from its shard's budget.
#[must_use]
pub fn cost(happening: &Happening) -> usize {
    match happening {
        Happening::Event(event) => event_cost(event),
        Happening::SessionStarted(..) | Happening::SessionEnded(..) | Happening::Gap(..) | Happening::Republish(..) => {
            0
        }
    }
}

/// The bytes that an event takes from its shard's budget.
#[must_use]
pub fn event_cost(event: &Event) -> usize {
    event.payload.len() + OVERHEAD
}
