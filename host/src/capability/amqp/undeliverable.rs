//! What becomes of messages that reach no queue: those that the server returns, and those that it will never take.

use lapin::message::BasicReturnMessage;

use super::messages::{Message, target};
use crate::config::Unroutable;
use crate::delivery::{DeadLetter, DeadLetters};
use crate::telemetry::BrokerMetrics;

/// The operator's policy, and the figures.
#[derive(Debug)]
pub(super) struct Undeliverable {
    pub(super) unroutable: Unroutable,
    pub(super) dead_letters: DeadLetters,
    pub(super) metrics: BrokerMetrics,
}

/// Why the server will never take a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// For metrics.
    pub(super) label: &'static str,
    /// For the dead letter.
    pub(super) reason: String,
}

impl Undeliverable {
    /// The server has returned a message: no queue is bound for it. Returns when it is dealt with.
    pub(super) async fn returned(&self, message: BasicReturnMessage) {
        self.metrics.unroutable(1);
        match self.unroutable {
            Unroutable::Drop => {}
            Unroutable::DeadLetter => {
                let target = target(message.exchange.as_str(), message.routing_key.as_str());
                let reason = format!("returned by the server: {} {}", message.reply_code, message.reply_text);
                self.dead_letters
                    .keep(DeadLetter { broker: BROKER, target, reason, body: message.delivery.data })
                    .await;
            }
        }
    }

    /// The server will never take a message. Returns when it is kept.
    pub(super) async fn refused(&self, message: &Message<'_>, refusal: Refusal) {
        tracing::error!("a message ({}) is kept as a dead letter: {}", message.target(), refusal.reason);
        self.metrics.refused_by_broker(refusal.label);
        let mut body = Vec::with_capacity(message.content.size());
        message.write_body(&mut body);
        let letter = DeadLetter { broker: BROKER, target: message.target(), reason: refusal.reason, body };
        self.dead_letters.keep(letter).await;
    }
}

/// Its name in dead letters.
const BROKER: &str = "amqp";
