//! Consumers: messages come in while their shard is ready, and are acknowledged on the channel that they came by.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{FutureExt as _, StreamExt as _};
use gateway_protocol::ShardId;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions,
};
use lapin::types::{FieldTable, ShortString};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::connection::Links;
use super::declare::short;
use super::failure::reason;
use super::topology;
use crate::capability::{Claim, Incoming, Outcome};
use crate::config::CommandPolicy;
use crate::connection::Backoff;
use crate::telemetry::BrokerMetrics;

/// When a consumer may consume.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    pub(super) shard: Option<ShardId>,
    pub(super) ready: watch::Receiver<BTreeSet<ShardId>>,
    pub(super) stopping: watch::Receiver<bool>,
}

/// One consumer, on whatever connection there is.
#[derive(Debug)]
pub(super) struct Consumer {
    queue: Arc<str>,
    prefetch: u16,
    activity: Activity,
    links: Links,
    incoming: mpsc::Sender<Incoming>,
    policy: CommandPolicy,
    metrics: BrokerMetrics,
}

/// How consuming ended.
enum End {
    /// It is not wanted any more.
    Inactive,
    /// There will be no connection any more, or nobody takes messages.
    Over,
    /// It may be taken up again.
    Lost(String),
}

impl Activity {
    fn is_active(&self) -> bool {
        let ready = self.ready.borrow();
        !*self.stopping.borrow() && self.shard.map_or(!ready.is_empty(), |shard| ready.contains(&shard))
    }

    /// Waits until it may consume. False when it never will. Cancel safe.
    async fn active(&mut self) -> bool {
        loop {
            // Nobody will say any more when it may.
            if self.ready.has_changed().is_err() || self.stopping.has_changed().is_err() || *self.stopping.borrow() {
                return false;
            }
            self.ready.mark_unchanged();
            if self.is_active() {
                return true;
            }
            if !self.changed().await {
                return false;
            }
        }
    }

    /// Waits until it may not consume. Cancel safe.
    async fn inactive(&mut self) {
        while self.is_active() && self.changed().await {}
    }

    /// False when nothing will change any more.
    async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.ready.changed() => changed.is_ok(),
            changed = self.stopping.changed() => changed.is_ok(),
        }
    }
}

impl Consumer {
    pub(super) fn new(
        consumer: topology::Consumer,
        activity: Activity,
        links: Links,
        incoming: mpsc::Sender<Incoming>,
        policy: CommandPolicy,
        metrics: BrokerMetrics,
    ) -> Self {
        let topology::Consumer { queue, prefetch, .. } = consumer;
        Self { queue: queue.into(), prefetch, activity, links, incoming, policy, metrics }
    }

    /// Consumes whenever it may, until it never will again.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        while self.activity.active().await {
            match self.consume(&mut backoff).await {
                End::Inactive => {}
                End::Over => return,
                End::Lost(reason) => {
                    tracing::warn!("messages of the queue `{}` do not come in for now: {reason}", self.queue);
                    // The queue may have been deleted.
                    self.links.declare_again();
                    backoff.wait().await;
                }
            }
        }
    }

    async fn consume(&mut self, backoff: &mut Backoff) -> End {
        let mut activity = self.activity.clone();
        let link = tokio::select! {
            () = activity.inactive() => return End::Inactive,
            link = self.links.live() => match link {
                Some(link) => link,
                None => return End::Over,
            },
        };
        let begun = async {
            let channel = link.channel().await?;
            channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
            let tag = ShortString::default();
            let options = BasicConsumeOptions::default();
            let consumer = channel.basic_consume(short(&self.queue), tag, options, FieldTable::default()).await?;
            lapin::Result::Ok((Arc::new(channel), consumer))
        };
        let (channel, mut deliveries) = match begun.await {
            Ok(begun) => begun,
            Err(error) => return End::Lost(reason(&error)),
        };
        loop {
            tokio::select! {
                biased;
                () = activity.inactive() => break,
                () = link.lost.cancelled() => return End::Lost("the connection is lost".to_owned()),
                delivery = deliveries.next() => match delivery {
                    Some(Ok(delivery)) => {
                        backoff.reset();
                        if !self.take(&mut activity, &channel, delivery).await {
                            break;
                        }
                    }
                    Some(Err(error)) => return End::Lost(reason(&error)),
                    None => return End::Lost("the server cancelled it, as when the queue is deleted".to_owned()),
                },
            }
        }
        let giving_back = async {
            channel.basic_cancel(deliveries.tag(), BasicCancelOptions::default()).await?;
            while let Some(delivery) = deliveries.next().await {
                settle(&channel, delivery?.delivery_tag, Outcome::Returned);
            }
            lapin::Result::Ok(())
        };
        // What is not given back now is when the channel closes: with the last claim on a message of it.
        let _ = timeout(CANCELLING, giving_back).await;
        if self.incoming.is_closed() { End::Over } else { End::Inactive }
    }

    /// Hands the message on, or deals with one that must not be. False if there is nobody to hand it to for now.
    async fn take(&self, activity: &mut Activity, channel: &Arc<Channel>, delivery: Delivery) -> bool {
        self.metrics.received();
        let tag = delivery.delivery_tag;
        if let Some(reason) = skipped(self.policy, &delivery, SystemTime::now()) {
            tracing::debug!("a message of the queue `{}` is left out: {reason}", self.queue);
            self.metrics.skipped(reason);
            settle(channel, tag, Outcome::Refused);
            return true;
        }
        let permit = tokio::select! {
            biased;
            permit = self.incoming.reserve() => permit.ok(),
            () = activity.inactive() => None,
        };
        let Some(permit) = permit else {
            settle(channel, tag, Outcome::Returned);
            return false;
        };
        let (channel, metrics) = (Arc::clone(channel), self.metrics.clone());
        let claim = Claim::new(move |outcome| {
            metrics.settled(outcome);
            settle(&channel, tag, outcome);
        });
        permit.send(Incoming::Message { source: Arc::clone(&self.queue), body: delivery.data, claim });
        true
    }
}

/// Why a message is not carried out, if so.
fn skipped(policy: CommandPolicy, delivery: &Delivery, now: SystemTime) -> Option<&'static str> {
    if policy.discard_redelivered && delivery.redelivered {
        return Some("redelivered");
    }
    // A whole second of its sender's clock, which may be ahead.
    let sent = UNIX_EPOCH.checked_add(Duration::from_secs((*delivery.properties.timestamp())?))?;
    let age = now.duration_since(sent).unwrap_or_default();
    policy.greatest_age.is_some_and(|greatest| age > greatest).then_some("too_old")
}

/// Tells the server what became of a message. Does not wait: the library queues the frame when it is first asked, and
/// whether it could be sent is of no use to know. If the channel has gone, the message has gone back to its queue.
fn settle(channel: &Channel, tag: u64, outcome: Outcome) {
    let _ = match outcome {
        Outcome::Done => channel.basic_ack(tag, BasicAckOptions { multiple: false }).now_or_never(),
        Outcome::Refused => channel.basic_reject(tag, BasicRejectOptions { requeue: false }).now_or_never(),
        Outcome::Returned => {
            channel.basic_nack(tag, BasicNackOptions { multiple: false, requeue: true }).now_or_never()
        }
    };
}

/// A server that is blocked answers late.
const CANCELLING: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;

    use super::*;

    fn delivery(redelivered: bool, timestamp: Option<u64>) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), "".into(), redelivered, Vec::new());
        if let Some(timestamp) = timestamp {
            delivery.properties = BasicProperties::default().with_timestamp(timestamp);
        }
        delivery
    }

    #[test]
    fn old_and_redelivered_messages_are_left_out_if_the_operator_says_so() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let minute = Some(Duration::from_secs(60));
        for (discard_redelivered, greatest_age, delivery, expected) in [
            (false, None, delivery(true, Some(1)), None),
            (true, None, delivery(true, None), Some("redelivered")),
            (true, None, delivery(false, Some(1)), None),
            (false, minute, delivery(true, Some(939)), Some("too_old")),
            (false, minute, delivery(false, Some(940)), None),
            (false, minute, delivery(false, None), None),
            (false, minute, delivery(false, Some(2_000)), None),
            (false, minute, delivery(false, Some(u64::MAX)), None),
        ] {
            let policy = CommandPolicy { greatest_age, discard_redelivered };
            assert_eq!(skipped(policy, &delivery, now), expected, "{policy:?} {delivery:?}");
        }
    }

    #[tokio::test]
    async fn a_consumer_is_active_while_its_shard_is_ready_and_nothing_stops() {
        let (ready, stopping) = (watch::Sender::new(BTreeSet::new()), watch::Sender::new(false));
        let activity = |shard| Activity { shard, ready: ready.subscribe(), stopping: stopping.subscribe() };
        let (mut any, mut one) = (activity(None), activity(Some(ShardId(1))));
        assert!(any.active().now_or_never().is_none());
        ready.send_replace([ShardId(0)].into());
        assert_eq!(any.active().now_or_never(), Some(true));
        assert!(one.active().now_or_never().is_none());
        ready.send_replace([ShardId(1)].into());
        assert_eq!(one.active().now_or_never(), Some(true));
        assert!(one.inactive().now_or_never().is_none() && any.inactive().now_or_never().is_none());
        ready.send_replace([ShardId(0)].into());
        assert!(one.inactive().now_or_never().is_some() && any.inactive().now_or_never().is_none());
        stopping.send_replace(true);
        assert!(any.inactive().now_or_never().is_some());
        assert_eq!(any.active().now_or_never(), Some(false));
    }

    #[tokio::test]
    async fn a_consumer_ends_when_nobody_will_say_any_more_which_shards_are_ready() {
        let (ready, stopping) = (watch::Sender::new([ShardId(1)].into()), watch::Sender::new(false));
        let mut activity = Activity { shard: None, ready: ready.subscribe(), stopping: stopping.subscribe() };
        drop(ready);
        activity.inactive().await;
        assert!(!activity.active().await);
    }
}
