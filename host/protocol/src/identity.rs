//! Who a shard is, and the payloads that say so.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::command::MAX_PAYLOAD_BYTES;
use crate::opcode;
use crate::session::{Sequence, Session};
use crate::shard_id::{ShardCount, ShardId};

/// What all shards of a bot identify with.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The token without the `Bot ` prefix. `Debug` does not show it.
    pub token: String,
    /// Discord's bits, which say what events are sent.
    pub intents: u64,
    /// The first presence, a JSON object. Left out of the identify if it is not JSON.
    pub presence: Option<String>,
    /// Up to how many members a guild is sent with all of them: 50 to 250. `None` leaves Discord's 50.
    pub large_threshold: Option<u8>,
}

/// Why Discord would refuse an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The token is empty or has characters that no token has.
    #[error("the token is empty or contains blanks or control characters; copy it again from the developer portal")]
    Token,
    /// The presence is no JSON object.
    #[error("the presence is no JSON object")]
    Presence,
    /// The threshold is out of its range.
    #[error("the large threshold is {0}; it must be from 50 to 250")]
    LargeThreshold(u8),
    /// The identify would be longer than a payload may be.
    #[error("the identify payload has {0} bytes, but 4096 are allowed; shorten the presence")]
    TooLong(usize),
}

/// Everything that makes a shard.
#[derive(Debug, Clone)]
pub struct ShardOptions {
    /// Its number, below `count`.
    pub id: ShardId,
    /// The number of all shards of the bot.
    pub count: ShardCount,
    /// What it identifies with.
    pub identity: Arc<Identity>,
    /// How long reading may be paused before the connection is given up until it goes on; `None` is for ever.
    pub patience: Option<Duration>,
    /// How long a shard that should hear events may hear none before it is suspected to be deaf; `None` is for ever.
    pub silence: Option<Duration>,
}

impl Identity {
    /// Checks what Discord would answer with a close code.
    ///
    /// # Errors
    ///
    /// If the identity cannot work.
    pub fn validate(&self) -> Result<(), IdentityError> {
        if self.token.is_empty() || self.token.chars().any(|char| char.is_whitespace() || char.is_control()) {
            return Err(IdentityError::Token);
        }
        let is_object = |json: &str| json.trim_start().starts_with('{') && presence(json).is_some();
        if self.presence.as_deref().is_some_and(|json| !is_object(json)) {
            return Err(IdentityError::Presence);
        }
        if let Some(threshold) = self.large_threshold.filter(|threshold| !(50..=250).contains(threshold)) {
            return Err(IdentityError::LargeThreshold(threshold));
        }
        match self.identify(u32::MAX, u32::MAX).len() {
            length if length > MAX_PAYLOAD_BYTES => Err(IdentityError::TooLong(length)),
            _ => Ok(()),
        }
    }

    pub(crate) fn resume(&self, session: &Session) -> String {
        payload(opcode::RESUME, &ResumeData { token: &self.token, session_id: &session.id, seq: session.sequence.0 })
    }

    /// The identify of shard `id` of `count`.
    pub(crate) fn identify(&self, id: u32, count: u32) -> String {
        payload(
            opcode::IDENTIFY,
            &IdentifyData {
                token: &self.token,
                properties: Properties { os: std::env::consts::OS, browser: PRODUCT, device: PRODUCT },
                intents: self.intents,
                shard: [id, count],
                large_threshold: self.large_threshold,
                presence: self.presence.as_deref().and_then(presence),
            },
        )
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identity")
            .field("token", &"<redacted>")
            .field("intents", &self.intents)
            .field("presence", &self.presence)
            .field("large_threshold", &self.large_threshold)
            .finish()
    }
}

/// A heartbeat that tells the last sequence, if there is one.
pub(crate) fn heartbeat(sequence: Option<Sequence>) -> String {
    payload(opcode::HEARTBEAT, &sequence.map(|sequence| sequence.0).filter(|sequence| *sequence > 0))
}

fn presence(json: &str) -> Option<&RawValue> {
    serde_json::from_str(json).ok()
}

fn payload(op: u64, d: &impl Serialize) -> String {
    // Nothing here can fail: there are no maps and no values that have no JSON.
    serde_json::to_string(&Payload { op, d }).unwrap_or_default()
}

#[derive(Serialize)]
struct Payload<'a, D> {
    op: u64,
    d: &'a D,
}

#[derive(Serialize)]
struct IdentifyData<'a> {
    token: &'a str,
    properties: Properties,
    intents: u64,
    shard: [u32; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    large_threshold: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Properties {
    os: &'static str,
    browser: &'static str,
    device: &'static str,
}

#[derive(Serialize)]
struct ResumeData<'a> {
    token: &'a str,
    session_id: &'a str,
    seq: u64,
}

const PRODUCT: &str = "spectacles";

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            token: "T0KEN".to_owned(),
            intents: 513,
            presence: Some(r#"{"status":"idle","since":9007199254740993}"#.to_owned()),
            large_threshold: Some(250),
        }
    }

    #[test]
    fn an_identify_says_everything() {
        let expected = format!(
            r#"{{"op":2,"d":{{"token":"T0KEN","properties":{{"os":"{}","browser":"spectacles","device":"spectacles"}},"intents":513,"shard":[3,16],"large_threshold":250,"presence":{{"status":"idle","since":9007199254740993}}}}}}"#,
            std::env::consts::OS
        );
        assert_eq!(identity().identify(3, 16), expected);
        let bare = Identity { presence: Some("{".to_owned()), large_threshold: None, ..identity() };
        assert!(bare.identify(0, 1).ends_with(r#""intents":513,"shard":[0,1]}}"#));
    }

    #[test]
    fn a_resume_names_session_and_sequence() {
        let session = Session { id: "a\"b".to_owned(), resume_url: None, sequence: Sequence(u64::MAX) };
        let expected = r#"{"op":6,"d":{"token":"T0KEN","session_id":"a\"b","seq":18446744073709551615}}"#;
        assert_eq!(identity().resume(&session), expected);
    }

    #[test]
    fn a_heartbeat_before_any_event_is_null() {
        assert_eq!(heartbeat(None), r#"{"op":1,"d":null}"#);
        assert_eq!(heartbeat(Some(Sequence(0))), r#"{"op":1,"d":null}"#);
        assert_eq!(heartbeat(Some(Sequence(42))), r#"{"op":1,"d":42}"#);
    }

    #[test]
    fn an_identity_that_cannot_work_is_refused() {
        assert_eq!(identity().validate(), Ok(()));
        let long = format!("{{\"status\":\"{}\"}}", "a".repeat(4096));
        for (broken, error) in [
            (Identity { token: "a b".to_owned(), ..identity() }, IdentityError::Token),
            (Identity { presence: Some("[]".to_owned()), ..identity() }, IdentityError::Presence),
            (Identity { presence: Some("{".to_owned()), ..identity() }, IdentityError::Presence),
            (Identity { large_threshold: Some(49), ..identity() }, IdentityError::LargeThreshold(49)),
        ] {
            assert_eq!(broken.validate(), Err(error));
        }
        let too_long = Identity { presence: Some(long), ..identity() };
        assert!(matches!(too_long.validate(), Err(IdentityError::TooLong(4097..))));
    }

    #[test]
    fn debug_hides_the_token() {
        assert!(!format!("{:?}", identity()).contains("T0KEN"));
    }
}
