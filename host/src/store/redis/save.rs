//! Saving one shard's checkpoint, so that no moment between two writes pairs a session with the sequence of another.

use std::sync::LazyLock;

use futures_util::future::try_join_all;
use gateway_protocol::Session;
use redis::aio::ConnectionLike;
use redis::{Cmd, Script};

use super::stored::OTHER_TYPE;
use super::{Failure, Keys, Stored};
use crate::delivery::{Checkpoint, Gap};

/// What goes beside a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Details {
    /// Over how many shards the bot is spread.
    pub(super) count: u32,
    /// Milliseconds since 1970.
    pub(super) saved_at: u128,
}

/// On a server: a script, which is a transaction that can look first. Nobody sees half of it, and a server that crashes keeps all
/// of it or nothing.
///
/// It looks which session is there rather than trusting to memory. So what a server forgot, after a failover for one, is written
/// again.
pub(super) async fn at_once(
    mut connection: impl ConnectionLike,
    keys: &Keys,
    checkpoint: &Checkpoint,
    details: Details,
) -> Result<(), Failure> {
    let mut call = SAVE.prepare_invoke();
    for key in keys.all() {
        call.key(key);
    }
    call.arg(gaps_text(&checkpoint.gaps)).arg(details.saved_at.to_string());
    if let Some(session) = &checkpoint.session {
        call.arg(session.sequence.0).arg(&session.id).arg(details.count);
        call.arg(session.resume_url.as_deref().unwrap_or_default());
    }
    match call.invoke_async::<()>(&mut connection).await {
        Err(error) if error.code() == Some(OTHER_TYPE) => {
            Err(Failure::OtherType(error.detail().unwrap_or_default().to_owned()))
        }
        outcome => Ok(outcome?),
    }
}

/// On a cluster: keys of one shard are on different nodes, which no transaction spans, so the order of the writes does it. A session
/// and a sequence that do not belong together are never there at the same time: the sequence goes, the session changes, its own
/// sequence comes. Whoever finds only one of them resumes nothing. Gaps come first: to tell of one that does not arise is better than
/// to keep silent about one that does. Two gateways that run one shard defeat this.
pub(super) async fn in_order<C: ConnectionLike + Clone>(
    connection: C,
    keys: &Keys,
    checkpoint: &Checkpoint,
    details: Details,
) -> Result<(), Failure> {
    let stored = Stored::read(&connection, keys).await?;
    let steps = match &checkpoint.session {
        Some(session) => save_steps(&stored, keys, session, details),
        None => forget_steps(keys),
    };
    let gaps = gaps_text(&checkpoint.gaps);
    let others = stored.gaps.as_deref().unwrap_or_default() != gaps.as_bytes();
    let gaps = others.then(|| vec![set_or_delete(&keys.gaps, &gaps)]);
    for step in gaps.into_iter().chain(steps) {
        try_join_all(step.iter().map(|command| run(connection.clone(), command))).await?;
    }
    if let Some(session) = &checkpoint.session {
        RAISE.key(&keys.sequence).arg(session.sequence.0).invoke_async::<()>(&mut connection.clone()).await?;
    }
    Ok(())
}

/// What comes before the sequence; the commands of one step in any order.
fn save_steps(stored: &Stored, keys: &Keys, session: &Session, details: Details) -> Vec<Vec<Cmd>> {
    let id = session.id.as_bytes();
    let saved_at = set(&keys.saved_at, &details.saved_at.to_string());
    let is_same = stored.session.as_deref() == Some(id);
    let resume_url = session.resume_url.as_deref().unwrap_or_default();
    let resume_url_is_same = stored.resume_url.as_deref().unwrap_or_default() == resume_url.as_bytes();
    if is_same && resume_url_is_same && stored.details_of.as_deref() == Some(id) {
        return vec![vec![saved_at]];
    }
    let others = vec![
        set(&keys.session, &session.id),
        set(&keys.count, &details.count.to_string()),
        set_or_delete(&keys.resume_url, resume_url),
        saved_at,
    ];
    // Last, since it says that the others are there.
    let steps = [others, vec![set(&keys.details_of, &session.id)]];
    let other_session = (!is_same).then(|| vec![delete(&keys.sequence)]);
    other_session.into_iter().chain(steps).collect()
}

fn forget_steps(keys: &Keys) -> Vec<Vec<Cmd>> {
    let [sequence, others @ .., _gaps] = keys.all();
    vec![vec![delete(sequence)], others.iter().map(|key| delete(key)).collect()]
}

/// Empty if there are none.
fn gaps_text(gaps: &[Gap]) -> String {
    if gaps.is_empty() {
        return String::new();
    }
    // Numbers and texts can always be written.
    serde_json::to_string(gaps).unwrap_or_default()
}

async fn run(mut connection: impl ConnectionLike, command: &Cmd) -> Result<(), Failure> {
    Ok(command.exec_async(&mut connection).await?)
}

fn set(key: &str, value: &str) -> Cmd {
    redis::cmd("SET").arg(key).arg(value).take()
}

fn set_or_delete(key: &str, value: &str) -> Cmd {
    if value.is_empty() { delete(key) } else { set(key, value) }
}

fn delete(key: &str) -> Cmd {
    redis::cmd("DEL").arg(key).take()
}

static SAVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("save.lua")));
/// What the original gateway does with each sequence, and with the 0 of a session of which nothing is delivered.
static RAISE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("raise.lua")));
