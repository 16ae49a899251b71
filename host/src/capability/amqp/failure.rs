//! Why something with the server failed, in words that say what to do. Neither user nor password is in them, and so
//! none of the server's own text where it names the user.

use lapin::{Error, ErrorKind};
use thiserror::Error;

use super::address::Address;
use super::topology::{Declaration, Exchange, Queue};

/// Why there is no connection, or no topology on it.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The operator must mend it.
    #[error("{0}")]
    Mend(String),
    /// It may pass.
    #[error("{0}")]
    Passing(String),
}

impl Failure {
    /// Of a try to connect.
    pub(super) fn connecting(error: &Error, address: &Address) -> Self {
        let vhost = address.virtual_host();
        match answer(error) {
            Some((ACCESS_REFUSED, _)) => Self::Mend(format!(
                "the AMQP server at {address} refuses user or password (403 ACCESS_REFUSED): correct them in `amqp.url`, or \
                 set them with `rabbitmqctl add_user` or `rabbitmqctl change_password`. RabbitMQ lets the user `guest` in \
                 from its own machine alone"
            )),
            Some((NOT_ALLOWED, text)) if text.contains("limit") || text.contains("is down") => Self::Passing(format!(
                "the virtual host `{vhost}` takes no further connection now (530 NOT_ALLOWED): see its limits \
                 (`rabbitmqctl list_vhost_limits`, `rabbitmqctl list_user_limits`) and the server's log"
            )),
            Some((NOT_ALLOWED, _)) => Self::Mend(format!(
                "the AMQP server at {address} has no virtual host `{vhost}`, or the user has no access to it (530 \
                 NOT_ALLOWED): correct the end of `amqp.url`, or use `rabbitmqctl add_vhost {vhost}` and \
                 `rabbitmqctl set_permissions -p {vhost} USER \".*\" \".*\" \".*\"`"
            )),
            Some((code, text)) => Self::Passing(format!("the server ended the connection ({code} {text})")),
            None => match distrusted(error) {
                Some(reason) => Self::Mend(format!(
                    "the certificate of the AMQP server at {address} is not to be trusted ({reason}): give the file of its \
                     certificate authority as `amqp.ca_file`, and the name that the certificate is for in `amqp.url`"
                )),
                None => Self::Passing(reason(error)),
            },
        }
    }

    /// Of a declaration.
    pub(super) fn declaring(error: &Error, declaration: &Declaration) -> Self {
        let what = match declaration {
            Declaration::Exchange(Exchange { name, .. }) => format!("the exchange `{name}`"),
            Declaration::Queue(Queue { name, .. }) => format!("the queue `{name}`"),
            Declaration::Binding(binding) => {
                format!("the binding of the queue `{}` to the exchange `{}`", binding.queue, binding.exchange)
            }
        };
        match answer(error) {
            Some((PRECONDITION_FAILED, text)) => {
                let mend = match declaration {
                    Declaration::Queue(Queue { name, .. }) => format!("`rabbitmqctl delete_queue \"{name}\"`"),
                    _ => format!("delete {what} (in RabbitMQ's management, or with `rabbitmqadmin delete exchange`)"),
                };
                Self::Mend(format!(
                    "{what} exists on the AMQP server with other properties: {text}. Make way for it when nobody needs it \
                     any more ({mend}), or choose another `broker.group`"
                ))
            }
            Some((ACCESS_REFUSED, _)) => Self::Mend(format!(
                "the user of `amqp.url` may not declare {what} (403 ACCESS_REFUSED): give the permission with `rabbitmqctl \
                 set_permissions`"
            )),
            Some((NOT_FOUND | COMMAND_INVALID | NOT_ALLOWED | NOT_IMPLEMENTED, text)) => {
                Self::Mend(format!("the AMQP server does not take {what}: {text}"))
            }
            Some((code, text)) => Self::Passing(format!("the AMQP server does not take {what} now ({code} {text})")),
            None => Self::Passing(format!("{what} could not be declared: {}", reason(error))),
        }
    }
}

/// Code and text with which the server closed a channel or the connection.
pub(super) fn answer(error: &Error) -> Option<(u16, &str)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some((error.get_id(), error.get_message().as_str())),
        _ => None,
    }
}

/// What happened, without the library's own words where the system's say it all.
pub(super) fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::ProtocolError(error) => format!("{} {}", error.get_id(), error.get_message()),
        ErrorKind::MissingHeartbeatError => "the server was silent for too long".to_owned(),
        _ => error.to_string(),
    }
}

/// The sizes in the server's answer to a message that is larger than it takes: `PRECONDITION_FAILED - message size 9 is
/// larger than configured max size 5`. Answers with the greatest size.
pub(super) fn greatest_message(text: &str) -> Option<usize> {
    let (_, text) = text.split_once("message size ")?;
    let (_, text) = text.split_once("max size ")?;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..digits)?.parse().ok()
}

/// Why the server's certificate is not believed, if that is it.
fn distrusted(error: &Error) -> Option<String> {
    let ErrorKind::IOError(error) = error.kind() else { return None };
    let mut cause = error.get_ref().map(|cause| cause as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
            return Some(reason.to_string());
        }
        // `source` of an I/O error leaves out the error that it holds.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

pub(super) const CONTENT_TOO_LARGE: u16 = 311;
const ACCESS_REFUSED: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const PRECONDITION_FAILED: u16 = 406;
const COMMAND_INVALID: u16 = 503;
const NOT_ALLOWED: u16 = 530;
const NOT_IMPLEMENTED: u16 = 540;

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPHardError, AMQPSoftError};
    use lapin::types::FieldTable;

    use super::*;

    fn address() -> Address {
        Address::parse("amqp://user:hunter2@host/v").unwrap()
    }

    fn queue() -> Declaration {
        Declaration::Queue(Queue {
            name: "gateway:SEND".into(),
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: FieldTable::default(),
        })
    }

    fn soft(kind: AMQPSoftError, text: &str) -> Error {
        ErrorKind::ProtocolError(AMQPError::new(kind.into(), text.into())).into()
    }

    #[test]
    fn what_the_operator_must_mend_is_told_with_what_to_do_and_without_secrets() {
        let refused = soft(AMQPSoftError::ACCESSREFUSED, "ACCESS_REFUSED - user 'user'");
        let error: Error = ErrorKind::ProtocolError(AMQPError::new(
            AMQPHardError::NOTALLOWED.into(),
            "NOT_ALLOWED - vhost v refused for user 'user'".into(),
        ))
        .into();
        for (failure, part) in [
            (Failure::connecting(&refused, &address()), "amqp.url"),
            (Failure::connecting(&error, &address()), "add_vhost v"),
            (Failure::declaring(&refused, &queue()), "set_permissions"),
            (
                Failure::declaring(&soft(AMQPSoftError::PRECONDITIONFAILED, "inequivalent arg 'durable'"), &queue()),
                "inequivalent arg 'durable'. Make way for it when nobody needs it any more (`rabbitmqctl delete_queue \
                 \"gateway:SEND\"`)",
            ),
        ] {
            let text = failure.to_string();
            assert!(matches!(failure, Failure::Mend(_)), "{text}");
            assert!(text.contains(part), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("'user'"), "{text}");
        }
    }

    #[test]
    fn what_may_pass_is_no_fault_of_the_operator() {
        let refused: Error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into();
        let locked = soft(AMQPSoftError::RESOURCELOCKED, "exclusive");
        let limit: Error = ErrorKind::ProtocolError(AMQPError::new(
            AMQPHardError::NOTALLOWED.into(),
            "NOT_ALLOWED - access to vhost '/' refused for user 'user': connection limit (1) is reached".into(),
        ))
        .into();
        assert!(matches!(Failure::connecting(&refused, &address()), Failure::Passing(_)));
        assert!(matches!(Failure::connecting(&limit, &address()), Failure::Passing(_)));
        assert!(matches!(Failure::declaring(&locked, &queue()), Failure::Passing(_)));
    }

    #[test]
    fn the_greatest_message_is_read_from_the_answers_of_all_releases() {
        for (text, size) in [
            ("PRECONDITION_FAILED - message size 150 is larger than max size 100", Some(100)),
            ("PRECONDITION_FAILED - message size 150 is larger than configured max size 16777216", Some(16_777_216)),
            ("PRECONDITION_FAILED - invalid expiration 'x'", None),
            ("message size 1 is larger than max size ", None),
        ] {
            assert_eq!(greatest_message(text), size, "{text}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_believed_is_found_in_what_wraps_it() {
        let reason = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let inner = std::io::Error::new(std::io::ErrorKind::InvalidData, reason);
        let error: Error = std::io::Error::other(inner).into();
        let failure = Failure::connecting(&error, &address());
        assert!(matches!(&failure, Failure::Mend(text) if text.contains("amqp.ca_file")), "{failure}");
    }
}
