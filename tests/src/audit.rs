//! Whether what a consumer got is what Discord sent.

use std::fmt;
use std::ops::Range;

use serde_json::Value;

use crate::load::payload;

/// The account of one consumer's deliveries. Each event of [`Load`](crate::Load) must come whole and, for the first time, behind
/// the one before it. An earlier one may come again only in a run: as often as [`allow_repeats`](Self::allow_repeats) says.
pub struct Audit {
    seed: u64,
    tracks: Vec<Track>,
}

/// Deliveries of one shard.
#[derive(Default)]
struct Track {
    /// The number that has to come next for the first time.
    next: u64,
    /// The number that came last.
    last: Option<u64>,
    /// How often an earlier number followed a later one.
    repeats: u64,
    allowed: u64,
    /// What was lost and said to be lost.
    lost: Vec<Range<u64>>,
}

/// What is not as promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    seed: u64,
    text: String,
}

impl Audit {
    /// For the load of this seed, on the shards `0..shards`.
    #[must_use]
    pub fn new(seed: u64, shards: u32) -> Self {
        Self { seed, tracks: (0..shards).map(|_| Track::default()).collect() }
    }

    /// Each shard may repeat one more run of events: something has happened after which the gateway cannot know what arrived.
    pub fn allow_repeats(&mut self, runs: u64) {
        self.tracks.iter_mut().for_each(|track| track.allowed += runs);
    }

    /// These events of a shard are lost, and the gateway has said so.
    pub fn forgive(&mut self, shard: u32, numbers: Range<u64>) {
        if let Some(track) = self.tracks.get_mut(shard as usize) {
            track.lost.push(numbers);
            track.pass_lost();
        }
    }

    /// Takes one delivery. `is_redelivered`: the server says that it has given it to this consumer before.
    ///
    /// # Errors
    /// It is none of the load's events, altered, too early, or once too often.
    pub fn take(&mut self, body: &str, is_redelivered: bool) -> Result<(), Violation> {
        let checked = self.identify(body).and_then(|(shard, number)| {
            let track = &mut self.tracks[shard as usize];
            track.take(number, is_redelivered).map_err(|text| format!("shard {shard}: {text}"))
        });
        checked.map_err(|text| self.violation(text))
    }

    /// Whether the first `sent` events of each shard have come, apart from those that were lost.
    #[must_use]
    pub fn has(&self, sent: &[u64]) -> bool {
        self.tracks.iter().zip(sent).all(|(track, sent)| track.next >= *sent)
    }

    /// How many events of each shard have come at least once, or are known to be lost.
    #[must_use]
    pub fn progress(&self) -> Vec<u64> {
        self.tracks.iter().map(|track| track.next).collect()
    }

    /// The most runs that a shard has repeated.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.tracks.iter().map(|track| track.repeats).max().unwrap_or_default()
    }

    /// What is missing of the first `sent` events of each shard.
    #[must_use]
    pub fn missing(&self, sent: &[u64]) -> Violation {
        let missing = self.tracks.iter().zip(sent).enumerate().filter(|(_, (track, sent))| track.next < **sent);
        let lines = missing.map(|(shard, (track, sent))| format!("shard {shard}: {}..{sent} are missing", track.next));
        self.violation(lines.collect::<Vec<_>>().join("; "))
    }

    fn identify(&self, body: &str) -> Result<(u32, u64), String> {
        let value: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {}", head(body)))?;
        let member = |name| value.get(name).and_then(Value::as_u64);
        let (Some(shard), Some(number)) = (member("shard"), member("number")) else {
            return Err(format!("not an event of the load: {}", head(body)));
        };
        let shard = u32::try_from(shard).unwrap_or(u32::MAX);
        if self.tracks.len() <= shard as usize {
            return Err(format!("there is no shard {shard}"));
        }
        if body != payload(self.seed, shard, number) {
            return Err(format!("shard {shard}: {number} is altered: {}", head(body)));
        }
        Ok((shard, number))
    }

    fn violation(&self, text: String) -> Violation {
        Violation { seed: self.seed, text }
    }
}

impl Track {
    fn take(&mut self, number: u64, is_redelivered: bool) -> Result<(), String> {
        if is_redelivered && number < self.next {
            return Ok(());
        }
        if number > self.next {
            return Err(format!("{number} came before {}", self.next));
        }
        if let Some(lost) = self.lost.iter().find(|lost| lost.contains(&number)) {
            return Err(format!("{number} came, of which was said that {lost:?} are lost"));
        }
        if self.last.is_some_and(|last| number <= last) {
            self.repeats += 1;
        }
        let last = self.last.replace(number);
        if self.repeats > self.allowed {
            return Err(format!(
                "{number} came again behind {last:?}, in run {} of {} allowed",
                self.repeats, self.allowed
            ));
        }
        if number == self.next {
            self.next += 1;
            self.pass_lost();
        }
        Ok(())
    }

    fn pass_lost(&mut self) {
        while let Some(lost) = self.lost.iter().find(|lost| lost.contains(&self.next)) {
            self.next = lost.end;
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (FAULT_SEED={})", self.text, self.seed)
    }
}

fn head(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 7;

    fn take_all(audit: &mut Audit, numbers: impl IntoIterator<Item = u64>) -> Result<(), String> {
        let mut taken = numbers.into_iter().map(|number| audit.take(&payload(SEED, 0, number), false));
        taken.try_for_each(|taken| taken.map_err(|violation| violation.to_string()))
    }

    fn audit(repeats: u64) -> Audit {
        let mut audit = Audit::new(SEED, 1);
        audit.allow_repeats(repeats);
        audit
    }

    #[test]
    fn everything_in_order_is_right() {
        let mut audit = audit(0);
        take_all(&mut audit, 0..100).unwrap();
        assert!(audit.has(&[100]) && !audit.has(&[101]));
    }

    #[test]
    fn a_gap_is_a_violation_with_its_seed() {
        assert_eq!(take_all(&mut audit(9), [0, 1, 3]).unwrap_err(), "shard 0: 3 came before 2 (FAULT_SEED=7)");
    }

    #[test]
    fn a_repeated_run_needs_leave_for_each() {
        take_all(&mut audit(0), [0, 1, 1]).unwrap_err();
        take_all(&mut audit(1), [0, 1, 2, 1, 2, 3]).unwrap();
        take_all(&mut audit(1), [0, 1, 2, 1, 2, 2]).unwrap_err();
        // The second crash comes before the first run has ended.
        take_all(&mut audit(2), [0, 1, 2, 3, 1, 2, 1, 2, 3, 4]).unwrap();
    }

    #[test]
    fn what_the_server_gave_before_may_come_again() {
        let mut audit = audit(0);
        take_all(&mut audit, 0..3).unwrap();
        audit.take(&payload(SEED, 0, 1), true).unwrap();
        take_all(&mut audit, 3..5).unwrap();
        audit.take(&payload(SEED, 0, 6), true).unwrap_err();
    }

    #[test]
    fn an_altered_event_is_a_violation() {
        let body = payload(SEED, 0, 0).replace("filler\":\"", "filler\":\"x");
        assert!(audit(0).take(&body, false).unwrap_err().to_string().contains("altered"));
        audit(0).take("{}", false).unwrap_err();
        audit(0).take("nonsense", false).unwrap_err();
    }

    #[test]
    fn what_is_said_to_be_lost_is_passed_over_and_must_not_come() {
        let mut audit = audit(9);
        take_all(&mut audit, 0..3).unwrap();
        audit.forgive(0, 3..5);
        take_all(&mut audit, 5..7).unwrap();
        assert!(audit.has(&[7]));
        take_all(&mut audit, [4]).unwrap_err();
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut audit = audit(0);
        take_all(&mut audit, 0..3).unwrap();
        assert_eq!(audit.missing(&[5]).to_string(), "shard 0: 3..5 are missing (FAULT_SEED=7)");
    }
}
