//! The gateway's addresses.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use thiserror::Error;

use crate::config::Compression;

/// Where Discord's gateway, or one session of it, is reached: scheme `ws` or `wss`, host, port and path. It holds no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayUrl(Url);

/// The text is no address of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no address of a gateway: {reason}")]
pub struct InvalidGatewayUrl {
    text: String,
    reason: String,
}

impl FromStr for GatewayUrl {
    type Err = InvalidGatewayUrl;

    fn from_str(text: &str) -> Result<Self, InvalidGatewayUrl> {
        let invalid = |reason: String| InvalidGatewayUrl { text: shown(text), reason };
        let mut url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !matches!(url.scheme(), "ws" | "wss") {
            return Err(invalid("its scheme is neither ws nor wss".into()));
        }
        // Never sent anywhere. Cannot fail for these schemes.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }
}

impl GatewayUrl {
    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "wss"
    }

    /// Whether the other address is as trustworthy: not less encrypted, and of the same host or the same domain, which is the
    /// last two parts of a name (`discord.gg`).
    #[must_use]
    pub fn is_neighbour(&self, other: &Self) -> bool {
        let domain = |url: &Self| match url.0.domain()?.rsplitn(3, '.').take(2).collect::<Vec<_>>()[..] {
            [top, name] => Some(format!("{name}.{top}")),
            _ => None,
        };
        let near = self.0.host() == other.0.host() || domain(self).is_some_and(|own| Some(own) == domain(other));
        near && (other.is_secure() || !self.is_secure())
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The address of a connection: `base`, which is the gateway's or a session's resume URL, with the query that says how to talk.
#[must_use]
pub fn connection_url(base: &GatewayUrl, version: u8, compression: Compression) -> String {
    let mut url = base.0.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("v", &version.to_string()).append_pair("encoding", "json");
    match compression {
        Compression::ZstdStream => query.append_pair("compress", "zstd-stream"),
        Compression::ZlibStream => query.append_pair("compress", "zlib-stream"),
        Compression::None => &mut query,
    };
    drop(query);
    url.into()
}

/// For an error: short, and without what a terminal would act on.
fn shown(text: &str) -> String {
    text.chars().take(100).map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(base: &str, compression: Compression) -> String {
        connection_url(&base.parse().unwrap(), 10, compression)
    }

    #[test]
    fn a_base_with_or_without_a_slash_gives_the_same_address() {
        for base in
            ["wss://gateway.discord.gg", "wss://gateway.discord.gg/", "wss://gateway.discord.gg/?v=6&compress=no#x"]
        {
            let url = connection(base, Compression::ZstdStream);
            assert_eq!(url, "wss://gateway.discord.gg/?v=10&encoding=json&compress=zstd-stream");
        }
    }

    #[test]
    fn port_and_path_are_kept_and_credentials_are_not() {
        let url = connection("ws://user:password@127.0.0.1:8080/socket", Compression::None);
        assert_eq!(url, "ws://127.0.0.1:8080/socket?v=10&encoding=json");
        assert_eq!(
            connection("wss://[::1]:1", Compression::ZlibStream),
            "wss://[::1]:1/?v=10&encoding=json&compress=zlib-stream"
        );
    }

    #[test]
    fn an_address_of_another_domain_or_without_encryption_is_no_neighbour() {
        let is_neighbour =
            |base: &str, other: &str| base.parse::<GatewayUrl>().unwrap().is_neighbour(&other.parse().unwrap());
        for (base, other, expected) in [
            ("wss://gateway.discord.gg", "wss://gateway-us-east1-b.discord.gg", true),
            ("wss://gateway.discord.gg", "wss://discord.gg:8443/x", true),
            ("wss://gateway.discord.gg", "ws://gateway.discord.gg", false),
            ("wss://gateway.discord.gg", "wss://discord.gg.example", false),
            ("wss://gateway.discord.gg", "wss://notdiscord.gg", false),
            ("ws://127.0.0.1:1", "ws://127.0.0.1:2", true),
            ("ws://127.0.0.1:1", "ws://10.0.0.1:1", false),
            ("ws://localhost:1", "ws://localhost:2", true),
            ("ws://localhost:1", "ws://other:2", false),
        ] {
            assert_eq!(is_neighbour(base, other), expected, "{base} {other}");
        }
    }

    #[test]
    fn other_schemes_and_garbage_are_refused() {
        for text in ["https://discord.com", "gateway.discord.gg", "", "wss://", "file:///etc/passwd", "\u{1b}[2J"] {
            let error = text.parse::<GatewayUrl>().unwrap_err().to_string();
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
        let long = "x".repeat(10_000).parse::<GatewayUrl>().unwrap_err().to_string();
        assert!(long.len() < 300);
    }
}
