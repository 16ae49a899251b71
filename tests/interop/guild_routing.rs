//! The example adapter that routes by guild, on a real server.

use futures_util::StreamExt as _;
use gateway_tests::{RabbitMq, example};
use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer, ExchangeKind};

use crate::support::{discord, on_amqp, ready};

const GUILD: &str = "81384788765712384";
const OTHER: &str = "41771983423143937";

#[tokio::test]
async fn a_consumer_that_is_bound_to_a_guild_gets_its_events_alone() {
    // Building takes a minute, in which a connection would be lost.
    let component = example("route-by-guild").display().to_string();
    let host = RabbitMq::virtual_host().await;
    let simulator = discord(1).await;
    let control = simulator.control();
    // As the gateway declares it: whoever comes first.
    let connection = host.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("guilds".into(), ExchangeKind::Topic, options, FieldTable::default()).await.unwrap();
    let mut one_guild = bound(&channel, &format!("guild.{GUILD}.*")).await;
    let mut one_event = bound(&channel, "guild.*.MESSAGE_CREATE").await;
    let mut none = bound(&channel, "guild.none.*").await;
    let file = "[broker]\nconfig = { exchange = \"guilds\" }\n";
    let setup = on_amqp(&simulator, &host).file(file).variable("BROKER_COMPONENT", &component);
    let mut gateway = setup.variable("DISCORD_EVENTS", "MESSAGE_CREATE,GUILD_UPDATE,USER_UPDATE").start();
    ready(&control, 1).await;
    let message = |guild: &str, id: u64| format!(r#"{{ "id":"{id}","guild_id":"{guild}","big":12345678901234567890}}"#);
    control.send_event(0, "MESSAGE_CREATE", message(OTHER, 1));
    control.send_event(0, "MESSAGE_CREATE", message(GUILD, 2));
    control.send_event(0, "USER_UPDATE", r#"{"id":"3"}"#);
    control.send_event(0, "GUILD_UPDATE", format!(r#"{{"id":"{OTHER}"}}"#));
    control.send_event(0, "GUILD_UPDATE", format!(r#"{{"id":"{GUILD}"}}"#));
    control.send_event(0, "MESSAGE_CREATE", message(GUILD, 4));

    let key = |guild: &str, event: &str| format!("guild.{guild}.{event}");
    let update = (key(GUILD, "GUILD_UPDATE"), format!(r#"{{"id":"{GUILD}"}}"#));
    let created = |guild: &str, id| (key(guild, "MESSAGE_CREATE"), message(guild, id));
    assert_eq!(next(&mut one_guild, 3).await, [created(GUILD, 2), update, created(GUILD, 4)]);
    assert_eq!(next(&mut one_event, 3).await, [created(OTHER, 1), created(GUILD, 2), created(GUILD, 4)]);
    assert_eq!(next(&mut none, 1).await, [("guild.none.USER_UPDATE".to_owned(), r#"{"id":"3"}"#.to_owned())]);
    // Nothing else is in any of the queues, and nothing was made but the exchange.
    let queues = host.ctl(&["list_queues", "messages", "--no-table-headers"]).await;
    assert_eq!(queues.lines().collect::<Vec<_>>(), ["0"; 3]);
    gateway.drain().await;
}

/// A queue of its own for what the pattern fits.
async fn bound(channel: &Channel, pattern: &str) -> Consumer {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let name = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap().name().clone();
    let options = QueueBindOptions::default();
    channel.queue_bind(name.clone(), "guilds".into(), pattern.into(), options, FieldTable::default()).await.unwrap();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    channel.basic_consume(name, "".into(), options, FieldTable::default()).await.unwrap()
}

/// Routing keys and bodies.
async fn next(queue: &mut Consumer, count: usize) -> Vec<(String, String)> {
    let mut received = Vec::new();
    for _ in 0..count {
        let delivery = queue.next().await.unwrap().unwrap();
        received.push((delivery.routing_key.as_str().to_owned(), String::from_utf8(delivery.data).unwrap()));
    }
    received
}
