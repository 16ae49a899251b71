//! What an answer to `GET /gateway/bot` means. Pure: no I/O.

use std::num::NonZeroU32;
use std::time::Duration;

use gateway_protocol::SessionStartLimit;
use serde::Deserialize;

use super::{GatewayUrl, RestError};

/// Where the gateway is, and how to start on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayInfo {
    /// Where to connect.
    pub url: GatewayUrl,
    /// How many shards Discord recommends.
    pub shards: NonZeroU32,
    /// How many sessions may be started.
    pub session_start_limit: SessionStartLimit,
}

/// An HTTP response as far as it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    /// The header `Retry-After`.
    pub(super) retry_after: Option<&'a str>,
    pub(super) body: Body<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Body<'a> {
    Whole(&'a [u8]),
    /// Larger than any sensible answer. Its beginning.
    TooLarge(&'a [u8]),
}

impl<'a> Body<'a> {
    fn beginning(self) -> &'a [u8] {
        match self {
            Self::Whole(bytes) | Self::TooLarge(bytes) => bytes,
        }
    }
}

/// What the answer means.
pub(super) fn classify(answer: Answer<'_>) -> Result<GatewayInfo, RestError> {
    let status = answer.status;
    let body = answer.body.beginning();
    match status {
        200 => match answer.body {
            Body::Whole(body) => parse(body).map_err(|reason| RestError::Nonsense { reason, excerpt: excerpt(body) }),
            Body::TooLarge(body) => {
                Err(RestError::Nonsense { reason: "it is far too large".into(), excerpt: excerpt(body) })
            }
        },
        401 => Err(RestError::Unauthorized),
        403 => Err(RestError::Forbidden { code: failure(body).code, excerpt: excerpt(body) }),
        429 => Err(RestError::RateLimited(wait(answer.retry_after, failure(body).retry_after))),
        408 | 500..=599 => Err(RestError::Unavailable { status, excerpt: excerpt(body) }),
        _ => Err(RestError::NotDiscord { status, excerpt: excerpt(body) }),
    }
}

fn parse(body: &[u8]) -> Result<GatewayInfo, String> {
    if body.trim_ascii().is_empty() {
        return Err("it is empty".into());
    }
    let wire: Wire = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let url = wire.url.parse().map_err(|error: super::InvalidGatewayUrl| error.to_string())?;
    let shards = NonZeroU32::new(wire.shards).ok_or("it recommends 0 shards")?;
    if shards.get() > MAX_SHARDS {
        return Err(format!("it recommends {shards} shards"));
    }
    let limit = wire.session_start_limit;
    Ok(GatewayInfo {
        url,
        shards,
        session_start_limit: SessionStartLimit {
            total: limit.total,
            remaining: limit.remaining,
            reset_after: Duration::from_millis(limit.reset_after).min(PERIOD),
            max_concurrency: NonZeroU32::new(limit.max_concurrency).ok_or("its `max_concurrency` is 0")?,
        },
    })
}

/// How long to wait: what the header or the body says, whichever is longer, within bounds.
fn wait(header: Option<&str>, body: Option<f64>) -> Duration {
    let header = header.and_then(|seconds| seconds.trim().parse::<f64>().ok());
    let seconds = header.into_iter().chain(body).filter(|seconds| seconds.is_finite()).fold(0.0, f64::max);
    Duration::try_from_secs_f64(seconds).unwrap_or(MAX_WAIT).clamp(MIN_WAIT, MAX_WAIT)
}

fn failure(body: &[u8]) -> Failure {
    serde_json::from_slice(body).unwrap_or_default()
}

/// The beginning of a body for a person: one line, nothing that a terminal would act on.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..EXCERPT).unwrap_or(body));
    let words: Vec<&str> = text.split(|character: char| character.is_whitespace() || character.is_control()).collect();
    let line = words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ");
    match (line.is_empty(), body.len() > EXCERPT) {
        (true, _) => "(nothing)".into(),
        (false, true) => format!("{line}…"),
        (false, false) => line,
    }
}

#[derive(Deserialize)]
struct Wire {
    url: String,
    shards: u32,
    session_start_limit: WireLimit,
}

#[derive(Deserialize)]
struct WireLimit {
    total: u32,
    remaining: u32,
    /// Milliseconds.
    reset_after: u64,
    max_concurrency: u32,
}

/// Discord's error object, as far as it is there.
#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default)]
    code: Option<u64>,
    /// Seconds.
    #[serde(default)]
    retry_after: Option<f64>,
}

/// Beyond every bot by a factor of ten; a higher number is a fault, and would be obeyed with that many connections.
const MAX_SHARDS: u32 = 100_000;
/// The period of the session start limit.
const PERIOD: Duration = Duration::from_secs(24 * 3600);
const MIN_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// Bytes of an answer that an error shows.
const EXCERPT: usize = 120;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Retry;
    use super::*;

    const GOOD: &str = r#"{"url":"wss://gateway.discord.gg","shards":2,"session_start_limit":
        {"total":1000,"remaining":999,"reset_after":14400000,"max_concurrency":16},"new":[1]}"#;

    fn answer(status: u16, body: &str) -> Result<GatewayInfo, RestError> {
        classify(Answer { status, retry_after: None, body: Body::Whole(body.as_bytes()) })
    }

    #[test]
    fn a_good_answer_is_read_and_unknown_members_are_ignored() {
        let info = answer(200, GOOD).unwrap();
        assert_eq!(info.url.to_string(), "wss://gateway.discord.gg/");
        assert_eq!(info.shards.get(), 2);
        let limit = info.session_start_limit;
        assert_eq!((limit.total, limit.remaining, limit.max_concurrency.get()), (1000, 999, 16));
        assert_eq!(limit.reset_after, Duration::from_secs(14_400));
    }

    #[test]
    fn every_lie_is_named_and_tried_again() {
        for (true_part, lie, reason) in [
            (r#""shards":2"#, r#""shards":0"#, "0 shards"),
            (r#""shards":2"#, r#""shards":4000000000"#, "4000000000 shards"),
            (r#""shards":2"#, r#""shards":-1"#, "invalid value"),
            (r#""shards":2"#, r#""shards":"2""#, "invalid type"),
            (r#""max_concurrency":16"#, r#""max_concurrency":0"#, "`max_concurrency` is 0"),
            ("wss://gateway.discord.gg", "https://discord.com", "neither ws nor wss"),
            ("wss://gateway.discord.gg", "", "no address of a gateway"),
            (r#""session_start_limit""#, r#""x""#, "missing field"),
        ] {
            assert!(GOOD.contains(true_part));
            let error = answer(200, &GOOD.replace(true_part, lie)).unwrap_err();
            assert_eq!(error.retry(), Retry::WithBackoff, "{error}");
            assert!(
                matches!(error, RestError::Nonsense { .. }) && error.to_string().contains(reason),
                "{lie}: {error}"
            );
        }
    }

    #[test]
    fn a_reset_in_a_thousand_years_is_a_day_at_most() {
        let info = answer(200, &GOOD.replace("14400000", &u64::MAX.to_string())).unwrap();
        assert_eq!(info.session_start_limit.reset_after, PERIOD);
    }

    #[test]
    fn html_nothing_and_too_much_are_nonsense_with_an_excerpt() {
        let html = answer(200, "<html>\n<h1>\u{1b}[2JLog in to the hotel's network</h1>").unwrap_err().to_string();
        assert!(html.ends_with("<html> <h1> [2JLog in to the hotel's network</h1>"), "{html:?}");
        assert!(answer(200, " \n").unwrap_err().to_string().contains("it is empty"));
        let large =
            classify(Answer { status: 200, retry_after: None, body: Body::TooLarge(&[b'x'; 1000]) }).unwrap_err();
        assert!(large.to_string().contains("far too large") && large.to_string().len() < 300);
    }

    #[test]
    fn a_status_decides_whether_another_try_may_help() {
        for (status, body, retry, advice) in [
            (401, r#"{"message":"401: Unauthorized","code":0}"#, Retry::Never, "DISCORD_TOKEN"),
            (403, r#"{"message":"internal network error","code":40333}"#, Retry::WithBackoff, "code 40333"),
            (403, "<html>1020</html>", Retry::WithBackoff, "blocked for a while"),
            (404, "", Retry::Never, "DISCORD_API_HOST"),
            (400, "{}", Retry::Never, "DISCORD_API_VERSION"),
            (301, "", Retry::Never, "DISCORD_API_PROTOCOL"),
            (500, "", Retry::WithBackoff, "(nothing)"),
            (502, "<html>bad gateway</html>", Retry::WithBackoff, "bad gateway"),
        ] {
            let error = answer(status, body).unwrap_err();
            assert_eq!(error.retry(), retry, "{status}");
            assert!(error.to_string().contains(advice), "{status}: {error}");
        }
    }

    #[test]
    fn a_rate_limit_waits_as_long_as_it_says_within_an_hour() {
        let wait = |header: Option<&str>, body: &str| {
            let answer = Answer { status: 429, retry_after: header, body: Body::Whole(body.as_bytes()) };
            match classify(answer).unwrap_err().retry() {
                Retry::After(wait) => wait.as_secs_f64(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wait(Some("3"), r#"{"retry_after":2.5}"#), 3.0);
        assert_eq!(wait(None, r#"{"retry_after":64.57,"global":true}"#), 64.57);
        assert_eq!(wait(Some("30"), "error code: 1015"), 30.0);
        for (header, body) in
            [(None, ""), (Some("soon"), "{}"), (Some("-5"), r#"{"retry_after":-1}"#), (Some("NaN"), "")]
        {
            assert_eq!(wait(header, body), 1.0);
        }
        for (header, body) in [(Some("1e300"), ""), (None, r#"{"retry_after":1e18}"#)] {
            assert_eq!(wait(header, body), 3600.0);
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(status: u16, header in ".*", body: Vec<u8>) {
            let _ = classify(Answer { status, retry_after: Some(&header), body: Body::Whole(&body) });
        }
    }
}
