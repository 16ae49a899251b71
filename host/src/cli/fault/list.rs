//! Every fault by name.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use gateway_simulator::{Answer, FaultKind, Mangling, PRIVILEGED_INTENTS, RestFault};

use crate::cli::world;

/// Faults with the same occasion.
pub(super) struct Group {
    pub(super) occasion: Occasion,
    pub(super) faults: &'static [Named],
}

/// When a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// After events, on an open connection.
    Events,
    /// When a client that has said its shard does something.
    Session,
    /// Before a client has said its shard.
    Start,
}

/// A fault by name.
pub(super) struct Named {
    /// Its name, and what its value is: `close=CODE`.
    pub(super) usage: &'static str,
    /// What it does.
    pub(super) effect: &'static str,
    /// Makes it from its value, which is empty if it has none.
    pub(super) kind: fn(&str) -> Result<FaultKind, String>,
}

impl Named {
    pub(super) fn name(&self) -> &'static str {
        self.usage.split('=').next().unwrap_or_default()
    }

    pub(super) fn has_value(&self) -> bool {
        self.usage.contains('=')
    }
}

const fn named(usage: &'static str, effect: &'static str, kind: fn(&str) -> Result<FaultKind, String>) -> Named {
    Named { usage, effect, kind }
}

pub(super) const GROUPS: [Group; 3] = [
    Group {
        occasion: Occasion::Events,
        faults: &[
            named("reconnect", "op 7, and a close with 1001 after 5 s", |_| Ok(FaultKind::Reconnect)),
            named("invalid-session", "op 9 with `false`: the session ends", |_| {
                Ok(FaultKind::InvalidSession { resumable: false })
            }),
            named("invalid-session-resumable", "op 9 with `true`", |_| {
                Ok(FaultKind::InvalidSession { resumable: true })
            }),
            named("close=CODE", "a close frame with this code", |code| {
                Ok(FaultKind::Close { code: close_code(code)?, reason: "Closed on demand.".to_owned() })
            }),
            named("close-without-code", "a close frame without a code", |_| Ok(FaultKind::CloseWithoutCode)),
            named("late-event=CODE", "a close frame with this code, and an event behind it", |code| {
                Ok(FaultKind::DispatchAfterClose { code: close_code(code)? })
            }),
            named("drop", "the TCP connection ends without a close frame", |_| Ok(FaultKind::Drop)),
            named("reset", "a TCP reset", |_| Ok(FaultKind::Reset)),
            named("deaf", "heartbeats are acknowledged, and no events come until the shard resumes", |_| {
                Ok(FaultKind::Deaf)
            }),
            named("half-open", "the connection stays open, and nothing is read or said", |_| Ok(FaultKind::HalfOpen)),
            named("request-heartbeat=COUNT", "op 1 this many times in a row", |count| {
                Ok(FaultKind::RequestHeartbeat { count: number(count, COUNT)? })
            }),
            named("sequence-gap=COUNT", "the next event skips this many sequence numbers", |count| {
                Ok(FaultKind::SequenceGap { skipped: number(count, 1..=1_000_000)? })
            }),
            named("flap-guilds", "every guild becomes unavailable and comes back", |_| Ok(FaultKind::FlapGuilds)),
            named("corrupt", "a byte of the next event is wrong", |_| mangle(Mangling::CorruptByte)),
            named("truncate=BYTES", "the next event lacks its last bytes", |bytes| {
                mangle(Mangling::Truncate(number(bytes, 1..=1_000_000)?))
            }),
            named("split=COUNT", "the next event comes in this many WebSocket messages", |count| {
                mangle(Mangling::Split(number(count, PIECES)?))
            }),
            named("fragment=COUNT", "the next event comes in this many frames of one message", |count| {
                mangle(Mangling::Fragment(number(count, PIECES)?))
            }),
            named("lose", "the next event never comes, although the compressor has seen it", |_| {
                mangle(Mangling::Lose)
            }),
        ],
    },
    Group {
        occasion: Occasion::Session,
        faults: &[
            named("identify=ANSWER", "this answer to an identify, in place of READY", |text| {
                Ok(FaultKind::AnswerIdentify(answer(text)?))
            }),
            named("resume=ANSWER", "this answer to a resume, in place of the replay", |text| {
                Ok(FaultKind::AnswerResume(answer(text)?))
            }),
            named("no-replay", "RESUMED without the replay before it", |_| Ok(FaultKind::ResumedWithoutReplay)),
            named("double-replay", "each replayed event comes twice", |_| Ok(FaultKind::DuplicateReplay)),
            named("no-resume-url", "READY without `resume_gateway_url`", |_| Ok(FaultKind::ReadyWithoutResumeUrl)),
            named("no-guilds", "no GUILD_CREATE after READY", |_| Ok(FaultKind::GuildsNeverArrive)),
            named("no-acks", "heartbeats are not acknowledged", |_| Ok(FaultKind::SwallowAcks)),
            named("late-acks=TIME", "heartbeats are acknowledged this late", |time| {
                Ok(FaultKind::DelayAcks(delay(time)?))
            }),
            named("slow-reads=TIME", "each message of the client is read this late", |time| {
                Ok(FaultKind::SlowReads(delay(time)?))
            }),
        ],
    },
    Group {
        occasion: Occasion::Start,
        faults: &[
            named("rest=STATUS", "the answer to REST has this status", |status| {
                rest(RestFault::Status(number(status, ERRORS)?))
            }),
            named("rest-html", "the answer to REST is a web page", |_| rest(RestFault::Html)),
            named("rest-empty", "the answer to REST is empty", |_| rest(RestFault::Empty)),
            named("rest-drop", "REST ends without an answer", |_| rest(RestFault::Drop)),
            named("rate-limit=TIME", "429 with this time to wait", |time| {
                rest(RestFault::RateLimited { retry_after: delay(time)?, global: false })
            }),
            named("global-rate-limit=TIME", "429 for all that the bot does", |time| {
                rest(RestFault::RateLimited { retry_after: delay(time)?, global: true })
            }),
            named("cloudflare-limit=TIME", "Cloudflare's 429, which is no JSON", |time| {
                rest(RestFault::Cloudflare { retry_after: delay(time)? })
            }),
            named("refuse-upgrade=STATUS", "the WebSocket is refused with this HTTP status", |status| {
                Ok(FaultKind::Upgrade(number(status, ERRORS)?))
            }),
            named("dead-resume-url", "connections to the resume URL are reset at once", |_| {
                Ok(FaultKind::ResumeUrlDead)
            }),
            named("no-hello", "HELLO never comes", |_| Ok(FaultKind::NoHello)),
            named("late-hello=TIME", "HELLO comes this late", |time| Ok(FaultKind::DelayHello(delay(time)?))),
            named("reconnect-before-hello", "op 7 in place of HELLO", |_| Ok(FaultKind::ReconnectInsteadOfHello)),
            named("revoked-token", "the token is not valid: 401 and 4004", |_| Ok(FaultKind::TokenRevoked)),
            named("revoked-intents", "privileged intents are not granted: 4014", |_| {
                Ok(FaultKind::IntentsRevoked(PRIVILEGED_INTENTS))
            }),
            named("required-shards=COUNT", "fewer shards than this are refused: 4011", |count| {
                Ok(FaultKind::ShardCountRaised(number(count, 1..=10_000)?))
            }),
        ],
    },
];

/// A whole number within a range.
pub(super) fn number<T: FromStr + PartialOrd + Display>(text: &str, range: RangeInclusive<T>) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("`{text}` is no number from {} to {}", range.start(), range.end()))
}

fn delay(text: &str) -> Result<Duration, String> {
    world::time(text).map_err(|fault| format!("`{text}` {fault}"))
}

fn close_code(text: &str) -> Result<u16, String> {
    number(text, 1000..=4999)
}

fn answer(text: &str) -> Result<Answer, String> {
    Ok(match text {
        "invalid-session" => Answer::InvalidSession { resumable: false },
        "invalid-session-resumable" => Answer::InvalidSession { resumable: true },
        "drop" => Answer::Drop,
        "silence" => Answer::Silence,
        code => Answer::Close(close_code(code).map_err(|_| {
            format!("`{code}` is neither invalid-session, invalid-session-resumable, drop, silence nor a close code")
        })?),
    })
}

fn mangle(mangling: Mangling) -> Result<FaultKind, String> {
    Ok(FaultKind::Mangle(mangling))
}

fn rest(fault: RestFault) -> Result<FaultKind, String> {
    Ok(FaultKind::Rest(fault))
}

const COUNT: RangeInclusive<u32> = 1..=1000;
const PIECES: RangeInclusive<usize> = 2..=1000;
/// HTTP's.
const ERRORS: RangeInclusive<u16> = 400..=599;
