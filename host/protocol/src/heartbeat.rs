//! The heartbeat of one connection: <https://docs.discord.com/developers/events/gateway#sending-heartbeats>.
//!
//! Any message proves that the connection lives, not only an acknowledgement: that can queue behind a burst of big events.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    /// The beat whose acknowledgement is awaited.
    sent_at: Option<Instant>,
    /// Whether anything was received since the last timed beat.
    is_alive: bool,
}

impl Heartbeat {
    /// `interval` as HELLO gave it, in milliseconds.
    pub(crate) fn new(interval: Option<u64>) -> Self {
        let interval = match interval {
            None | Some(0) => DEFAULT_INTERVAL,
            Some(interval) => Duration::from_millis(interval).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
        };
        Self { interval, sent_at: None, is_alive: true }
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// How long to wait for the first beat: less than an interval, so that not all shards beat at once.
    pub(crate) fn first_delay(&self, rng: &mut fastrand::Rng) -> Duration {
        self.interval.mul_f64(rng.f64())
    }

    /// Whether a whole interval passed after a beat with nothing received.
    pub(crate) fn is_unanswered(&self) -> bool {
        !self.is_alive
    }

    pub(crate) fn note_timed_beat(&mut self, now: Instant) {
        self.sent_at = Some(now);
        self.is_alive = false;
    }

    /// A beat that Discord asked for starts no deadline.
    pub(crate) fn note_requested_beat(&mut self, now: Instant) {
        self.sent_at.get_or_insert(now);
    }

    pub(crate) fn note_message(&mut self) {
        self.is_alive = true;
    }

    /// The time since the beat was sent, if it is known.
    pub(crate) fn acknowledge(&mut self, now: Instant) -> Option<Duration> {
        self.sent_at.take().map(|sent_at| now.saturating_duration_since(sent_at))
    }

    /// Nobody read for a while: what was missed then says nothing.
    pub(crate) fn forgive(&mut self) {
        self.is_alive = true;
        self.sent_at = None;
    }
}

/// What Discord sends, for a HELLO without an interval.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(41_250);
/// Beats in a shorter one would use up the payloads that a connection may send.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// In a longer one a dead connection would go unnoticed for too long.
const LONGEST_INTERVAL: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_make_no_sense_are_mended() {
        for (given, expected) in [
            (None, DEFAULT_INTERVAL),
            (Some(0), DEFAULT_INTERVAL),
            (Some(1), SHORTEST_INTERVAL),
            (Some(45_000), Duration::from_secs(45)),
            (Some(u64::MAX), LONGEST_INTERVAL),
        ] {
            assert_eq!(Heartbeat::new(given).interval(), expected, "{given:?}");
        }
    }

    #[test]
    fn only_silence_after_a_beat_is_unanswered() {
        let now = Instant::now();
        let mut heartbeat = Heartbeat::new(None);
        assert!(!heartbeat.is_unanswered());
        heartbeat.note_timed_beat(now);
        assert!(heartbeat.is_unanswered());
        heartbeat.note_message();
        heartbeat.note_requested_beat(now);
        assert!(!heartbeat.is_unanswered());
    }

    #[test]
    fn the_latency_is_that_of_the_timed_beat() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut heartbeat = Heartbeat::new(None);
        heartbeat.note_timed_beat(now);
        heartbeat.note_requested_beat(now + second);
        assert_eq!(heartbeat.acknowledge(now + second * 2), Some(second * 2));
        assert_eq!(heartbeat.acknowledge(now + second * 3), None);
    }
}
