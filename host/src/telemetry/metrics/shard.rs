//! What happens to a shard.

use std::time::{Duration, Instant};

use foldhash::HashMap;
use gateway_protocol::ShardId;
use prometheus::{CounterVec, IntCounter, IntCounterVec, IntGaugeVec, Result};

use super::age::{Ages, Since, Unset};
use super::families::Families;
use super::ping::Pings;

/// Event names of one shard that get a series of their own. Discord documents some 80.
const NAMES: usize = 256;
/// Bytes of an event name that gets one.
const NAME: usize = 64;
/// Opcodes that get a series of their own. Discord's highest is 43.
const OPCODES: u64 = 64;
/// The label of everything beyond these limits.
const OTHER: &str = "other";
const DISPATCH: u64 = 0;

/// The families that all shards' figures are in.
#[derive(Debug, Clone)]
pub(super) struct ShardFamilies {
    received: IntCounterVec,
    sent: IntCounterVec,
    alive: IntGaugeVec,
    pings: Pings,
    ping_age: Ages,
    reconnects: IntCounterVec,
    sessions: IntCounterVec,
    sessions_lost: IntCounterVec,
    sequence_gaps: IntCounterVec,
    events_missing: IntCounterVec,
    duplicates: IntCounterVec,
    inflate_errors: IntCounterVec,
    malformed: IntCounterVec,
    paused: IntGaugeVec,
    pauses: IntCounterVec,
    pause_seconds: CounterVec,
    crashes: IntCounterVec,
    deaf: IntGaugeVec,
}

impl ShardFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self> {
        let shard = ["shard"];
        Ok(Self {
            received: families.counters(
                "gateway_packets_received",
                "Counter of packets received over all gateway connections.",
                &["t", "op", "shard"],
            )?,
            sent: families.counters(
                "gateway_packets_sent",
                "Counter of packets sent over all gateway connections.",
                &["t", "op", "shard"],
            )?,
            alive: families.gauges("gateway_shards_alive", "Number of shards that are online", &["id"])?,
            pings: families.add(Pings::new()?)?,
            ping_age: Ages::new(
                families,
                "gateway_ping_age_seconds",
                "How long ago Discord last acknowledged a heartbeat; 0 before the first one.",
                &["id"],
                Unset::Zero,
            )?,
            reconnects: families.counters(
                "gateway_reconnects_total",
                "Connections that ended and are made again, by cause.",
                &["shard", "cause"],
            )?,
            sessions: families.counters(
                "gateway_sessions_total",
                "Sessions that began or were resumed.",
                &["shard", "kind"],
            )?,
            sessions_lost: families.counters(
                "gateway_sessions_lost_total",
                "Sessions that could not be resumed: what Discord had not sent of them is lost.",
                &shard,
            )?,
            sequence_gaps: families.counters(
                "gateway_sequence_gaps_total",
                "Jumps in the numbers of a session's events.",
                &shard,
            )?,
            events_missing: families.counters(
                "gateway_events_missing_total",
                "Events missing in these jumps.",
                &shard,
            )?,
            duplicates: families.counters(
                "gateway_events_duplicate_total",
                "Events that came again with a number already seen, and were left out.",
                &shard,
            )?,
            inflate_errors: families.counters(
                "gateway_inflate_errors_total",
                "Compressed streams that were corrupt or too large when inflated.",
                &shard,
            )?,
            malformed: families.counters(
                "gateway_packets_malformed_total",
                "Packets that could not be read.",
                &shard,
            )?,
            paused: families.gauges(
                "gateway_shard_paused",
                "Whether the shard stopped reading because its queue is full.",
                &shard,
            )?,
            pauses: families.counters("gateway_shard_pauses_total", "How often the shard stopped reading.", &shard)?,
            pause_seconds: families.float_counters(
                "gateway_shard_pause_seconds_total",
                "How long the shard did not read, over all ended pauses.",
                &shard,
            )?,
            deaf: families.gauges(
                "gateway_shard_deaf",
                "Whether the shard should hear events and does not.",
                &shard,
            )?,
            crashes: families.counters(
                "gateway_shard_crashes_total",
                "Crashes of the shard, after which it resumed its session.",
                &shard,
            )?,
        })
    }
}

/// The figures of one shard.
#[derive(Debug)]
pub struct ShardMetrics {
    shard: ShardId,
    label: String,
    families: ShardFamilies,
    /// Of dispatches, by event name.
    received_events: HashMap<Box<str>, IntCounter>,
    /// Of all other packets, by opcode.
    received: HashMap<u64, IntCounter>,
    sent: HashMap<u64, IntCounter>,
    duplicates: IntCounter,
    pinged: Since,
    paused_since: Option<Instant>,
}

impl ShardMetrics {
    pub(super) fn new(shard: ShardId, families: &ShardFamilies) -> Self {
        let label = shard.0.to_string();
        // Shown as 0 from the start, so that the first one is an increase.
        for family in [
            &families.sessions_lost,
            &families.sequence_gaps,
            &families.events_missing,
            &families.inflate_errors,
            &families.crashes,
        ] {
            family.with_label_values(&[&label]);
        }
        families.paused.with_label_values(&[&label]).set(0);
        families.deaf.with_label_values(&[&label]).set(0);
        Self {
            shard,
            families: families.clone(),
            received_events: HashMap::default(),
            received: HashMap::default(),
            sent: HashMap::default(),
            duplicates: families.duplicates.with_label_values(&[&label]),
            pinged: families.ping_age.watch(&[&label]),
            paused_since: None,
            label,
        }
    }

    /// A packet came in, with the event name `name` if it is a dispatch.
    pub fn packet_received(&mut self, name: &str, opcode: u64) {
        if opcode != DISPATCH {
            let (family, label) = (&self.families.received, &self.label);
            count_opcode(&mut self.received, opcode, family, label);
        } else if let Some(counter) = self.received_events.get(name) {
            counter.inc();
        } else {
            self.new_event_received(name);
        }
    }

    /// A packet went out.
    pub fn packet_sent(&mut self, opcode: u64) {
        count_opcode(&mut self.sent, opcode, &self.families.sent, &self.label);
    }

    /// The connection is up (HELLO came), or is gone.
    pub fn alive(&self, alive: bool) {
        self.families.alive.with_label_values(&[&self.label]).set(alive.into());
    }

    /// A heartbeat was acknowledged after `round_trip`.
    pub fn ping(&self, round_trip: Duration) {
        self.families.pings.observe(self.shard, round_trip);
        self.pinged.set(Some(Instant::now()));
    }

    /// The connection ended for `cause` and will be made again.
    pub fn reconnecting(&self, cause: &'static str) {
        self.families.reconnects.with_label_values(&[&*self.label, cause]).inc();
    }

    /// A new session began.
    pub fn session_started(&self) {
        self.families.sessions.with_label_values(&[&*self.label, "new"]).inc();
    }

    /// A session goes on on a new connection.
    pub fn session_resumed(&self) {
        self.families.sessions.with_label_values(&[&*self.label, "resumed"]).inc();
    }

    /// A session cannot be resumed: what Discord had not sent of it is lost.
    pub fn session_lost(&self) {
        self.families.sessions_lost.with_label_values(&[&self.label]).inc();
    }

    /// `missing` numbers were left out between two events.
    pub fn sequence_gap(&self, missing: u64) {
        self.families.sequence_gaps.with_label_values(&[&self.label]).inc();
        self.families.events_missing.with_label_values(&[&self.label]).inc_by(missing);
    }

    /// An event came again.
    pub fn duplicate(&self) {
        self.duplicates.inc();
    }

    /// The compressed stream was corrupt or too large.
    pub fn inflate_failed(&self) {
        self.families.inflate_errors.with_label_values(&[&self.label]).inc();
    }

    /// It should hear events and does not, or hears again.
    pub fn deaf(&self, deaf: bool) {
        self.families.deaf.with_label_values(&[&self.label]).set(deaf.into());
    }

    /// It has crashed, and starts anew.
    pub fn crashed(&self) {
        self.families.crashes.with_label_values(&[&self.label]).inc();
    }

    /// A packet could not be read.
    pub fn packet_malformed(&self) {
        self.families.malformed.with_label_values(&[&self.label]).inc();
    }

    /// Reading stopped because the queue is full, or goes on.
    pub fn paused(&mut self, paused: bool) {
        if paused == self.paused_since.is_some() {
            return;
        }
        self.families.paused.with_label_values(&[&self.label]).set(paused.into());
        match self.paused_since.take() {
            Some(start) => {
                self.families.pause_seconds.with_label_values(&[&self.label]).inc_by(start.elapsed().as_secs_f64());
            }
            None => {
                self.families.pauses.with_label_values(&[&self.label]).inc();
                self.paused_since = Some(Instant::now());
            }
        }
    }

    /// Counts an event with a name that has no series here yet. It gets one if there is room and it looks like a name.
    fn new_event_received(&mut self, name: &str) {
        let takes = is_event_name(name) && self.received_events.len() < NAMES;
        let label = if takes { name } else { OTHER };
        let counter = self.families.received.with_label_values(&[label, "0", &self.label]);
        counter.inc();
        if takes {
            self.received_events.insert(name.into(), counter);
        }
    }
}

impl Drop for ShardMetrics {
    /// A shard whose driver ended is neither alive nor paused nor deaf.
    fn drop(&mut self) {
        self.alive(false);
        self.deaf(false);
        self.paused(false);
    }
}

fn count_opcode(known: &mut HashMap<u64, IntCounter>, opcode: u64, family: &IntCounterVec, shard: &str) {
    let number = opcode.min(OPCODES);
    let counter = known.entry(number).or_insert_with(|| {
        let label = if number < OPCODES { number.to_string() } else { OTHER.to_owned() };
        family.with_label_values(&["", &*label, shard])
    });
    counter.inc();
}

fn is_event_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.len() <= NAME && name.bytes().all(allowed)
}
