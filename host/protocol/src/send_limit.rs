//! How many payloads a connection may still send: <https://docs.discord.com/developers/events/gateway#rate-limiting>.
//!
//! A log of the sends of the last minute. Discord does not say whether its own minute slides; only a sliding one holds in both
//! cases.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Who can wait. Timed heartbeats, identify and resume never do: each of these may use only so much that there is room for them,
/// and commands only so much that there is room for the heartbeats that Discord asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Answers to Discord's requests for a heartbeat.
    RequestedHeartbeat,
    /// Commands of the bot.
    Command,
}

/// The sends of one connection.
#[derive(Debug)]
pub(crate) struct SendLimit {
    sent: VecDeque<Instant>,
    /// How many timed heartbeats fall into one window.
    timed_heartbeats: usize,
    is_cautious: bool,
}

impl SendLimit {
    /// The limit of a new connection. A cautious one gives commands only half.
    pub(crate) fn new(is_cautious: bool) -> Self {
        Self { sent: VecDeque::new(), timed_heartbeats: 0, is_cautious }
    }

    /// Keeps room for heartbeats in this interval.
    pub(crate) fn reserve_heartbeats(&mut self, interval: Duration) {
        let per_window = WINDOW.as_millis() / interval.as_millis().max(1);
        self.timed_heartbeats = usize::try_from(per_window).unwrap_or(LIMIT).saturating_add(1);
    }

    /// When `sender` may send: `now` or later.
    pub(crate) fn free_at(&mut self, now: Instant, sender: Sender) -> Instant {
        self.sent.retain(|sent| *sent + WINDOW > now);
        let excess = (self.sent.len() + 1).saturating_sub(self.share(sender));
        match excess.checked_sub(1).and_then(|last| self.sent.get(last)) {
            Some(sent) => *sent + WINDOW,
            None => now,
        }
    }

    /// Notes a send.
    pub(crate) fn note(&mut self, now: Instant) {
        self.sent.push_back(now);
    }

    fn share(&self, sender: Sender) -> usize {
        let requested = LIMIT.saturating_sub(self.timed_heartbeats + RESERVED_FOR_START);
        let commands = requested.saturating_sub(RESERVED_FOR_REQUESTS).max(1);
        match sender {
            Sender::RequestedHeartbeat => requested,
            Sender::Command if self.is_cautious => commands.div_ceil(2),
            Sender::Command => commands,
        }
    }
}

/// Payloads in one window, whatever they are.
const LIMIT: usize = 120;
/// One second more than Discord's window, because payloads do not arrive at the distances at which they were sent.
const WINDOW: Duration = Duration::from_secs(61);
/// Identify or resume.
const RESERVED_FOR_START: usize = 1;
/// Heartbeats that Discord asks for.
const RESERVED_FOR_REQUESTS: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(limit: &mut SendLimit, now: Instant, sender: Sender) -> usize {
        let mut sent = 0;
        while limit.free_at(now, sender) == now {
            limit.note(now);
            sent += 1;
        }
        sent
    }

    #[test]
    fn heartbeats_keep_their_room() {
        let now = Instant::now();
        let mut limit = SendLimit::new(false);
        limit.reserve_heartbeats(Duration::from_millis(41_250));
        assert_eq!(fill(&mut limit, now, Sender::Command), 116);
        assert_eq!(fill(&mut limit, now, Sender::RequestedHeartbeat), 1);
        assert_eq!(LIMIT - limit.sent.len(), 3, "two timed heartbeats, and one payload to start");
    }

    #[test]
    fn the_window_slides() {
        let start = Instant::now();
        let half = start + WINDOW / 2;
        let mut limit = SendLimit::new(false);
        for _ in 0..100 {
            limit.note(start);
        }
        assert_eq!(fill(&mut limit, half, Sender::Command), 18);
        assert_eq!(limit.free_at(half, Sender::Command), start + WINDOW);
        assert_eq!(fill(&mut limit, start + WINDOW, Sender::Command), 100);
        assert_eq!(limit.free_at(start + WINDOW, Sender::Command), half + WINDOW);
    }

    #[test]
    fn a_cautious_limit_gives_half() {
        let mut limit = SendLimit::new(true);
        limit.reserve_heartbeats(Duration::from_millis(41_250));
        assert_eq!(fill(&mut limit, Instant::now(), Sender::Command), 58);
    }
}
