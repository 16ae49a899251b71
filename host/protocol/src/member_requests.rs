//! Requests for guild members that Discord put off, to be sent again when it allows:
//! <https://docs.discord.com/developers/events/gateway-events#rate-limited>.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::opcode;

/// The requests of the last minute, and those that wait to be sent again.
#[derive(Debug, Default)]
pub(crate) struct MemberRequests {
    /// In the order in which they were sent.
    requests: VecDeque<Request>,
}

#[derive(Debug)]
struct Request {
    guild_id: String,
    nonce: Option<String>,
    text: String,
    repeats: u32,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    SentAt(Instant),
    DueAt(Instant),
}

impl MemberRequests {
    /// Remembers a request that is being sent.
    pub(crate) fn note_sent(&mut self, now: Instant, text: &str) {
        let Ok(Payload { d: RequestData { guild_id, nonce } }) = serde_json::from_str(text) else { return };
        let (guild_id, nonce) = (unquoted(guild_id), nonce.map(unquoted));
        self.remember(now, Request { guild_id, nonce, text: text.to_owned(), repeats: 0, state: State::SentAt(now) });
    }

    /// Takes the data of a RATE_LIMITED event: the request that it names shall be sent again later.
    pub(crate) fn note_rate_limited(&mut self, now: Instant, data: &str) {
        let Ok(limited) = serde_json::from_str::<RateLimited<'_>>(data) else { return };
        if limited.opcode != opcode::REQUEST_GUILD_MEMBERS {
            return;
        }
        let (guild_id, nonce) = (unquoted(limited.meta.guild_id), limited.meta.nonce.map(unquoted));
        // Discord drops nonces that are too long, so one that is missing fits any.
        let is_meant = |request: &&mut Request| {
            matches!(request.state, State::SentAt(_))
                && request.guild_id == guild_id
                && (nonce.is_none() || request.nonce == nonce)
        };
        if let Some(request) = self.requests.iter_mut().rev().find(is_meant) {
            let wait = limited.retry_after.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            request.state = State::DueAt(now + wait.unwrap_or(DEFAULT_WAIT).min(LONGEST_WAIT) + SLACK);
        }
    }

    /// The payload of a request that is due. It counts as sent by this.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<String> {
        let is_due = |request: &Request| matches!(request.state, State::DueAt(due) if due <= now);
        let index = self.requests.iter().position(is_due)?;
        let request = self.requests.remove(index)?;
        let text = request.text.clone();
        if request.repeats < MAX_REPEATS {
            self.remember(now, Request { repeats: request.repeats + 1, state: State::SentAt(now), ..request });
        }
        Some(text)
    }

    /// When the next request is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let due = |request: &Request| if let State::DueAt(due) = request.state { Some(due) } else { None };
        self.requests.iter().filter_map(due).min()
    }

    fn remember(&mut self, now: Instant, request: Request) {
        self.requests.retain(|request| match request.state {
            State::SentAt(sent) => sent + MEMORY > now,
            State::DueAt(_) => true,
        });
        if self.requests.len() >= CAPACITY {
            let oldest_sent = self.requests.iter().position(|request| matches!(request.state, State::SentAt(_)));
            self.requests.remove(oldest_sent.unwrap_or(0));
        }
        self.requests.push_back(request);
    }
}

/// A string's or a number's text, which Discord treats alike.
fn unquoted(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    d: RequestData<'a>,
}

#[derive(Deserialize)]
struct RequestData<'a> {
    #[serde(borrow)]
    guild_id: &'a RawValue,
    #[serde(borrow)]
    nonce: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RateLimited<'a> {
    opcode: u64,
    retry_after: Option<f64>,
    #[serde(borrow)]
    meta: RequestData<'a>,
}

/// Requests that are remembered, of at most 4096 bytes each.
const CAPACITY: usize = 32;
/// How long after a request Discord may still refuse it.
const MEMORY: Duration = Duration::from_secs(60);
/// How often a request is sent again before it is given up.
const MAX_REPEATS: u32 = 5;
/// The documented limit, for an event that does not say how long to wait.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Clocks differ.
const SLACK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn request(guild: u64, nonce: &str) -> String {
        format!(r#"{{"op":8,"d":{{"guild_id":"{guild}","query":"","limit":0,"nonce":"{nonce}"}}}}"#)
    }

    fn limited(guild: u64, nonce: &str, seconds: &str) -> String {
        format!(
            r#"{{"opcode":8,"retry_after":{seconds},"meta":{{"guild_id":"{guild}","nonce":"{nonce}"}},"new":[{{}}]}}"#
        )
    }

    #[test]
    fn the_request_with_the_nonce_is_repeated_no_sooner_than_allowed() {
        let start = Instant::now();
        let mut requests = MemberRequests::default();
        for nonce in ["a", "b", "c"] {
            requests.note_sent(start, &request(1, nonce));
        }
        requests.note_rate_limited(start, &limited(1, "b", "29.4"));
        let due = requests.next_due().unwrap();
        assert!(due >= start + Duration::from_secs_f64(29.4));
        assert_eq!(requests.take_due(due - Duration::from_millis(1)), None);
        assert_eq!(requests.take_due(due), Some(request(1, "b")));
        assert_eq!((requests.take_due(due), requests.next_due()), (None, None));
    }

    #[test]
    fn other_requests_are_left_alone() {
        let start = Instant::now();
        let mut requests = MemberRequests::default();
        requests.note_sent(start, &request(1, "a"));
        for data in
            [limited(1, "x", "1"), limited(2, "a", "1"), "{}".to_owned(), limited(1, "a", "1").replacen('8', "4", 1)]
        {
            requests.note_rate_limited(start, &data);
        }
        assert_eq!(requests.next_due(), None);
    }

    #[test]
    fn without_a_nonce_the_guild_decides() {
        let start = Instant::now();
        let mut requests = MemberRequests::default();
        requests.note_sent(start, r#"{"op":8,"d":{"guild_id":17,"query":""}}"#);
        requests.note_rate_limited(start, r#"{"opcode":8,"retry_after":-5,"meta":{"guild_id":"17"}}"#);
        assert_eq!(requests.next_due(), Some(start + DEFAULT_WAIT + SLACK));
    }

    #[test]
    fn memory_is_bounded_and_repeats_end() {
        let start = Instant::now();
        let mut requests = MemberRequests::default();
        for guild in 0..1000 {
            requests.note_sent(start, &request(guild, "n"));
            requests.note_rate_limited(start, &limited(guild, "n", "1e300"));
        }
        assert_eq!(requests.requests.len(), CAPACITY);

        let mut requests = MemberRequests::default();
        requests.note_sent(start, &request(1, "n"));
        let mut now = start;
        let mut repeats = 0;
        loop {
            requests.note_rate_limited(now, &limited(1, "n", "1"));
            let Some(due) = requests.next_due() else { break };
            now = due;
            repeats += u32::from(requests.take_due(now).is_some());
        }
        assert_eq!(repeats, MAX_REPEATS + 1);
    }
}
