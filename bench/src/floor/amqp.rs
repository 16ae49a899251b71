//! The floor into AMQP: the bare client with publisher confirms, several batches on their way.

use std::ops::Range;
use std::task::{Context, Poll, Waker};

use anyhow::{Context as _, bail};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm};
use tokio::task::JoinSet;

use super::feed::{Feed, data, event};
use crate::brokers::GROUP;

/// Messages of one batch.
const BATCH: usize = 256;
/// Batches of one connection to the flood that are on their way.
const IN_FLIGHT: usize = 8;
/// As the gateway's adapter has them by default.
const PERSISTENT: u8 = 2;
const EXPIRATION: &str = "120000";
const OPTIONS: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

/// Messages that go out together, their bodies one behind the other.
#[derive(Default)]
struct Batch {
    bodies: Vec<u8>,
    messages: Vec<(ShortString, Range<usize>)>,
}

pub(super) async fn connect(server: &str) -> anyhow::Result<Connection> {
    Ok(Connection::connect(server, ConnectionProperties::default()).await?)
}

pub(super) async fn channel(connection: &Connection) -> anyhow::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// Publishes what one connection brings.
pub(super) async fn pump(flood: String, shard: u32, shards: u32, channel: Channel) -> anyhow::Result<()> {
    let mut feed = Feed::connect(&flood, shard, shards).await?;
    let (data, mut batch) = (data(), Batch::default());
    let mut in_flight = JoinSet::new();
    loop {
        // What has gathered goes out before waiting.
        let is_more = batch.messages.len() < BATCH && feed.try_next().await?;
        if !is_more {
            if !batch.messages.is_empty() {
                if in_flight.len() == IN_FLIGHT {
                    settle(in_flight.join_next().await)?;
                }
                in_flight.spawn_local(confirm(batch.send(&channel).await?));
            }
            while let Some(ended) = in_flight.try_join_next() {
                settle(Some(ended))?;
            }
            feed.next().await?;
        }
        if let Some((name, data)) = event(feed.payload(), &data) {
            batch.add(name, data)?;
        }
    }
}

impl Batch {
    fn add(&mut self, name: &str, body: &[u8]) -> anyhow::Result<()> {
        let start = self.bodies.len();
        self.bodies.extend_from_slice(body);
        let name = ShortString::try_new(name)?;
        self.messages.push((name, start..self.bodies.len()));
        Ok(())
    }

    /// Hands all messages to the library before it waits for the first, so that they go over the socket together.
    async fn send(&mut self, channel: &Channel) -> anyhow::Result<Vec<PublisherConfirm>> {
        let properties = BasicProperties::default()
            .with_content_type(ShortString::from("application/json"))
            .with_delivery_mode(PERSISTENT)
            .with_expiration(ShortString::from(EXPIRATION));
        let mut confirms = Vec::with_capacity(self.messages.len());
        let Self { bodies, messages } = std::mem::take(self);
        let mut sending = Vec::new();
        for (name, range) in messages {
            let body = bodies.get(range).unwrap_or_default();
            let mut send = Box::pin(channel.basic_publish(GROUP.into(), name, OPTIONS, body, properties.clone()));
            // The library queues the frames when it is first asked.
            match send.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(confirm) => confirms.push(confirm?),
                Poll::Pending => sending.push(send),
            }
        }
        // They are written in order: the others are ready when the last one is.
        while let Some(send) = sending.pop() {
            confirms.push(send.await?);
        }
        Ok(confirms)
    }
}

async fn confirm(confirms: Vec<PublisherConfirm>) -> anyhow::Result<()> {
    for confirm in confirms {
        match confirm.await? {
            Confirmation::Ack(None) => {}
            other => bail!("a message was not taken: {other:?}"),
        }
    }
    Ok(())
}

fn settle(ended: Option<Result<anyhow::Result<()>, tokio::task::JoinError>>) -> anyhow::Result<()> {
    ended.context("nothing was on its way")??
}
