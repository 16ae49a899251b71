//! How events go out.

use std::num::NonZeroU64;

use spectacles_adapter::{Encoding, Settings};

use crate::bindings::spectacles::gateway::content::{Body, PayloadForm};
use crate::bindings::spectacles::gateway::redis::Trim;

/// What is the same for all entries.
#[derive(Debug, PartialEq)]
pub(crate) struct Outlet {
    pub(crate) body: Body,
    pub(crate) trim: Trim,
    /// Whether an entry has its event's identity beside the message.
    pub(crate) message_ids: bool,
}

impl Outlet {
    /// Reads how events shall go out.
    ///
    /// # Errors
    /// A text that says which key is wrong, and what is accepted.
    pub(crate) fn new(settings: &mut Settings) -> Result<Self, String> {
        let body = Body::Payload(form(settings.encoding()?));
        let mut own = settings.own()?;
        let retention: Option<NonZeroU64> = own.take("retention_ms", "a whole number of milliseconds, at least 1")?;
        own.finish()?;
        let trim = Trim::OlderThan(retention.map_or(RETENTION, NonZeroU64::get));
        Ok(Self { body, trim, message_ids: settings.message_ids()? })
    }
}

fn form(encoding: Encoding) -> PayloadForm {
    match encoding {
        Encoding::Json => PayloadForm::Verbatim,
        Encoding::Msgpack => PayloadForm::MsgpackString,
        Encoding::MsgpackObject => PayloadForm::MsgpackObject,
    }
}

/// In milliseconds: an hour, as the original keeps entries.
const RETENTION: u64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(config: &str) -> Result<Outlet, String> {
        Outlet::new(&mut Settings::parse(config)?)
    }

    #[test]
    fn an_entry_is_kept_for_an_hour_if_nothing_else_is_said() {
        let trim = |own: &str| outlet(&format!(r#"{{"config": {own}}}"#)).unwrap().trim;
        assert_eq!(trim("{}"), Trim::OlderThan(3_600_000));
        assert_eq!(trim(r#"{"retention_ms": 86400000}"#), Trim::OlderThan(86_400_000));
    }

    #[test]
    fn the_encoding_decides_the_form() {
        for (encoding, form) in [
            ("json", PayloadForm::Verbatim),
            ("msgpack", PayloadForm::MsgpackString),
            ("msgpack-object", PayloadForm::MsgpackObject),
        ] {
            let outlet = outlet(&format!(r#"{{"encoding": "{encoding}"}}"#)).unwrap();
            assert_eq!(outlet.body, Body::Payload(form));
        }
    }

    #[test]
    fn entries_have_ids_if_the_operator_says_so() {
        assert!(outlet(r#"{"message_ids": true}"#).unwrap().message_ids);
        assert!(!outlet("{}").unwrap().message_ids);
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused_with_their_key() {
        for (own, key) in [
            (r#"{"retention_ms": 0}"#, "`broker.config.retention_ms`"),
            (r#"{"retention_ms": "1h"}"#, "`broker.config.retention_ms`"),
            (r#"{"retention": 1}"#, "`broker.config.retention`"),
        ] {
            let reason = outlet(&format!(r#"{{"config": {own}}}"#)).unwrap_err();
            assert!(reason.contains(key), "{reason}");
        }
    }
}
