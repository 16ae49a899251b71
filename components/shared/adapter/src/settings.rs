//! What `adapter.open` gets: the operator's `[broker]`, and the gateway's shards.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Encoding, Table};

/// The configuration of an adapter. Each asks for what it uses.
#[derive(Debug)]
pub struct Settings {
    broker: Table,
}

impl Settings {
    /// Reads the JSON object that `open` was given.
    ///
    /// # Errors
    /// If it is none. This error and those of all methods are texts for the operator, which name the key and what is
    /// accepted.
    pub fn parse(config: &str) -> Result<Self, String> {
        let values = serde_json::from_str(config).map_err(|_| "`broker` must be a table".to_owned())?;
        Ok(Self { broker: Table::new("broker", values) })
    }

    /// The name that consumers know the gateway by. Not empty.
    ///
    /// # Errors
    /// If there is none.
    pub fn group(&mut self) -> Result<String, String> {
        const ACCEPTED: &str = "a name that is not empty";
        let group: String = self.broker.require("group", ACCEPTED)?;
        if group.is_empty() { Err(format!("`broker.group` must be {ACCEPTED}")) } else { Ok(group) }
    }

    /// How payloads are written.
    ///
    /// # Errors
    /// If it is not known.
    pub fn encoding(&mut self) -> Result<Encoding, String> {
        let encoding = self.broker.take("encoding", r#""json", "msgpack" or "msgpack-object""#)?;
        Ok(encoding.unwrap_or_default())
    }

    /// How long an event may wait for its consumer: whole milliseconds, at least one.
    ///
    /// # Errors
    /// If it is missing, or no such time.
    pub fn message_timeout(&mut self) -> Result<Duration, String> {
        let timeout: NonZeroU64 =
            self.broker.require("message_timeout_ms", "a whole number of milliseconds, at least 1")?;
        Ok(Duration::from_millis(timeout.get()))
    }

    /// Whether messages carry the identities of their events.
    ///
    /// # Errors
    /// If it is neither true nor false.
    pub fn message_ids(&mut self) -> Result<bool, String> {
        Ok(self.broker.take("message_ids", "true or false")?.unwrap_or(false))
    }

    /// The shards of the bot, and those that this gateway runs.
    ///
    /// # Errors
    /// If they are missing, or no ids.
    pub fn shards(&mut self) -> Result<Shards, String> {
        self.broker.require("shards", "a table with the ids of shards")
    }

    /// The adapter's own table, `broker.config`.
    ///
    /// # Errors
    /// If it is no table.
    pub fn own(&mut self) -> Result<Table, String> {
        let values: Option<Map<String, Value>> = self.broker.take("config", "a table")?;
        Ok(Table::new("broker.config", values.unwrap_or_default()))
    }
}

/// The shards of the bot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Shards {
    /// How many the bot has, over all its gateways.
    #[serde(default)]
    pub count: u32,
    /// Those that this gateway runs.
    pub ids: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &str = r#"{
        "type": "amqp",
        "group": "gateway",
        "encoding": "msgpack-object",
        "message_timeout_ms": 120000,
        "message_ids": true,
        "shards": { "count": 3, "ids": [0, 2] },
        "config": { "key": 1 }
    }"#;

    #[test]
    fn every_member_is_read() {
        let mut settings = Settings::parse(COMPLETE).unwrap();
        assert_eq!(settings.group().unwrap(), "gateway");
        assert_eq!(settings.encoding(), Ok(Encoding::MsgpackObject));
        assert_eq!(settings.message_timeout(), Ok(Duration::from_secs(120)));
        assert_eq!(settings.message_ids(), Ok(true));
        assert_eq!(settings.shards(), Ok(Shards { count: 3, ids: vec![0, 2] }));
        let mut own = settings.own().unwrap();
        assert_eq!(own.require("key", "a number"), Ok(1));
    }

    #[test]
    fn each_encoding_has_its_name_and_json_is_the_default() {
        let encoding = |config: &str| Settings::parse(config).unwrap().encoding();
        assert_eq!(encoding("{}"), Ok(Encoding::Json));
        assert_eq!(encoding(r#"{"encoding": "json"}"#), Ok(Encoding::Json));
        assert_eq!(encoding(r#"{"encoding": "msgpack"}"#), Ok(Encoding::Msgpack));
        assert_eq!(encoding(r#"{"encoding": "msgpack-object"}"#), Ok(Encoding::MsgpackObject));
    }

    #[test]
    fn another_encoding_is_refused_with_the_key_and_what_is_accepted() {
        for config in [r#"{"encoding": "JSON"}"#, r#"{"encoding": 1}"#, r#"{"encoding": ["json"]}"#] {
            let reason = Settings::parse(config).unwrap().encoding().unwrap_err();
            assert!(reason.contains("`broker.encoding`") && reason.contains("\"msgpack\""), "{reason}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for config in ["", "7", "[]", "{", r#"{} {}"#] {
            assert!(Settings::parse(config).unwrap_err().contains("`broker`"), "{config}");
        }
        for config in [r#"{"config": 7}"#, r#"{"config": []}"#] {
            assert!(Settings::parse(config).unwrap().own().unwrap_err().contains("`broker.config`"), "{config}");
        }
    }

    #[test]
    fn a_group_needs_a_name() {
        for config in ["{}", r#"{"group": ""}"#, r#"{"group": 7}"#] {
            assert!(Settings::parse(config).unwrap().group().unwrap_err().contains("`broker.group`"), "{config}");
        }
    }

    #[test]
    fn a_message_timeout_is_whole_milliseconds_and_not_0() {
        for timeout in ["0", "-1", "1.5", "\"2m\"", "null"] {
            let config = format!(r#"{{"message_timeout_ms": {timeout}}}"#);
            let reason = Settings::parse(&config).unwrap().message_timeout().unwrap_err();
            assert!(reason.contains("`broker.message_timeout_ms`"), "{reason}");
        }
    }

    #[test]
    fn messages_have_no_ids_unless_it_is_said() {
        let message_ids = |config: &str| Settings::parse(config).unwrap().message_ids();
        assert_eq!(message_ids("{}"), Ok(false));
        assert_eq!(message_ids(r#"{"message_ids": false}"#), Ok(false));
        assert!(message_ids(r#"{"message_ids": 1}"#).unwrap_err().contains("`broker.message_ids`"));
    }

    #[test]
    fn shards_are_given_by_their_ids() {
        for config in ["{}", r#"{"shards": [0]}"#, r#"{"shards": {"ids": [-1]}}"#, r#"{"shards": {"count": 1}}"#] {
            let reason = Settings::parse(config).unwrap().shards().unwrap_err();
            assert!(reason.contains("`broker.shards`"), "{reason}");
        }
    }
}
