//! How events go out.

use spectacles_adapter::{Encoding, Settings};

use crate::bindings::spectacles::gateway::amqp::Properties;
use crate::bindings::spectacles::gateway::content::{Body, PayloadForm};

/// What is the same for all messages. Beside it a message has its id at most, so that it is what consumers of the original
/// know.
#[derive(Debug, PartialEq)]
pub(crate) struct Outlet {
    /// The exchange's name, which is that of the group.
    pub(crate) exchange: String,
    pub(crate) body: Body,
    pub(crate) properties: Properties,
    /// Whether a message carries its event's identity as its id.
    pub(crate) message_ids: bool,
}

impl Outlet {
    /// Reads how events shall go out.
    ///
    /// # Errors
    /// A text that says which key is wrong, and what is accepted.
    pub(crate) fn new(settings: &mut Settings) -> Result<Self, String> {
        let encoding = settings.encoding()?;
        let mut own = settings.own()?;
        // Consumers see no difference, and without it a restart of the server empties their durable queues.
        let persistent = own.take("persistent", "true or false")?.unwrap_or(true);
        own.finish()?;
        let properties = Properties {
            content_type: (encoding == Encoding::Json).then(|| "application/json".to_owned()),
            persistent,
            expiration: Some(expiration(settings)?),
            priority: None,
            message_id: None,
            correlation_id: None,
            reply_to: None,
            kind: None,
            headers: Vec::new(),
        };
        let message_ids = settings.message_ids()?;
        Ok(Self { exchange: settings.group()?, body: Body::Payload(form(encoding)), properties, message_ids })
    }
}

/// In milliseconds.
fn expiration(settings: &mut Settings) -> Result<u32, String> {
    let timeout = settings.message_timeout()?;
    u32::try_from(timeout.as_millis())
        .map_err(|_| format!("`broker.message_timeout` must be at most {} milliseconds for AMQP", u32::MAX))
}

fn form(encoding: Encoding) -> PayloadForm {
    match encoding {
        Encoding::Json => PayloadForm::Verbatim,
        Encoding::Msgpack => PayloadForm::MsgpackString,
        Encoding::MsgpackObject => PayloadForm::MsgpackObject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(encoding: &str, own: &str) -> Result<Outlet, String> {
        let config =
            format!(r#"{{"group": "bot", "encoding": "{encoding}", "message_timeout_ms": 120000, "config": {own}}}"#);
        Outlet::new(&mut Settings::parse(&config)?)
    }

    #[test]
    fn a_json_message_says_so_and_when_it_expires_and_nothing_else() {
        let expected = Outlet {
            exchange: "bot".into(),
            body: Body::Payload(PayloadForm::Verbatim),
            properties: Properties {
                content_type: Some("application/json".into()),
                persistent: true,
                expiration: Some(120_000),
                priority: None,
                message_id: None,
                correlation_id: None,
                reply_to: None,
                kind: None,
                headers: vec![],
            },
            message_ids: false,
        };
        assert_eq!(outlet("json", "{}"), Ok(expected));
    }

    #[test]
    fn a_msgpack_message_has_no_content_type() {
        for (encoding, form) in
            [("msgpack", PayloadForm::MsgpackString), ("msgpack-object", PayloadForm::MsgpackObject)]
        {
            let outlet = outlet(encoding, "{}").unwrap();
            assert_eq!(outlet.properties.content_type, None);
            assert_eq!(outlet.body, Body::Payload(form));
        }
    }

    #[test]
    fn messages_are_transient_if_the_operator_says_so() {
        assert!(!outlet("json", r#"{"persistent": false}"#).unwrap().properties.persistent);
    }

    #[test]
    fn messages_have_ids_if_the_operator_says_so() {
        let config = r#"{"group": "bot", "message_timeout_ms": 1, "message_ids": true}"#;
        assert!(Outlet::new(&mut Settings::parse(config).unwrap()).unwrap().message_ids);
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused_with_their_key() {
        for (own, key) in [(r#"{"persistent": 1}"#, "`broker.config.persistent`"), (r#"{"x": 1}"#, "`broker.config.x`")]
        {
            let reason = outlet("json", own).unwrap_err();
            assert!(reason.contains(key), "{reason}");
        }
        let long = r#"{"group": "bot", "message_timeout_ms": 4294967296}"#;
        let reason = Outlet::new(&mut Settings::parse(long).unwrap()).unwrap_err();
        assert!(reason.contains("`broker.message_timeout`"), "{reason}");
    }
}
