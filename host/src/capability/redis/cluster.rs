//! Sends commands to a cluster, where each key has its node.
//!
//! What waits is sent together, in one pipeline for each key, all keys at the same time; the next such round begins when this
//! one is in. So the order holds within a key, also while slots move.

use std::collections::{BTreeMap, VecDeque};

use futures_util::future::join_all;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, Slot, SlotAddr};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};

use super::Commands;
use super::failure::{self, Verdict};
use super::publisher::{PipeParts, keep};
use super::window::Awaited;
use crate::connection::{Backoff, Connection, RedisAddress};

/// Parcels that are sent together.
const TOGETHER: usize = 32;
/// Commands in one pipeline.
const PIPELINE: usize = 1024;

/// What waits for one key, in order.
#[derive(Default)]
struct Queue<'a> {
    commands: VecDeque<(&'a Commands, usize)>,
    /// How often the first one has failed.
    failures: u32,
    /// Whether a pipeline has failed as a whole, as it does while a slot moves: then one command is sent at a time.
    is_slow: bool,
}

/// Why a round has left something over, the worst last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    /// Slots are on the move, which takes a moment.
    Moving(String),
    Blocked(String),
    Away(String),
}

/// Rounds in a row that slots may be on the move before that is told.
const PATIENCE: u32 = 5;

/// Sends what comes until nobody sends any more.
pub(super) async fn run<T: Send + 'static>(mut parts: PipeParts<T>) {
    let mut jobs = Vec::with_capacity(TOGETHER);
    let mut connection = None;
    while parts.jobs.recv_many(&mut jobs, TOGETHER).await > 0 {
        let parcels = jobs.iter().map(|job| &job.parcel).collect();
        send(&parts, parcels, &mut connection).await;
        for job in jobs.drain(..) {
            parts.metrics.published(job.parcel.len());
            job.confirm().await;
        }
    }
}

async fn send<T: Send>(parts: &PipeParts<T>, parcels: Vec<&Commands>, connection: &mut Option<ClusterConnection>) {
    let mut queues = BTreeMap::<&[u8], Queue<'_>>::new();
    for commands in parcels {
        for index in 0..commands.len() {
            queues.entry(commands.key_of(index)).or_default().commands.push_back((commands, index));
        }
    }
    let mut backoff = Backoff::default();
    while !queues.is_empty() {
        let trouble = match connected(&parts.address, connection).await {
            Ok(connection) => round(parts, &mut queues, connection).await,
            Err(error) => Some(Trouble::Away(error.to_string())),
        };
        match &trouble {
            None => {
                parts.report.fine();
                backoff.reset();
                continue;
            }
            Some(Trouble::Moving(_)) if backoff.failures() < PATIENCE => {}
            Some(Trouble::Moving(reason) | Trouble::Blocked(reason)) => parts.report.blocked(reason),
            Some(Trouble::Away(reason)) => {
                *connection = None;
                parts.report.away(reason);
            }
        }
        parts.metrics.retried(queues.values().map(|queue| queue.commands.len()).sum());
        backoff.wait().await;
    }
}

async fn connected<'a>(
    address: &RedisAddress,
    connection: &'a mut Option<ClusterConnection>,
) -> RedisResult<&'a mut ClusterConnection> {
    if connection.is_none() {
        match address.connect().await? {
            Connection::Cluster(made) => *connection = Some(made),
            Connection::Single(_) => return Err((ErrorKind::Client, "this is no cluster").into()),
        }
    }
    connection.as_mut().ok_or_else(|| (ErrorKind::Client, "there is no connection").into())
}

/// Sends once what waits for each key, and removes what is done.
async fn round<T: Send>(
    parts: &PipeParts<T>,
    queues: &mut BTreeMap<&[u8], Queue<'_>>,
    connection: &ClusterConnection,
) -> Option<Trouble> {
    let answers = join_all(queues.iter().map(|(key, queue)| queue.send(key, connection.clone()))).await;
    let mut worst = None;
    for ((key, queue), answer) in queues.iter_mut().zip(answers) {
        let failed = match answer {
            Ok(values) => queue.take(values),
            Err(error) => {
                queue.is_slow = true;
                Some(error)
            }
        };
        let Some(error) = failed else { continue };
        let text = error.to_string();
        let trouble = if error.is_io_error() || error.is_unrecoverable_error() {
            Trouble::Away(text)
        } else {
            let advice = match failure::judge(&in_words(&error)) {
                Verdict::Wait { advice } => advice,
                Verdict::Doubt => {
                    queue.doubt(parts, &text).await;
                    "it is tried a few times, and then kept as a dead letter"
                }
            };
            let reason = format!("{text} (key {:?}); {advice}", String::from_utf8_lossy(key));
            if error.is_cluster_error() { Trouble::Moving(reason) } else { Trouble::Blocked(reason) }
        };
        worst = worst.max(Some(trouble));
    }
    queues.retain(|_, queue| !queue.commands.is_empty());
    worst
}

impl Queue<'_> {
    async fn send(&self, key: &[u8], mut connection: ClusterConnection) -> RedisResult<Vec<Value>> {
        let mut pipeline = Pipeline::new();
        for (commands, index) in self.commands.iter().take(if self.is_slow { 1 } else { PIPELINE }) {
            pipeline.add_command(command(commands, *index)?);
        }
        let route = Route::with_slot(Slot::for_key(key), SlotAddr::Master);
        let count = pipeline.len();
        connection.route_pipeline(pipeline, 0, count, SingleNodeRoutingInfo::SpecificNode(route)).await
    }

    /// Removes what is done: up to the first failure, which is the answer. What stands behind it is sent again with it.
    fn take(&mut self, answers: Vec<Value>) -> Option<RedisError> {
        for answer in answers {
            if let Err(error) = answer.extract_error() {
                return Some(error);
            }
            self.commands.pop_front();
            self.failures = 0;
        }
        None
    }

    /// Notes a failure of the first command that will probably not pass.
    async fn doubt<T: Send>(&mut self, parts: &PipeParts<T>, error: &str) {
        self.failures += 1;
        // It is known to be the first one only if it was sent alone.
        let was_slow = std::mem::replace(&mut self.is_slow, true);
        if self.failures < failure::TRIES || !was_slow {
            return;
        }
        if let Some((commands, index)) = self.commands.pop_front() {
            keep(parts, &Awaited { commands, index, failures: self.failures }, error).await;
            self.failures = 0;
        }
    }
}

/// An error as the server has written it, code first.
fn in_words(error: &RedisError) -> String {
    format!("{} {}", error.code().unwrap_or_default(), error.detail().unwrap_or_default())
}

/// The library's form of a command, which it finds the way for.
fn command(commands: &Commands, index: usize) -> RedisResult<Cmd> {
    let mut command = Cmd::new();
    if let Value::Array(arguments) = redis::parse_redis_value(&commands.text_of(index))? {
        for argument in arguments {
            if let Value::BulkString(bytes) = argument {
                command.arg(bytes);
            }
        }
    }
    Ok(command)
}
