//! Where the server is: the address of `amqp.url`, as RabbitMQ's clients write it.

use std::fmt;
use std::time::Duration;

use lapin::types::{ChannelId, FrameSize, Heartbeat};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use thiserror::Error;

/// The server's address, with user and password. `Display` and `Debug` show host and port alone.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    uri: AMQPUri,
    /// How long a try to connect may take.
    pub(super) patience: Duration,
}

/// What is wrong with an address. It says nothing of what stands in it: that could be the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum AddressError {
    #[error("it begins with neither amqp:// nor amqps://")]
    Scheme,
    #[error("its port is no number from 1 to 65535")]
    Port,
    #[error("its IPv6 address has no closing bracket")]
    Bracket,
    #[error("it has a % that two hexadecimal digits do not follow, or a character that is not UTF-8")]
    Escape,
    #[error("its virtual host has a slash in it, which is written %2f there")]
    VirtualHost,
    #[error("its parameter `{0}` is no number that fits")]
    Parameter(&'static str),
}

impl Address {
    /// Reads `amqp://[user[:password]@][host][:port][/virtual-host][?parameters]`. What is left out is `guest`,
    /// `guest`, `localhost`, 5672 (5671 for `amqps`) and `/`; an empty virtual host is `/` too. Of the parameters
    /// `heartbeat` (seconds), `connection_timeout` (milliseconds), `channel_max` and `frame_max` count.
    pub(super) fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "amqp" => AMQPScheme::AMQP,
            "amqps" => AMQPScheme::AMQPS,
            _ => return Err(AddressError::Scheme),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, vhost) = rest.split_once('/').unwrap_or((rest, ""));
        if vhost.contains('/') {
            return Err(AddressError::VirtualHost);
        }
        let (user_info, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = split_port(place)?;
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::Port)?,
            None => scheme.default_port(),
        };
        let host = if host.is_empty() { "localhost".to_owned() } else { decode(host)? };
        let vhost = if vhost.is_empty() { "/".to_owned() } else { decode(vhost)? };
        let query = parameters(query)?;
        let patience = query.connection_timeout.map_or(PATIENCE, Duration::from_millis);
        let authority = AMQPAuthority { userinfo: user(user_info)?, host, port };
        Ok(Self { uri: AMQPUri { scheme, authority, vhost, query }, patience })
    }

    /// With user and password: for connecting, never for a log or an error.
    pub(super) fn expose(&self) -> AMQPUri {
        self.uri.clone()
    }

    /// Whether the connection is to be encrypted.
    pub(super) fn is_secure(&self) -> bool {
        matches!(self.uri.scheme, AMQPScheme::AMQPS)
    }

    pub(super) fn virtual_host(&self) -> &str {
        &self.uri.vhost
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPAuthority { host, port, .. } = &self.uri.authority;
        if host.contains(':') { write!(formatter, "[{host}]:{port}") } else { write!(formatter, "{host}:{port}") }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

fn user(user_info: &str) -> Result<AMQPUserInfo, AddressError> {
    let (username, password) = match user_info.split_once(':') {
        Some((username, password)) => (username, password),
        None => (user_info, GUEST),
    };
    let username = if username.is_empty() { GUEST } else { username };
    Ok(AMQPUserInfo { username: decode(username)?, password: decode(password)? })
}

/// Host, and port if there is one. The brackets of an IPv6 address are taken off.
fn split_port(place: &str) -> Result<(&str, Option<&str>), AddressError> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(AddressError::Bracket)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(AddressError::Port),
        };
    }
    Ok(place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))))
}

fn parameters(query: &str) -> Result<AMQPQueryString, AddressError> {
    let mut parameters = AMQPQueryString { heartbeat: Some(HEARTBEAT), ..AMQPQueryString::default() };
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match key {
            "heartbeat" => parameters.heartbeat = Some(number("heartbeat", value)?),
            "connection_timeout" => parameters.connection_timeout = Some(number("connection_timeout", value)?),
            "channel_max" => parameters.channel_max = Some(number::<ChannelId>("channel_max", value)?),
            "frame_max" => parameters.frame_max = Some(number::<FrameSize>("frame_max", value)?),
            _ => {}
        }
    }
    Ok(parameters)
}

fn number<N: std::str::FromStr>(key: &'static str, value: &str) -> Result<N, AddressError> {
    value.parse().map_err(|_| AddressError::Parameter(key))
}

/// Percent-decoding, RFC 3986, section 2.1.
fn decode(text: &str) -> Result<String, AddressError> {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(AddressError::Escape)?;
        let is_byte = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_byte).ok_or(AddressError::Escape)?;
        decoded.push(byte);
        decoded.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(decoded).map_err(|_| AddressError::Escape)
}

const GUEST: &str = "guest";
const PATIENCE: Duration = Duration::from_secs(15);
/// In seconds. A server that is gone without a word is noticed after twice that; RabbitMQ's own 60 would be long for a
/// bot.
const HEARTBEAT: Heartbeat = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String, String, String) {
        let AMQPUri { authority, vhost, .. } = Address::parse(url).unwrap().expose();
        (authority.host, authority.port, authority.userinfo.username, authority.userinfo.password, vhost)
    }

    fn expected(
        host: &str,
        port: u16,
        user: &str,
        password: &str,
        vhost: &str,
    ) -> (String, u16, String, String, String) {
        (host.into(), port, user.into(), password.into(), vhost.into())
    }

    #[test]
    fn what_is_left_out_has_the_usual_defaults() {
        for url in ["amqp://host", "amqp://host/", "amqp://host/%2f", "AMQP://host/%2F", "amqp://guest@host:5672/?a=b"]
        {
            assert_eq!(parts(url), expected("host", 5672, "guest", "guest", "/"), "{url}");
        }
        assert_eq!(parts("amqps://"), expected("localhost", 5671, "guest", "guest", "/"));
        assert_eq!(parts("amqp://[::1]"), expected("::1", 5672, "guest", "guest", "/"));
        assert_eq!(parts("amqp://127.0.0.1:81/v"), expected("127.0.0.1", 81, "guest", "guest", "v"));
    }

    #[test]
    fn escapes_are_decoded_everywhere() {
        let url = "amqp://us%65r:p%40%2fss%3a@h%6fst:7/a%2fb%20c";
        assert_eq!(parts(url), expected("host", 7, "user", "p@/ss:", "a/b c"));
        assert_eq!(parts("amqp://user:@host"), expected("host", 5672, "user", "", "/"));
        assert_eq!(parts("amqp://user:p@ss@host"), expected("host", 5672, "user", "p@ss", "/"));
    }

    #[test]
    fn parameters_of_the_connection_are_taken() {
        let address =
            Address::parse("amqp://h?heartbeat=5&connection_timeout=250&frame_max=8192&cacertfile=x").unwrap();
        let AMQPQueryString { heartbeat, frame_max, channel_max, .. } = address.expose().query;
        assert_eq!((heartbeat, frame_max, channel_max), (Some(5), Some(8192), None));
        assert_eq!(address.patience, Duration::from_millis(250));
        assert_eq!(Address::parse("amqp://h").unwrap().expose().query.heartbeat, Some(HEARTBEAT));
    }

    #[test]
    fn faults_are_named_and_no_secret_is() {
        for (url, error) in [
            ("hunter2", AddressError::Scheme),
            ("http://u:hunter2@host", AddressError::Scheme),
            ("amqp://u:hunter2@host:x", AddressError::Port),
            ("amqp://u:hunter2@host:0", AddressError::Port),
            ("amqp://u:hunter2@[::1", AddressError::Bracket),
            ("amqp://u:hunter2%4@host", AddressError::Escape),
            ("amqp://u:hunter2%ff@host", AddressError::Escape),
            ("amqp://u:hunter2@host/a/b", AddressError::VirtualHost),
            ("amqp://u:hunter2@host?heartbeat=x", AddressError::Parameter("heartbeat")),
        ] {
            let found = Address::parse(url).unwrap_err();
            assert_eq!(found, error, "{url}");
            assert!(!format!("{found} {found:?}").contains("hunter2"));
        }
        let address = Address::parse("amqp://user:hunter2@[::1]:7/v").unwrap();
        assert_eq!(format!("{address} {address:?}"), "[::1]:7 Address([::1]:7)");
    }
}
