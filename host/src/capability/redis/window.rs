//! What has been sent and is not answered, and what has to be sent again.
//!
//! The order within a key holds: when a command fails, everything of the same key behind it in the window counts as failed
//! too, whatever the server says of it. Nothing new is sent until what has failed is in, again in order. So a consumer may see
//! an entry before its predecessor, but then sees it again behind it.

use std::collections::VecDeque;

use super::Commands;
use super::outbox::Outbox;

/// Parcels on their way, in order. `J` holds the commands of one.
#[derive(Debug)]
pub(super) struct Window<J> {
    parcels: VecDeque<Parcel<J>>,
    /// Parcels at the front that wait for no answer in this round.
    answered: usize,
    /// Keys of which a command has failed in this round.
    failed_keys: Vec<Box<[u8]>>,
    /// Whether some commands wait for a later round though they have not failed.
    is_held_back: bool,
}

/// What has commands.
pub(super) trait HasCommands {
    fn commands(&self) -> &Commands;
}

/// The command that the next answer is for.
#[derive(Debug)]
pub(super) struct Awaited<'a> {
    pub(super) commands: &'a Commands,
    pub(super) index: usize,
    /// How often it has failed.
    pub(super) failures: u32,
}

impl Awaited<'_> {
    /// Its size in bytes, or nearly.
    pub(super) fn size(&self) -> usize {
        self.commands.body_of(self.index).len()
    }
}

#[derive(Debug)]
struct Parcel<J> {
    job: J,
    /// The commands that are sent in this round, in order.
    sent: Sent,
    /// How many of these are answered.
    answered: usize,
    /// Those that are to be sent in the next round, in order.
    again: Vec<Again>,
}

#[derive(Debug)]
enum Sent {
    All(usize),
    Some(Vec<Again>),
}

#[derive(Debug, Clone, Copy)]
struct Again {
    index: usize,
    failures: u32,
}

impl<J: HasCommands> Window<J> {
    pub(super) fn new() -> Self {
        Self { parcels: VecDeque::new(), answered: 0, failed_keys: Vec::new(), is_held_back: false }
    }

    /// Parcels in it.
    pub(super) fn len(&self) -> usize {
        self.parcels.len()
    }

    /// Whether nothing has to be sent again, so that more may be sent.
    pub(super) fn is_open(&self) -> bool {
        self.failed_keys.is_empty() && !self.is_held_back
    }

    /// Whether a command of this round has failed.
    pub(super) fn has_failed(&self) -> bool {
        !self.failed_keys.is_empty()
    }

    /// Whether everything that was sent is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.answered == self.parcels.len()
    }

    /// Commands that are sent and not answered.
    pub(super) fn awaiting(&self) -> usize {
        self.parcels.iter().skip(self.answered).map(|parcel| parcel.sent.len() - parcel.answered).sum()
    }

    /// Adds a parcel, and writes its commands.
    pub(super) fn send(&mut self, job: J, outbox: &mut Outbox) {
        job.commands().write(outbox, |_| true);
        let sent = Sent::All(job.commands().len());
        self.parcels.push_back(Parcel { job, sent, answered: 0, again: Vec::new() });
        self.skip_answered();
    }

    /// The command that the next answer is for. `None` if none is awaited.
    pub(super) fn awaited(&self) -> Option<Awaited<'_>> {
        let parcel = self.parcels.get(self.answered)?;
        let Again { index, failures } = parcel.sent.get(parcel.answered)?;
        Some(Awaited { commands: parcel.job.commands(), index, failures })
    }

    /// Takes the answer for the awaited command: whether it is done. If not, it is sent again in the next round.
    pub(super) fn settle(&mut self, is_done: bool) {
        let Some(parcel) = self.parcels.get_mut(self.answered) else { return };
        let Some(mut awaited) = parcel.sent.get(parcel.answered) else { return };
        parcel.answered += 1;
        if !is_done || !self.failed_keys.is_empty() {
            let key = parcel.job.commands().key_of(awaited.index);
            let is_behind_a_failure = self.failed_keys.iter().any(|failed| **failed == *key);
            if !is_done {
                awaited.failures += 1;
                if !is_behind_a_failure {
                    self.failed_keys.push(key.into());
                }
            }
            if !is_done || is_behind_a_failure {
                parcel.again.push(awaited);
            }
        }
        self.skip_answered();
    }

    /// Takes out a parcel of which every command is done.
    pub(super) fn take_done(&mut self) -> Option<J> {
        let place = self.parcels.iter().take(self.answered).position(|parcel| parcel.again.is_empty())?;
        self.answered -= 1;
        self.parcels.remove(place).map(|parcel| parcel.job)
    }

    /// Begins the next round: all that is not done is written again, or of it only the first command if it is to be `alone`.
    pub(super) fn resend(&mut self, outbox: &mut Outbox, alone: bool) {
        self.failed_keys.clear();
        self.is_held_back = false;
        self.answered = 0;
        let mut room = if alone { 1 } else { usize::MAX };
        for parcel in &mut self.parcels {
            let mut again = std::mem::take(&mut parcel.again);
            again.extend((parcel.answered..parcel.sent.len()).filter_map(|place| parcel.sent.get(place)));
            // What has failed stands before what is not answered, and what was held back behind it.
            again.sort_unstable_by_key(|again| again.index);
            parcel.again = again.split_off(again.len().min(room));
            room -= again.len();
            self.is_held_back |= !parcel.again.is_empty();
            let mut next = again.iter().map(|again| again.index).peekable();
            parcel.job.commands().write(outbox, |index| next.next_if_eq(&index).is_some());
            parcel.sent = Sent::Some(again);
            parcel.answered = 0;
        }
        self.skip_answered();
    }

    fn skip_answered(&mut self) {
        while self.parcels.get(self.answered).is_some_and(|parcel| parcel.answered == parcel.sent.len()) {
            self.answered += 1;
        }
    }
}

impl Sent {
    fn len(&self) -> usize {
        match self {
            Self::All(count) => *count,
            Self::Some(some) => some.len(),
        }
    }

    fn get(&self, place: usize) -> Option<Again> {
        match self {
            Self::All(count) => (place < *count).then_some(Again { index: place, failures: 0 }),
            Self::Some(some) => some.get(place).copied(),
        }
    }
}

#[cfg(test)]
mod tests;
