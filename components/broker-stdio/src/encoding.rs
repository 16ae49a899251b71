//! What the frames on STDOUT are made of.

use serde::Deserialize;

/// How events are written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// One JSON object a line.
    #[default]
    Json,
    /// One MessagePack map after another, whose `data` is a string that holds JSON.
    MessagePack,
}

impl Encoding {
    /// Reads it from the adapter's configuration.
    ///
    /// # Errors
    /// A text that says which key is wrong, and what is accepted.
    pub(crate) fn parse(config: &str) -> Result<Self, String> {
        let config: Config = serde_json::from_str(config).map_err(|error| format!("{ACCEPTED} ({error})"))?;
        match config.encoding.as_deref() {
            None => Ok(Self::default()),
            Some("json") => Ok(Self::Json),
            Some("msgpack") => Ok(Self::MessagePack),
            Some(other) => Err(format!("{ACCEPTED}, not {other:?}")),
        }
    }
}

/// The other keys of `[broker]` are for the host, or for other adapters.
#[derive(Deserialize)]
struct Config {
    encoding: Option<String>,
}

const ACCEPTED: &str = r#"the key `encoding` of [broker] must be "json" or "msgpack""#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_default() {
        assert_eq!(
            Encoding::parse(r#"{"type": "stdio", "group": "gateway", "message_timeout": 120}"#),
            Ok(Encoding::Json)
        );
        assert_eq!(Encoding::parse(r#"{"encoding": "json"}"#), Ok(Encoding::Json));
        assert_eq!(Encoding::parse(r#"{"encoding": "msgpack"}"#), Ok(Encoding::MessagePack));
    }

    #[test]
    fn another_encoding_is_refused_with_the_key_and_what_is_accepted() {
        for config in [r#"{"encoding": "msgpack-object"}"#, r#"{"encoding": 1}"#, r#"{"encoding": "JSON"}"#, "", "7"] {
            let reason = Encoding::parse(config).unwrap_err();
            assert!(reason.contains("`encoding`") && reason.contains("\"msgpack\""), "{reason}");
        }
    }
}
