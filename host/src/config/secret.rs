//! Values that are never shown.

use std::fmt;
use std::net::Ipv6Addr;

/// What is shown in place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// A text that `Debug` and `Display` hide.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the wire, never for a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

/// An address of a server that may hold a password: `Debug` and `Display` show it without.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// Hides the password of an address.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole address: for connecting, never for a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", redact_url(&self.0))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&redact_url(&self.0))
    }
}

/// The address without its password and without the values of its query.
///
/// Passwords that are not escaped (`/`, `?`, `#` and `@` in them) are hidden too: all up to the last `@` is taken for
/// user and password.
pub(super) fn redact_url(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (user, rest) = match rest.rsplit_once('@') {
        // Without a colon, what stands there may just as well be a password.
        Some((user_info, rest)) => match user_info.split_once(':') {
            Some((user, _)) if !user.contains(['/', '?', '#']) => (format!("{user}:{REDACTED}@"), rest),
            _ => (format!("{REDACTED}@"), rest),
        },
        None => (String::new(), rest),
    };
    let (place, query) = rest.find(['?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    format!("{scheme}{user}{}{}", redact_port(place), redact_query(query))
}

/// What stands for a port but is no number is the password of an address that lacks its host.
fn redact_port(place: &str) -> String {
    let (authority, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    let (address, rest) = authority.split_at(ipv6_length(authority));
    match rest.split_once(':') {
        Some((host, port)) if !port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{address}{host}:{REDACTED}{path}")
        }
        _ => place.to_owned(),
    }
}

/// The length of the address in brackets that it begins with.
fn ipv6_length(authority: &str) -> usize {
    let inner = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inner, _)| inner);
    inner.filter(|inner| inner.parse::<Ipv6Addr>().is_ok()).map_or(0, |inner| inner.len() + "[]".len())
}

fn redact_query(query: &str) -> String {
    let Some(parameters) = query.strip_prefix('?') else {
        return if query.is_empty() { String::new() } else { format!("#{REDACTED}") };
    };
    let parameters: Vec<String> = parameters
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some(("db", _)) => parameter.to_owned(),
            Some((name, _)) => format!("{name}={REDACTED}"),
            None => REDACTED.to_owned(),
        })
        .collect();
    format!("?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("MTE.abc.def");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[redacted] [redacted] Some([redacted])");
        assert_eq!(secret.expose(), "MTE.abc.def");
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("amqp://localhost", "amqp://localhost"),
            ("amqp://user:hunter2@host:5672/%2f", "amqp://user:[redacted]@host:5672/%2f"),
            ("amqp://user:hun/ter@2?@host/vhost", "amqp://user:[redacted]@host/vhost"),
            ("amqp://us/er:hunter2@host", "amqp://[redacted]@host"),
            ("redis://hunter2@host", "redis://[redacted]@host"),
            ("redis://:hunter2@[::1]:6379/0", "redis://:[redacted]@[::1]:6379/0"),
            ("redis://[::1]", "redis://[::1]"),
            ("localhost:6379", "localhost:6379"),
            ("user:hunter2@host:6379", "user:[redacted]@host:6379"),
            ("amqp://user:hunter2", "amqp://user:[redacted]"),
            ("redis://:hunter2]", "redis://:[redacted]"),
            ("amqp://user:hunter2:5672", "amqp://user:[redacted]"),
            ("redis://[::1]:6379", "redis://[::1]:6379"),
            ("redis://[::1]:hunter2", "redis://[::1]:[redacted]"),
            ("amqp://user:hunter2/vhost", "amqp://user:[redacted]/vhost"),
            ("redis://host?password=hunter2&db=3", "redis://host?password=[redacted]&db=3"),
            ("redis://host?hunter2", "redis://host?[redacted]"),
            ("redis://host#hunter2", "redis://host#[redacted]"),
        ] {
            let url = SecretUrl::new(url);
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("hunter2"), "{url:?}");
        }
    }
}
