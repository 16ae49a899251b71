//! What is delivered and what is not: byte budgets on the way in, a ledger of what is settled on the way out.

pub mod budget;
pub mod dead_letters;
pub mod ledger;
pub mod queue;

pub use budget::Budget;
pub use dead_letters::{DeadLetter, DeadLetters};
pub use ledger::Ledger;
pub use queue::{EventReceiver, EventSender, TrySendError, event_queue};
