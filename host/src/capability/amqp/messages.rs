//! What one call publishes: contents with where each goes and what it carries.

use lapin::BasicProperties;

use super::declare::short;
use crate::capability::{Content, Contents};

/// The messages of one call, in order.
#[derive(Debug, Default)]
pub struct Messages {
    pub(super) contents: Contents,
    /// For each content.
    routes: Vec<Route>,
    /// Exchanges, routing keys and ids, one after another.
    text: String,
    properties: Vec<Properties>,
    /// Bytes of the properties.
    carried: usize,
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// Its body, and the position of its event.
    pub(super) content: Content<'a>,
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
    pub(super) properties: &'a Properties,
    /// Its `message-id`, which differs from message to message.
    pub(super) id: Option<&'a str>,
}

/// What messages carry beside their bodies and their ids, as it is sent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Properties {
    pub(super) sent: BasicProperties,
    /// As the component gave it; `sent` has it as text.
    pub(super) expiration: Option<u32>,
    /// Bytes that they take on the wire, at most.
    pub(super) size: usize,
}

/// Where a message goes. Ends are positions in `text`; each part starts where the one before it ends.
#[derive(Debug, Clone, Copy)]
struct Route {
    exchange: Span,
    routing_key: Span,
    id: Option<Span>,
    properties: u32,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Messages {
    /// Says where the content goes that was added last. Names and properties that are those of the message before it
    /// are held once.
    pub(super) fn route(
        &mut self,
        exchange: &str,
        routing_key: &str,
        id: Option<&str>,
        properties: Option<Properties>,
    ) {
        let last = self.routes.last().copied();
        let exchange = self.span(last.map(|route| route.exchange), exchange);
        let routing_key = self.span(last.map(|route| route.routing_key), routing_key);
        let id = id.map(|id| self.span(None, id));
        if let Some(properties) = properties {
            self.carried += properties.size;
            self.properties.push(properties);
        } else if self.properties.is_empty() {
            self.properties.push(Properties::default());
        }
        let properties = narrow(self.properties.len().saturating_sub(1));
        self.routes.push(Route { exchange, routing_key, id, properties });
    }

    /// The properties that were given last. They outlive [`Self::clear`].
    pub(super) fn last_properties(&self) -> Option<&Properties> {
        self.properties.last()
    }

    /// All messages, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        self.contents.iter().zip(&self.routes).filter_map(|(content, route)| {
            Some(Message {
                content,
                exchange: self.text(route.exchange),
                routing_key: self.text(route.routing_key),
                properties: self.properties.get(route.properties as usize)?,
                id: route.id.map(|id| self.text(id)),
            })
        })
    }

    /// The positions in the batch of the events that have messages, one for each message.
    pub fn positions(&self) -> impl Iterator<Item = u32> {
        self.contents.positions()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Bytes that the messages hold, beside payloads that they share with their events.
    #[must_use]
    pub fn held(&self) -> usize {
        self.contents.held() + self.routes.len() * size_of::<Route>() + self.text.len() + self.carried
    }

    /// Forgets all messages, and keeps the room for the next ones, and the last properties: those of the next message
    /// are most likely the same.
    pub fn clear(&mut self) {
        self.contents.clear();
        self.routes.clear();
        self.text.clear();
        let forgotten = self.properties.len().saturating_sub(1);
        self.properties.drain(..forgotten);
        self.carried = self.properties.first().map_or(0, |properties| properties.size);
    }

    fn span(&mut self, last: Option<Span>, text: &str) -> Span {
        if let Some(last) = last.filter(|last| self.text(*last) == text) {
            return last;
        }
        let start = narrow(self.text.len());
        self.text.push_str(text);
        Span { start, end: narrow(self.text.len()) }
    }

    fn text(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

impl<'a> Message<'a> {
    /// What it carries beside its body.
    pub(super) fn properties(self) -> BasicProperties {
        let properties = self.properties.sent.clone();
        match self.id {
            Some(id) => properties.with_message_id(short(id)),
            None => properties,
        }
    }

    /// Bytes that its properties take on the wire, at most.
    pub(super) fn properties_size(self) -> usize {
        self.properties.size + self.id.map_or(0, |id| id.len() + 1)
    }

    /// Where it goes, in words.
    pub(super) fn target(self) -> String {
        target(self.exchange, self.routing_key)
    }

    /// The body if it lies in one piece. That is the usual case, and spares the copy.
    pub(super) fn whole_body(self) -> Option<&'a [u8]> {
        match (self.content.before, self.content.payload, self.content.after) {
            ([], payload, []) => Some(payload),
            (before, payload, []) if payload.is_empty() => Some(before),
            _ => None,
        }
    }

    /// Adds the body to `bytes`.
    pub(super) fn write_body(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.content.before);
        bytes.extend_from_slice(self.content.payload);
        bytes.extend_from_slice(self.content.after);
    }
}

/// Where a message goes, in words.
pub(super) fn target(exchange: &str, routing_key: &str) -> String {
    format!("exchange {exchange}, routing key {routing_key}")
}

/// What one call may hand over is far below.
fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::capability::PayloadForm;

    fn push(messages: &mut Messages, exchange: &str, routing_key: &str, before: &str, body: &'static str) {
        let body = Bytes::from_static(body.as_bytes());
        messages.contents.push(0, before.as_bytes(), body, PayloadForm::Verbatim, b"");
        messages.route(exchange, routing_key, None, None);
    }

    fn properties(expiration: u32) -> Properties {
        Properties { expiration: Some(expiration), size: 10, ..Properties::default() }
    }

    #[test]
    fn each_message_keeps_its_own_way() {
        let mut messages = Messages::default();
        push(&mut messages, "a", "x", "", "1");
        push(&mut messages, "a", "y", "", "2");
        push(&mut messages, "b", "y", "", "3");
        push(&mut messages, "", "", "", "4");
        let targets: Vec<_> = messages.iter().map(|message| (message.exchange, message.routing_key)).collect();
        assert_eq!(targets, [("a", "x"), ("a", "y"), ("b", "y"), ("", "")]);
        assert_eq!(messages.len(), 4);
        let bodies: Vec<_> = messages.iter().map(|message| message.whole_body().unwrap()).collect();
        assert_eq!(bodies, [b"1", b"2", b"3", b"4"]);
    }

    #[test]
    fn equal_names_and_properties_are_held_once() {
        let mut messages = Messages::default();
        push(&mut messages, "exchange", "key", "", "1");
        let one = messages.held();
        push(&mut messages, "exchange", "key", "", "2");
        assert_eq!(messages.text, "exchangekey");
        assert_eq!(messages.properties.len(), 1);
        assert!(messages.held() > one, "an entry counts");
    }

    #[test]
    fn properties_hold_from_their_message_on_and_the_last_outlive_the_call() {
        let mut messages = Messages::default();
        for expiration in [Some(1), None, Some(2)] {
            messages.contents.push(0, b"", Bytes::new(), PayloadForm::Verbatim, b"");
            messages.route("", "", None, expiration.map(properties));
        }
        let expirations =
            |messages: &Messages| -> Vec<_> { messages.iter().map(|message| message.properties.expiration).collect() };
        assert_eq!(expirations(&messages), [Some(1), Some(1), Some(2)]);
        messages.clear();
        assert!(messages.is_empty() && messages.iter().next().is_none());
        assert_eq!(messages.last_properties(), Some(&properties(2)));
        assert_eq!(messages.held(), 10);
        push(&mut messages, "", "", "", "");
        assert_eq!(expirations(&messages), [Some(2)]);
    }

    #[test]
    fn each_message_has_its_own_id_and_the_properties_of_all() {
        let mut messages = Messages::default();
        for id in [Some("s:1"), Some("s:2"), None] {
            messages.contents.push(0, b"", Bytes::new(), PayloadForm::Verbatim, b"");
            messages.route("", "", id, None);
        }
        assert_eq!(messages.iter().map(|message| message.id).collect::<Vec<_>>(), [Some("s:1"), Some("s:2"), None]);
        assert_eq!(messages.properties.len(), 1);
    }

    #[test]
    fn a_body_in_pieces_is_joined() {
        let mut messages = Messages::default();
        push(&mut messages, "", "", "<", "payload");
        push(&mut messages, "", "", "own", "");
        let [pieces, own] = messages.iter().collect::<Vec<_>>()[..] else { panic!("two") };
        assert_eq!((pieces.whole_body(), own.whole_body()), (None, Some(&b"own"[..])));
        let mut joined = b"before".to_vec();
        pieces.write_body(&mut joined);
        assert_eq!(joined, b"before<payload");
    }

    proptest! {
        /// Whatever names and properties a component gives, each message goes out with its own.
        #[test]
        fn no_message_gets_the_names_or_properties_of_another(
            given in prop::collection::vec(("[abé]{0,3}", "[xy*#.]{0,3}", prop::option::of(0..3_u32)), 0..40),
        ) {
            let mut messages = Messages::default();
            let (mut expected, mut last) = (Vec::new(), None);
            for (position, (exchange, routing_key, expiration)) in (0..).zip(&given) {
                messages.contents.push(position, b"", Bytes::new(), PayloadForm::Verbatim, b"");
                messages.route(exchange, routing_key, None, expiration.map(properties));
                last = expiration.or(last);
                expected.push((position, exchange.as_str(), routing_key.as_str(), last));
            }
            let sent = messages.iter().map(|message| {
                (message.content.position, message.exchange, message.routing_key, message.properties.expiration)
            });
            prop_assert_eq!(sent.collect::<Vec<_>>(), expected);
        }
    }
}
