//! What is known of one stream that is consumed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gateway_protocol::ShardId;
use redis::{Cmd, cmd};
use tokio::time::Instant;

use crate::capability::Outcome;

/// A stream whose entries come to the adapter: `consumer` of wit/redis.wit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The stream's key.
    pub stream: String,
    /// The consumer group.
    pub group: String,
    /// Where the group begins if it does not exist yet.
    pub start: String,
    /// The field of an entry that is the message.
    pub field: String,
    /// How long an entry must have been with another consumer before it is claimed.
    pub claim_after: Duration,
    /// Entries come only while this shard is ready; `None`: while any is.
    pub shard: Option<ShardId>,
}

/// A stream with what is on its way from it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) consumer: Consumer,
    /// What the adapter knows it by.
    pub(super) source: Arc<str>,
    /// Ids of entries of which it is not known what becomes of them.
    held: HashSet<Arc<str>>,
    /// Ids of entries that are to be acknowledged.
    done: Vec<Arc<str>>,
    /// Where claiming goes on, if it is under way.
    pub(super) cursor: Option<Box<str>>,
    next_claim: Instant,
}

/// Entries of one stream that may be on their way to Discord.
const HELD: usize = 64;
/// Entries that are read at a time.
pub(super) const COUNT: usize = 10;
/// The longest time between two rounds of claiming.
const CLAIMING: Duration = Duration::from_secs(5);

impl Stream {
    pub(super) fn new(consumer: Consumer) -> Self {
        let source = Arc::from(consumer.stream.as_str());
        Self {
            consumer,
            source,
            held: HashSet::new(),
            done: Vec::new(),
            cursor: None,
            // What one left behind who was here before should not wait.
            next_claim: Instant::now(),
        }
    }

    /// Whether it may bring more entries.
    pub(super) fn has_room(&self) -> bool {
        self.held.len() + self.done.len() + COUNT <= HELD
    }

    /// Notes that an entry is on its way. False if it has been already.
    pub(super) fn hold(&mut self, id: &Arc<str>) -> bool {
        !self.done.contains(id) && self.held.insert(Arc::clone(id))
    }

    /// Notes what has become of an entry. One that is given back stays pending, and is claimed some time.
    pub(super) fn settle(&mut self, id: Arc<str>, outcome: Outcome) {
        self.held.remove(&id);
        if outcome != Outcome::Returned {
            self.done.push(id);
        }
    }

    /// Acknowledges what is done; `None` if nothing is.
    pub(super) fn acknowledge(&self) -> Option<Cmd> {
        let mut command = cmd("XACK");
        command.arg(&self.consumer.stream).arg(&self.consumer.group);
        self.done.iter().for_each(|id| {
            command.arg(&**id);
        });
        (!self.done.is_empty()).then_some(command)
    }

    /// The first so many that were done are acknowledged.
    pub(super) fn acknowledged(&mut self, count: usize) {
        self.done.drain(..count.min(self.done.len()));
    }

    /// How many are to be acknowledged.
    pub(super) fn done(&self) -> usize {
        self.done.len()
    }

    /// Whether it is time to claim, or claiming is under way.
    pub(super) fn is_claim_due(&self, now: Instant) -> bool {
        self.cursor.is_some() || now >= self.next_claim
    }

    /// Takes over what has been with another consumer for too long, one page of it.
    pub(super) fn claim(&mut self, name: &str) -> Cmd {
        let mut command = cmd("XAUTOCLAIM");
        command.arg(&self.consumer.stream).arg(&self.consumer.group).arg(name).arg(self.claim_after());
        command.arg(self.cursor.as_deref().unwrap_or("0-0")).arg("COUNT").arg(COUNT);
        command
    }

    /// Notes where the next page begins.
    pub(super) fn claimed(&mut self, cursor: Box<str>, now: Instant) {
        if &*cursor == "0-0" {
            self.cursor = None;
            self.next_claim = now + (self.consumer.claim_after / 3).min(CLAIMING);
        } else {
            self.cursor = Some(cursor);
        }
    }

    /// Keeps others from claiming what is on its way; `None` if nothing is.
    pub(super) fn keep(&self, name: &str) -> Option<Cmd> {
        let mut command = cmd("XCLAIM");
        command.arg(&self.consumer.stream).arg(&self.consumer.group).arg(name).arg(0);
        self.held.iter().for_each(|id| {
            command.arg(&**id);
        });
        command.arg("JUSTID");
        (!self.held.is_empty()).then_some(command)
    }

    fn claim_after(&self) -> u64 {
        u64::try_from(self.consumer.claim_after.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Stream::new(Consumer {
            stream: "SEND".to_owned(),
            group: "gateway".to_owned(),
            start: "0".to_owned(),
            field: "data".to_owned(),
            claim_after: Duration::from_secs(2),
            shard: None,
        })
    }

    fn text(command: &Cmd) -> String {
        let text = String::from_utf8(command.get_packed_command()).unwrap();
        text.split("\r\n")
            .filter(|part| !part.starts_with(['$', '*']))
            .collect::<Vec<_>>()
            .join(" ")
            .trim_end()
            .to_owned()
    }

    #[test]
    fn an_entry_is_held_once_and_acknowledged_when_it_is_done() {
        let mut stream = stream();
        let ids = ["1-0", "2-0", "3-0"].map(Arc::<str>::from);
        assert!(ids.iter().all(|id| stream.hold(id)));
        assert!(!stream.hold(&ids[0]), "claimed from itself");
        for (id, outcome) in ids.iter().zip([Outcome::Done, Outcome::Returned, Outcome::Refused]) {
            stream.settle(Arc::clone(id), outcome);
        }
        assert!(!stream.hold(&ids[0]), "it is only not acknowledged yet");
        assert!(stream.hold(&ids[1]), "it was given back");
        assert_eq!(text(&stream.acknowledge().unwrap()), "XACK SEND gateway 1-0 3-0");
        assert_eq!(text(&stream.keep("me").unwrap()), "XCLAIM SEND gateway me 0 2-0 JUSTID");
        stream.acknowledged(2);
        assert!(stream.acknowledge().is_none());
    }

    #[test]
    fn no_more_than_the_greatest_number_is_on_its_way() {
        let mut stream = stream();
        let mut count = 0;
        while stream.has_room() {
            for _ in 0..COUNT {
                stream.hold(&Arc::from(format!("{count}-0")));
                count += 1;
            }
        }
        assert!(count <= HELD && count + COUNT > HELD);
    }

    #[test]
    fn claiming_goes_on_at_its_own_cursor_and_rests_at_the_end() {
        let mut stream = stream();
        let now = Instant::now();
        assert!(stream.is_claim_due(now), "what was left behind does not wait");
        assert_eq!(text(&stream.claim("me")), "XAUTOCLAIM SEND gateway me 2000 0-0 COUNT 10");
        stream.claimed("5-1".into(), now);
        assert!(stream.is_claim_due(now));
        assert_eq!(text(&stream.claim("me")), "XAUTOCLAIM SEND gateway me 2000 5-1 COUNT 10");
        stream.claimed("0-0".into(), now);
        assert!(!stream.is_claim_due(now));
        assert!(stream.is_claim_due(now + Duration::from_secs(1)));
    }
}
