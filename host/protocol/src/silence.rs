//! Whether a shard hears nothing although it should: heartbeats are answered, and events stay away.
//!
//! Time is divided at heartbeats into stretches, each up to the first heartbeat behind an event, so that a quiet time is one long
//! stretch. The quietest of the last ones says what may be expected at least, and the longest what is usual; so neither bursts nor a bot to
//! which little happens are suspected.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Silence {
    /// How long a silence must last; `None` suspects nothing.
    limit: Option<Duration>,
    /// Since the last heartbeat, or since nothing could be heard.
    events: u64,
    /// When the current stretch began; `None` while nothing can be heard.
    since: Option<Instant>,
    /// What the siblings had heard when the current stretch turned out to be silent. By then they have told of all that they heard
    /// before it.
    siblings_before: Option<u64>,
    /// The last ones, newest first.
    stretches: VecDeque<Stretch>,
    is_suspected: bool,
    identified: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    length: Duration,
    events: u64,
}

/// What may make a deaf shard hear again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    Resume,
    /// Resuming has not helped.
    Identify,
}

impl Silence {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            events: 0,
            since: None,
            siblings_before: None,
            stretches: VecDeque::new(),
            is_suspected: false,
            identified: None,
        }
    }

    /// Events can be heard from now on. What was before says nothing about what follows.
    pub(crate) fn listen(&mut self, now: Instant) {
        // Beside READY or RESUMED, what was missed came.
        if self.since.is_none() && self.events > 1 {
            self.is_suspected = false;
        }
        self.events = 0;
        self.since = Some(now);
        self.siblings_before = None;
    }

    /// Nothing can be heard for now.
    pub(crate) fn stop_listening(&mut self) {
        self.events = 0;
        self.since = None;
    }

    pub(crate) fn note_event(&mut self) {
        self.events += 1;
    }

    pub(crate) fn is_suspected(&self) -> bool {
        self.is_suspected
    }

    /// At a heartbeat: how many events came since the last one, for the siblings to know. `None` if that is of no interest.
    pub(crate) fn look(&mut self, now: Instant) -> Option<u64> {
        let (limit, since) = (self.limit?, self.since?);
        let events = self.events;
        if events > 0 {
            let length = now.saturating_duration_since(since);
            // The first heartbeat of a connection may come at once.
            if length >= limit / 4 {
                self.stretches.truncate(STRETCHES - 1);
                self.stretches.push_front(Stretch { length, events });
            }
            self.is_suspected = false;
            self.listen(now);
        }
        Some(events)
    }

    /// Behind [`Self::look`]: what is to be done, now that the siblings have heard `siblings` events in all; `None` if there are none
    /// of them.
    pub(crate) fn judge(&mut self, now: Instant, siblings: Option<u64>) -> Option<Remedy> {
        let (limit, since) = (self.limit?, self.since?);
        let silence = now.saturating_duration_since(since);
        if silence.is_zero() {
            return None;
        }
        let Some(before) = self.siblings_before else {
            self.siblings_before = Some(siblings.unwrap_or_default());
            return None;
        };
        if !self.is_strange(silence, limit) {
            return None;
        }
        match siblings {
            // Nobody else says that there should be events, so this is worth no session.
            None => {
                self.stretches.clear();
                Some(Remedy::Resume)
            }
            Some(siblings) if (siblings.saturating_sub(before) as f64) < EXPECTED => None,
            Some(_) if !std::mem::replace(&mut self.is_suspected, true) => Some(Remedy::Resume),
            Some(_) if self.identified.is_none_or(|at| now.saturating_duration_since(at) >= BETWEEN_IDENTIFIES) => {
                self.identified = Some(now);
                Some(Remedy::Identify)
            }
            Some(_) => None,
        }
    }

    /// Whether so long a silence does not fit to what was before it.
    fn is_strange(&self, silence: Duration, limit: Duration) -> bool {
        if self.stretches.len() < STRETCHES || silence < limit {
            return false;
        }
        let longest = self.stretches.iter().map(|stretch| stretch.length).max().unwrap_or_default();
        let rates = self.stretches.iter().map(|stretch| stretch.events as f64 / stretch.length.as_secs_f64());
        // However long it is, a bot to which little happens is not suspected.
        let counted = silence.min(limit * LONGEST).as_secs_f64();
        silence >= longest.mul_f64(LONGER) && rates.fold(f64::INFINITY, f64::min) * counted >= EXPECTED
    }
}

/// Stretches that are remembered: some five minutes.
const STRETCHES: usize = 8;
/// Events that must be missing.
const EXPECTED: f64 = 30.0;
/// How many times as long as the longest stretch a silence must be. A little less than two heartbeats to one, which vary.
const LONGER: f64 = 1.9;
/// How many times the limit counts of a silence.
const LONGEST: u32 = 10;
/// Session starts are few, and a guess must not use them up.
const BETWEEN_IDENTIFIES: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);
    const BEAT: Duration = Duration::from_millis(41_250);

    /// A shard that beats, with what it hears between two heartbeats and what its siblings do.
    struct Beats {
        silence: Silence,
        now: Instant,
        siblings: Option<u64>,
    }

    impl Beats {
        fn new(siblings: Option<u64>) -> Self {
            let now = Instant::now();
            let mut silence = Silence::new(Some(LIMIT));
            silence.listen(now);
            Self { silence, now, siblings }
        }

        fn beat(&mut self, events: u64, siblings: u64) -> Option<Remedy> {
            self.now += BEAT;
            (0..events).for_each(|_| self.silence.note_event());
            self.siblings = self.siblings.map(|before| before + siblings);
            self.silence.look(self.now);
            self.silence.judge(self.now, self.siblings)
        }

        fn flows(siblings: Option<u64>) -> Self {
            let mut beats = Self::new(siblings);
            (0..STRETCHES).for_each(|_| assert_eq!(beats.beat(100, 100), None));
            beats
        }
    }

    #[test]
    fn a_silence_among_siblings_that_hear_is_resumed_then_identified_and_that_once_an_hour() {
        let mut beats = Beats::flows(Some(0));
        assert_eq!(beats.beat(0, 100), None, "too short");
        assert_eq!(beats.beat(0, 100), Some(Remedy::Resume));
        beats.silence.listen(beats.now);
        assert!(beats.silence.is_suspected());
        assert_eq!((beats.beat(0, 100), beats.beat(0, 100)), (None, Some(Remedy::Identify)));
        beats.silence.listen(beats.now);
        let start = beats.now;
        while beats.now - start < BETWEEN_IDENTIFIES - BEAT {
            assert_eq!(beats.beat(0, 100), None);
        }
        assert_eq!((0..2).filter_map(|_| beats.beat(0, 100)).count(), 1);
        beats.silence.listen(beats.now);
        beats.beat(1, 100);
        assert!(!beats.silence.is_suspected());
    }

    #[test]
    fn a_silence_of_all_is_nobody_s_fault() {
        let mut beats = Beats::flows(Some(0));
        // The siblings tell a beat late of what they heard before.
        assert_eq!(beats.beat(0, 100), None);
        (0..1000).for_each(|_| assert_eq!(beats.beat(0, 0), None));
        assert!(!beats.silence.is_suspected());
    }

    #[test]
    fn a_shard_alone_resumes_once_and_then_learns_anew() {
        let mut beats = Beats::flows(None);
        assert_eq!((beats.beat(0, 0), beats.beat(0, 0)), (None, Some(Remedy::Resume)));
        beats.silence.listen(beats.now);
        (0..1000).for_each(|_| assert_eq!(beats.beat(0, 0), None));
        assert!(!beats.silence.is_suspected());
    }

    #[test]
    fn little_traffic_and_bursts_are_never_suspected() {
        // Per heartbeat: little, for ever; much, then nothing; now and then much.
        let patterns: [&dyn Fn(u64) -> u64; 4] = [
            &|beat| u64::from(beat < 100),
            &|beat| if beat == 0 { 100_000 } else { 0 },
            &|beat| if beat % 10 == 0 { 5000 } else { 0 },
            &|beat| if beat < STRETCHES as u64 - 1 { 100_000 } else { 0 },
        ];
        for (number, pattern) in patterns.into_iter().enumerate() {
            for siblings in [None, Some(0)] {
                let mut beats = Beats::new(siblings);
                for beat in 0..10_000 {
                    assert_eq!(beats.beat(pattern(beat), 1000), None, "pattern {number}, beat {beat}");
                }
            }
        }
    }

    /// Traffic without memory, of any strength: the chance of an alarm is below 2e-8 for each silence.
    #[test]
    fn honest_traffic_of_any_strength_is_never_suspected() {
        let mut rng = fastrand::Rng::with_seed(1);
        for mean in [0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 100.0] {
            let mut beats = Beats::new(Some(0));
            for _ in 0..20_000 {
                assert_eq!(beats.beat(poisson(mean, &mut rng), 1000), None, "{mean} events each heartbeat");
            }
        }
    }

    fn poisson(mean: f64, rng: &mut fastrand::Rng) -> u64 {
        let mut left = rng.f64();
        let mut probability = (-mean).exp();
        let mut number = 0;
        while left > probability && number < 10_000 {
            left -= probability;
            number += 1;
            probability *= mean / number as f64;
        }
        number
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut silence = Silence::new(None);
        silence.listen(Instant::now());
        assert_eq!((silence.look(Instant::now()), silence.judge(Instant::now(), Some(1000))), (None, None));
    }

    #[test]
    fn a_pause_is_no_silence() {
        let mut beats = Beats::flows(Some(0));
        beats.silence.stop_listening();
        (0..100).for_each(|_| assert_eq!(beats.beat(0, 100), None));
        beats.silence.listen(beats.now);
        assert_eq!(beats.beat(0, 100), None);
        assert_eq!(beats.beat(0, 100), Some(Remedy::Resume));
    }
}
