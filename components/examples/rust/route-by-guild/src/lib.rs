//! A broker adapter that publishes events to a topic exchange with the routing key `guild.<guild id>.<event>`, so that a
//! queue can be bound to a guild, to an event or to both. Events that belong to no guild go to `guild.none.<event>`.
//!
//! Configuration: `broker.config.exchange`, the exchange's name.

wit_bindgen::generate!({ path: "../../../../wit", world: "broker" });

mod routing_key;

use std::sync::OnceLock;

use exports::spectacles::gateway::adapter::{Command, Error, Event, Guest, Message};
use serde::Deserialize;
use spectacles::gateway::amqp::{self, Exchange, Properties};
use spectacles::gateway::content::{Body, PayloadForm};
use spectacles::gateway::payloads;

/// What `open` gets. Other members are for adapters that need them.
#[derive(Deserialize)]
struct Settings {
    message_timeout_ms: u32,
    config: Config,
}

/// The adapter's own table, `broker.config`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    exchange: String,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

struct RouteByGuild;

impl Guest for RouteByGuild {
    fn open(config: String) -> Result<(), Error> {
        let settings = parse(&config).map_err(Error::InvalidConfiguration)?;
        amqp::declare_exchange(&Exchange {
            name: settings.config.exchange.clone(),
            kind: "topic".to_owned(),
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: Vec::new(),
        });
        SETTINGS.get_or_init(|| settings);
        Ok(())
    }

    fn publish(events: Vec<Event>) -> Result<(), Error> {
        let settings = SETTINGS.get().ok_or_else(|| Error::Other("`open` has not been called".to_owned()))?;
        // What is the same for all events is made once, and the payloads themselves never come into the component.
        let (body, properties) = (Body::Payload(PayloadForm::Verbatim), properties(settings));
        let mut key = String::new();
        for (index, event) in (0..).zip(&events) {
            let guild = payloads::get(index, routing_key::guild_pointer(&event.name));
            routing_key::write(&mut key, guild.as_deref(), &event.name);
            amqp::publish(index, &settings.config.exchange, &key, &body, &properties);
        }
        Ok(())
    }

    /// Nothing comes in, as `open` declares no consumer.
    fn receive(_: Message) -> Result<Vec<Command>, Error> {
        Ok(Vec::new())
    }

    fn close() {}
}

fn parse(config: &str) -> Result<Settings, String> {
    let settings: Settings =
        serde_json::from_str(config).map_err(|error| format!("`broker.config` needs `exchange` alone ({error})"))?;
    if settings.config.exchange.is_empty() {
        return Err("`broker.config.exchange` must be a name that is not empty".to_owned());
    }
    Ok(settings)
}

fn properties(settings: &Settings) -> Properties {
    Properties {
        content_type: Some("application/json".to_owned()),
        persistent: true,
        expiration: Some(settings.message_timeout_ms),
        priority: None,
        message_id: None,
        correlation_id: None,
        reply_to: None,
        kind: None,
        headers: Vec::new(),
    }
}

export!(RouteByGuild);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_is_configured() {
        let settings = parse(r#"{"type": "amqp", "message_timeout_ms": 120000, "config": {"exchange": "guilds"}}"#);
        let settings = settings.unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(settings.config.exchange, "guilds");
        assert_eq!(properties(&settings).expiration, Some(120_000));
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_refused_with_its_key() {
        for own in ["{}", r#"{"exchange": ""}"#, r#"{"exchange": 7}"#, r#"{"exchange": "guilds", "queue": "x"}"#] {
            let reason = parse(&format!(r#"{{"message_timeout_ms": 1, "config": {own}}}"#)).err().expect(own);
            assert!(reason.contains("broker.config") && reason.contains("exchange"), "{reason}");
        }
    }
}
