//! All deadlines of a shard. Its driver needs one sleep, until the earliest.

use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A heartbeat is due.
    Heartbeat,
    /// HELLO should have come.
    Hello,
    /// The wait between two connections is over.
    Reconnect,
    /// Reading has been paused for long.
    Patience,
    /// The send limit has room again, or a request that was put off is due.
    Send,
}

impl Timer {
    const ALL: [Self; 5] = [Self::Heartbeat, Self::Hello, Self::Reconnect, Self::Patience, Self::Send];
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, deadline: Option<Instant>) {
        if let Some(slot) = self.deadlines.get_mut(timer as usize) {
            *slot = deadline;
        }
    }

    pub(crate) fn clear_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Takes a timer that is due, the earliest first.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL.into_iter().zip(self.deadlines).filter_map(|(timer, deadline)| Some((deadline?, timer)));
        let (deadline, timer) = due.min_by_key(|(deadline, _)| *deadline)?;
        if deadline > now {
            return None;
        }
        self.set(timer, None);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_are_due_in_the_order_of_their_deadlines() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut timers = Timers::default();
        timers.set(Timer::Send, Some(now + second));
        timers.set(Timer::Heartbeat, Some(now + second * 2));
        timers.set(Timer::Reconnect, Some(now + second * 9));
        assert_eq!(timers.earliest(), Some(now + second));
        assert_eq!(timers.take_due(now), None);
        assert_eq!(timers.take_due(now + second * 3), Some(Timer::Send));
        assert_eq!(timers.take_due(now + second * 3), Some(Timer::Heartbeat));
        assert_eq!(timers.take_due(now + second * 3), None);
        timers.clear_all();
        assert_eq!(timers.earliest(), None);
    }
}
