//! Reads streams as a consumer of their groups, and acknowledges what has been dealt with.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use gateway_protocol::ShardId;
use redis::aio::ConnectionLike as _;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value, cmd};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::entries::{self, Entry};
use super::failure::{self, Verdict};
use super::status::Report;
use super::stream::{COUNT, Consumer, Stream};
use crate::capability::{Claim, Incoming, Outcome};
use crate::connection::{Backoff, Connection, RedisAddress, to_mend};
use crate::telemetry::BrokerMetrics;

/// What reading needs.
pub(super) struct ReaderParts {
    pub(super) address: RedisAddress,
    pub(super) greatest_age: Option<Duration>,
    pub(super) incoming: mpsc::Sender<Incoming>,
    pub(super) ready: watch::Receiver<BTreeSet<ShardId>>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) metrics: BrokerMetrics,
}

/// How far the gateway's end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    /// Nothing more is read.
    Draining,
    /// Nobody settles anything any more.
    Closed,
}

/// The task that reads all streams of one group.
pub(super) struct Reader {
    parts: ReaderParts,
    report: Report,
    streams: Vec<Stream>,
    /// The consumer's name, which is nobody else's.
    name: String,
    settle: mpsc::Sender<Settled>,
    settled: mpsc::Receiver<Settled>,
    skipped: HashMap<&'static str, u64>,
    /// The server's clock, in milliseconds since 1970, at an instant.
    clock: Option<(u64, Instant)>,
    pause: Duration,
}

/// What has become of an entry of the stream with this number.
type Settled = (usize, Arc<str>, Outcome);
type Reading = BoxFuture<'static, RedisResult<Vec<Value>>>;

/// How long the server waits for entries: no longer than a change of readiness may take to be heeded.
const BLOCK: Duration = Duration::from_millis(500);
/// In a cluster: between two looks at a stream, right after it had entries and after a while without.
const PAUSES: std::ops::Range<Duration> = Duration::from_millis(10)..Duration::from_millis(200);
/// Pages that are claimed in a row.
const PAGES: usize = 100;
/// Between two looks at what is to be claimed.
const CHORES: Duration = Duration::from_secs(1);

impl Reader {
    pub(super) fn new(parts: ReaderParts, report: Report, consumers: Vec<Consumer>) -> Self {
        let streams: Vec<Stream> = consumers.into_iter().map(Stream::new).collect();
        // Entries of one stream that are held are bounded, so that this has room for all of them.
        let (settle, settled) = mpsc::channel(streams.len().max(1) * 2 * 64);
        Self {
            parts,
            report,
            streams,
            name: format!("{:032x}", fastrand::u128(..)),
            settle,
            settled,
            skipped: HashMap::new(),
            clock: None,
            pause: PAUSES.start,
        }
    }

    /// Reads until the gateway has ended.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let served = self.connect_and_serve(&mut backoff).await;
            self.tell_skipped();
            let Err(error) = served else { return };
            if *self.parts.phase.borrow() == Phase::Closed {
                tracing::warn!("some commands are dealt with, but could not be acknowledged: {error}");
                return;
            }
            let text = format!("{} {}", error.code().unwrap_or_default(), error.detail().unwrap_or_default());
            match failure::judge(&text) {
                // The groups are made again with the connection.
                _ if error.code() == Some("NOGROUP") => {
                    tracing::warn!("a consumer group is gone and is made again: {error}")
                }
                Verdict::Wait { advice } => self.report.blocked(&format!("{error}; {advice}")),
                Verdict::Doubt => self.report.away(&error.to_string()),
            }
            tokio::select! {
                () = backoff.wait() => {}
                _ = self.parts.phase.wait_for(|phase| *phase == Phase::Closed) => {}
            }
        }
    }

    async fn connect_and_serve(&mut self, backoff: &mut Backoff) -> RedisResult<()> {
        let work = self.parts.address.connect().await?;
        for stream in &self.streams {
            create_group(&mut work.clone(), &stream.consumer, "0").await?;
        }
        let reads = match (self.parts.address.connect().await?, &work) {
            (Connection::Single(mut connection), _) => {
                connection.set_response_timeout(BLOCK * 20);
                Connection::Single(connection)
            }
            (cluster, _) => cluster,
        };
        self.report.fine();
        self.serve(work, reads, backoff).await
    }

    async fn serve(&mut self, mut work: Connection, reads: Connection, backoff: &mut Backoff) -> RedisResult<()> {
        let mut chores = tokio::time::interval(CHORES);
        chores.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reading: Option<Reading> = None;
        let mut settled = Vec::new();
        let mut ready = self.parts.ready.clone();
        let mut phase = self.parts.phase.clone();
        let mut may_be_ready = true;
        loop {
            self.acknowledge(&mut work).await?;
            let now = *phase.borrow_and_update();
            if now == Phase::Closed {
                return self.leave(&mut work).await;
            }
            if now == Phase::Running && reading.is_none() {
                reading = self.read(&reads);
            }
            tokio::select! {
                answers = next_answers(&mut reading), if reading.is_some() => {
                    reading = None;
                    backoff.reset();
                    self.take_all(answers?).await?;
                }
                _ = self.settled.recv_many(&mut settled, 256) => {
                    for (number, id, outcome) in settled.drain(..) {
                        self.settle(number, id, outcome);
                    }
                }
                _ = chores.tick() => self.do_chores(&mut work, now).await?,
                changed = ready.changed(), if reading.is_none() && may_be_ready => may_be_ready = changed.is_ok(),
                changed = phase.changed() => if changed.is_err() {
                    return Ok(());
                },
            }
        }
    }

    /// Begins to read the streams that may bring something now.
    fn read(&mut self, connection: &Connection) -> Option<Reading> {
        let active: Vec<&Stream> =
            self.streams.iter().filter(|stream| stream.has_room() && self.is_ready(&stream.consumer)).collect();
        if active.is_empty() {
            return None;
        }
        Some(match connection {
            Connection::Single(_) => {
                let (command, mut connection) = (self.read_command(&active, Some(BLOCK)), connection.clone());
                async move { Ok(vec![connection.req_packed_command(&command).await?.extract_error()?]) }.boxed()
            }
            // Each stream has its node, where one that blocks would hold up all others on the same connection.
            Connection::Cluster(_) => {
                let commands: Vec<Cmd> = active.iter().map(|stream| self.read_command(&[stream], None)).collect();
                let (connection, pause) = (connection.clone(), self.pause);
                async move {
                    tokio::time::sleep(pause).await;
                    let answers = join_all(commands.iter().map(|command| {
                        let mut connection = connection.clone();
                        async move { connection.req_packed_command(command).await?.extract_error() }
                    }));
                    answers.await.into_iter().collect()
                }
                .boxed()
            }
        })
    }

    fn read_command(&self, streams: &[&Stream], block: Option<Duration>) -> Cmd {
        let group = streams.first().map_or("", |stream| stream.consumer.group.as_str());
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg(group).arg(&self.name).arg("COUNT").arg(COUNT);
        if let Some(block) = block {
            command.arg("BLOCK").arg(block.as_millis().to_string());
        }
        command.arg("STREAMS");
        for stream in streams {
            command.arg(&stream.consumer.stream);
        }
        for _ in streams {
            command.arg(">");
        }
        command
    }

    async fn take_all(&mut self, answers: Vec<Value>) -> RedisResult<()> {
        let mut is_empty = true;
        for answer in answers {
            for (key, entries) in entries::read(answer).map_err(unreadable)? {
                let number = self.streams.iter().position(|stream| stream.consumer.stream.as_bytes() == key);
                let Some(number) = number else { continue };
                is_empty &= entries.is_empty();
                for entry in entries {
                    self.take(number, entry).await;
                }
            }
        }
        self.pause = if is_empty { (self.pause * 2).min(PAUSES.end) } else { PAUSES.start };
        Ok(())
    }

    /// Hands an entry on.
    async fn take(&mut self, number: usize, entry: Entry) {
        let age = self.age(&entry);
        let Some(stream) = self.streams.get_mut(number) else { return };
        let id = Arc::<str>::from(&*entry.id);
        if entry.is_deleted() {
            return stream.settle(id, Outcome::Done);
        }
        if !stream.hold(&id) {
            return;
        }
        self.parts.metrics.received();
        if self.parts.greatest_age.zip(age).is_some_and(|(greatest, age)| age > greatest) {
            stream.settle(id, Outcome::Refused);
            return self.note_skipped("too_old");
        }
        let Some(body) = entry.into_field(&stream.consumer.field) else {
            stream.settle(id, Outcome::Refused);
            return self.note_skipped("no_field");
        };
        let (settle, source) = (self.settle.clone(), Arc::clone(&stream.source));
        let claim = Claim::new(move |outcome| {
            // There is room for every entry that is held; a reader that has ended no longer asks.
            let _ = settle.try_send((number, id, outcome));
        });
        // Where nobody takes it any more the claim is dropped, and the entry stays pending.
        tokio::select! {
            _ = self.parts.incoming.send(Incoming::Message { source, body, claim }) => {}
            _ = self.parts.phase.wait_for(|phase| *phase != Phase::Running) => {}
        }
    }

    fn settle(&mut self, number: usize, id: Arc<str>, outcome: Outcome) {
        self.parts.metrics.settled(outcome);
        if let Some(stream) = self.streams.get_mut(number) {
            stream.settle(id, outcome);
        }
    }

    async fn acknowledge(&mut self, work: &mut Connection) -> RedisResult<()> {
        for stream in &mut self.streams {
            let count = stream.done();
            if let Some(command) = stream.acknowledge() {
                work.req_packed_command(&command).await?.extract_error()?;
                stream.acknowledged(count);
            }
        }
        Ok(())
    }

    /// What is done once in a while: the server's clock is read, and entries are claimed.
    async fn do_chores(&mut self, work: &mut Connection, phase: Phase) -> RedisResult<()> {
        self.tell_skipped();
        if self.parts.greatest_age.is_some() {
            match cmd("TIME").query_async::<(u64, u64)>(work).await {
                Ok((seconds, micros)) => self.clock = Some((seconds * 1000 + micros / 1000, Instant::now())),
                // The gateway's own clock has to do.
                Err(error) if error.code() == Some("NOPERM") => {}
                Err(error) => return Err(error),
            }
        }
        for number in 0..self.streams.len() {
            let now = Instant::now();
            let is_ready = self.streams.get(number).is_some_and(|stream| self.is_ready(&stream.consumer));
            let Some(stream) = self.streams.get_mut(number) else { continue };
            if !stream.is_claim_due(now) {
                continue;
            }
            if let Some(command) = stream.keep(&self.name) {
                work.req_packed_command(&command).await?.extract_error()?;
            }
            if phase == Phase::Running && is_ready {
                self.claim(number, work).await?;
            }
        }
        Ok(())
    }

    /// Takes over what has been with other consumers for too long, as long as there is room for it.
    async fn claim(&mut self, number: usize, work: &mut Connection) -> RedisResult<()> {
        for _ in 0..PAGES {
            let Some(stream) = self.streams.get_mut(number).filter(|stream| stream.has_room()) else { break };
            let answer = work.req_packed_command(&stream.claim(&self.name)).await?.extract_error()?;
            let claimed = entries::read_claimed(answer).map_err(unreadable)?;
            stream.claimed(claimed.cursor, Instant::now());
            let is_over = stream.cursor.is_none();
            for entry in claimed.entries {
                self.take(number, entry).await;
            }
            // Of a long list of old commands, all may have to go.
            self.acknowledge(work).await?;
            if is_over {
                break;
            }
        }
        Ok(())
    }

    fn is_ready(&self, consumer: &Consumer) -> bool {
        let ready = self.parts.ready.borrow();
        consumer.shard.map_or(!ready.is_empty(), |shard| ready.contains(&shard))
    }

    /// The last acknowledgements, and a consumer with nothing pending is removed: names do not pile up in the groups.
    async fn leave(&mut self, work: &mut Connection) -> RedisResult<()> {
        while let Ok((number, id, outcome)) = self.settled.try_recv() {
            self.settle(number, id, outcome);
        }
        self.acknowledge(work).await?;
        for Stream { consumer, .. } in &self.streams {
            let mut pending = cmd("XPENDING");
            pending.arg(&consumer.stream).arg(&consumer.group).arg("-").arg("+").arg(1).arg(&self.name);
            if work.req_packed_command(&pending).await?.extract_error()? == Value::Array(Vec::new()) {
                let mut delete = cmd("XGROUP");
                delete.arg("DELCONSUMER").arg(&consumer.stream).arg(&consumer.group).arg(&self.name);
                work.req_packed_command(&delete).await?.extract_error()?;
            }
        }
        Ok(())
    }

    /// How old an entry is by the server's clock.
    fn age(&self, entry: &Entry) -> Option<Duration> {
        let now = match self.clock {
            Some((then, instant)) => then + u64::try_from(instant.elapsed().as_millis()).unwrap_or(u64::MAX),
            None => u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?,
        };
        Some(Duration::from_millis(now.saturating_sub(entry.time())))
    }

    fn note_skipped(&mut self, reason: &'static str) {
        self.parts.metrics.skipped(reason);
        *self.skipped.entry(reason).or_default() += 1;
    }

    fn tell_skipped(&mut self) {
        for (reason, count) in self.skipped.drain() {
            match reason {
                "too_old" => tracing::warn!(
                    "{count} commands were dropped unexecuted: they are older than broker.command_age, which says how old they may be"
                ),
                _ => tracing::warn!(
                    "{count} entries of command streams were dropped: they have no field that is a message"
                ),
            }
        }
    }
}

/// Makes a consumer group, and its stream, if they do not exist.
pub(super) async fn create_group(connection: &mut Connection, consumer: &Consumer, start: &str) -> RedisResult<()> {
    let mut command = cmd("XGROUP");
    command.arg("CREATE").arg(&consumer.stream).arg(&consumer.group).arg(start).arg("MKSTREAM");
    match connection.req_packed_command(&command).await?.extract_error() {
        Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
        answer => answer.map(drop),
    }
}

/// What the operator has to mend before a group can be made, if it is that.
pub(super) fn group_to_mend(error: &RedisError, consumer: &Consumer) -> Option<String> {
    let key = &consumer.stream;
    match error.code() {
        Some("WRONGTYPE") => Some(format!(
            "the key {key:?} in Redis holds something other than a stream: delete or rename it, or give this bot a database of its own"
        )),
        Some("NOPERM") => {
            Some(format!("the user in redis.urls may not use the stream {key:?}: allow it with ACL SETUSER ({error})"))
        }
        Some("ERR") => Some(format!("Redis cannot make the consumer group {:?} of {key:?}: {error}", consumer.group)),
        _ => to_mend(error),
    }
}

/// Cancel safe.
async fn next_answers(reading: &mut Option<Reading>) -> RedisResult<Vec<Value>> {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}

fn unreadable(error: entries::Unreadable) -> RedisError {
    (ErrorKind::UnexpectedReturnType, "unreadable answer", error.to_string()).into()
}
