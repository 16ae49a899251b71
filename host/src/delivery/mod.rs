//! What is delivered and what is not: byte budgets on the way in, a ledger of what is settled on the way out.

pub mod budget;
pub mod checkpoint;
pub mod dead_letters;
pub mod gap;
pub mod ledger;
pub mod queue;

pub use budget::Budget;
pub use checkpoint::{Checkpoint, Pace};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use gap::{GAP_EVENT, Gap, GapReason};
pub use ledger::Ledger;
pub use queue::{EventReceiver, EventSender, TrySendError, event_queue};
