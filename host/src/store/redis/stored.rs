//! What a shard's keys hold, and whether it can be resumed.

use futures_util::future::join_all;
use gateway_protocol::{Sequence, Session};
use redis::RedisError;
use redis::aio::ConnectionLike;
use thiserror::Error;

use super::Keys;
use crate::delivery::{Checkpoint, Gap};

/// The values of one shard's keys, as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stored {
    sequence: Option<Vec<u8>>,
    pub(super) session: Option<Vec<u8>>,
    pub(super) details_of: Option<Vec<u8>>,
    count: Option<Vec<u8>>,
    pub(super) resume_url: Option<Vec<u8>>,
    pub(super) gaps: Option<Vec<u8>>,
}

/// Why a key cannot be read or written.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// It is of another type, so probably somebody else's.
    #[error(
        "the key `{0}` holds a list, a hash or the like, so it is somebody else's: set another `shard_store.prefix` \
         (SHARD_STORE_PREFIX), or delete it if nobody needs it"
    )]
    OtherType(String),
    /// The server is away, or refuses.
    #[error(transparent)]
    Redis(#[from] RedisError),
}

/// Why there is nothing to resume, although there are keys.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum Unusable {
    #[error("the key `{there}` is there, but `{missing}` is not, and it takes both")]
    Half { there: String, missing: String },
    #[error("the key `{0}` holds no number. The next session overwrites it; see who else writes there")]
    NoNumber(String),
    #[error("the key `{0}` is empty or no text. The next session overwrites it; see who else writes there")]
    NoText(String),
    #[error("the key `{0}` holds no list of gaps, so what it tells of lost events is not known. It is overwritten")]
    NoGaps(String),
}

impl Stored {
    /// Reads the keys so that they belong together, although a gateway that is about to end may still write: between two
    /// sequences of different sessions, the session changes.
    pub(super) async fn read_consistently(
        connection: &(impl ConnectionLike + Clone),
        keys: &Keys,
    ) -> Result<Self, Failure> {
        loop {
            let before = get(connection.clone(), &keys.session).await?;
            let stored = Self::read(connection, keys).await?;
            let after = get(connection.clone(), &keys.session).await?;
            if before == stored.session && stored.session == after {
                return Ok(stored);
            }
        }
    }

    /// Reads all keys at once.
    pub(super) async fn read(connection: &(impl ConnectionLike + Clone), keys: &Keys) -> Result<Self, Failure> {
        let values = join_all(keys.all().map(|key| get(connection.clone(), key))).await;
        let mut values = values.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter();
        let mut next = || values.next().flatten();
        let (sequence, session, details_of, count, resume_url) = (next(), next(), next(), next(), next());
        let (_saved_at, gaps) = (next(), next());
        Ok(Self { sequence, session, details_of, count, resume_url, gaps })
    }

    /// What is of use to a bot of `count` shards, and what is wrong with the rest.
    ///
    /// Without a count the original wrote it, which is resumed. With a count that is another session's, the original wrote it, too.
    pub(super) fn checkpoint(mut self, keys: &Keys, count: u32) -> (Checkpoint, Vec<Unusable>) {
        let gaps = match self.gaps.take().as_deref().map(serde_json::from_slice::<Vec<Gap>>) {
            None => Ok(Vec::new()),
            Some(gaps) => gaps.map_err(|_| Unusable::NoGaps(keys.gaps.clone())),
        };
        let session = self.session(keys, count);
        let mut unusable = Vec::new();
        let gaps = gaps.unwrap_or_else(|reason| {
            unusable.push(reason);
            Vec::new()
        });
        let checkpoint = match session {
            Ok(Some((session, is_same_count))) => Checkpoint::found(session, gaps, is_same_count),
            Ok(None) => Checkpoint { session: None, gaps },
            Err(reason) => {
                unusable.push(reason);
                let mut checkpoint = Checkpoint::unreadable();
                checkpoint.gaps.extend(gaps);
                checkpoint
            }
        };
        (checkpoint, unusable)
    }

    /// The session, and whether it is of a run with as many shards. `Ok(None)` if there are no keys.
    fn session(self, keys: &Keys, count: u32) -> Result<Option<(Session, bool)>, Unusable> {
        let half = |there: &String, missing: &String| Unusable::Half { there: there.clone(), missing: missing.clone() };
        let (id, sequence) = match (self.session, self.sequence) {
            (Some(id), Some(sequence)) => (id, sequence),
            (Some(_), None) => return Err(half(&keys.session, &keys.sequence)),
            (None, Some(_)) => return Err(half(&keys.sequence, &keys.session)),
            (None, None) => return Ok(None),
        };
        let details = self.details_of.is_none_or(|session| session == id);
        let stored_count = self.count.filter(|_| details);
        let stored_count = stored_count.map(|count| number::<u32>(&keys.count, &count)).transpose()?;
        let sequence = Sequence(number(&keys.sequence, &sequence)?);
        let resume_url = self.resume_url.filter(|_| details).map(|url| text(&keys.resume_url, url)).transpose()?;
        let session = Session { id: text(&keys.session, id)?, resume_url, sequence };
        Ok(Some((session, stored_count.is_none_or(|stored| stored == count))))
    }
}

async fn get(mut connection: impl ConnectionLike, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    match redis::cmd("GET").arg(key).query_async::<Option<Vec<u8>>>(&mut connection).await {
        Err(error) if error.code() == Some(OTHER_TYPE) => Err(Failure::OtherType(key.to_owned())),
        value => Ok(value?),
    }
}

fn number<T: std::str::FromStr>(key: &str, value: &[u8]) -> Result<T, Unusable> {
    let text = str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Unusable::NoNumber(key.to_owned()))
}

fn text(key: &str, value: Vec<u8>) -> Result<String, Unusable> {
    let text = String::from_utf8(value).ok().filter(|text| !text.is_empty());
    text.ok_or_else(|| Unusable::NoText(key.to_owned()))
}

/// What a server calls a key of another type than the command is for.
pub(super) const OTHER_TYPE: &str = "WRONGTYPE";

#[cfg(test)]
mod tests {
    use gateway_protocol::ShardId;

    use super::*;
    use crate::delivery::GapReason;

    const COUNT: u32 = 4;

    fn keys() -> Keys {
        Keys::new("gateway", ShardId(3))
    }

    fn value(text: &str) -> Option<Vec<u8>> {
        Some(text.into())
    }

    /// As the original leaves it.
    fn original(session: &str, sequence: &str) -> Stored {
        Stored { sequence: value(sequence), session: value(session), ..Stored::default() }
    }

    /// As the gateway leaves it.
    fn whole() -> Stored {
        let details =
            Stored { details_of: value("a"), count: value("4"), resume_url: value("wss://x"), ..Stored::default() };
        Stored { sequence: value("500"), session: value("a"), ..details }
    }

    fn session(resume_url: Option<&str>) -> Session {
        Session { id: "a".into(), resume_url: resume_url.map(Into::into), sequence: Sequence(500) }
    }

    fn found(stored: Stored) -> Checkpoint {
        let (checkpoint, unusable) = stored.checkpoint(&keys(), COUNT);
        assert_eq!(unusable, []);
        checkpoint
    }

    fn refused(stored: Stored) -> String {
        let (checkpoint, unusable) = stored.checkpoint(&keys(), COUNT);
        assert_eq!(checkpoint, Checkpoint::unreadable());
        assert_eq!(unusable.len(), 1, "{unusable:?}");
        unusable[0].to_string()
    }

    fn gap(from: u64, reason: GapReason) -> Checkpoint {
        let gap = Gap { session: "a".into(), from: Sequence(from), to: None, reason };
        Checkpoint { session: None, gaps: vec![gap] }
    }

    #[test]
    fn a_session_of_the_original_is_resumed_at_the_base_url() {
        assert_eq!(found(original("a", "500")), session(None).into());
        assert_eq!(found(whole()), session(Some("wss://x")).into());
        assert_eq!(found(Stored::default()), Checkpoint::default());
    }

    #[test]
    fn what_the_original_left_of_another_session_does_not_count() {
        let stored = Stored { details_of: value("b"), count: value("8"), ..whole() };
        assert_eq!(found(stored), session(None).into());
    }

    #[test]
    fn a_session_that_cannot_be_resumed_is_a_gap() {
        let other_count = gap(501, GapReason::ShardCount);
        assert_eq!(found(Stored { count: value("8"), ..whole() }), other_count);
        assert_eq!(found(Stored { count: value("8"), details_of: None, ..whole() }), other_count);
        assert_eq!(found(original("a", "0")), gap(1, GapReason::NothingDelivered));
    }

    #[test]
    fn gaps_are_found_with_and_without_a_session() {
        let text = r#"[{"session":"a","from":7,"to":null,"reason":"not_delivered"}]"#;
        let gaps = gap(7, GapReason::NotDelivered).gaps;
        assert_eq!(found(Stored { gaps: value(text), ..Stored::default() }).gaps, gaps);
        let both = found(Stored { gaps: value(text), ..whole() });
        assert_eq!(both, Checkpoint { session: Some(session(Some("wss://x"))), gaps });
        let (checkpoint, unusable) = Stored { gaps: value("?"), ..whole() }.checkpoint(&keys(), COUNT);
        assert_eq!(checkpoint, session(Some("wss://x")).into(), "the session is of use all the same");
        assert!(unusable[0].to_string().starts_with("the key `gateway3gaps` holds no list of gaps"));
    }

    #[test]
    fn it_takes_both_session_and_sequence() {
        let half = refused(Stored { session: None, ..whole() });
        assert_eq!(half, "the key `gateway3seq` is there, but `gateway3session` is not, and it takes both");
        let half = refused(Stored { sequence: None, ..whole() });
        assert_eq!(half, "the key `gateway3session` is there, but `gateway3seq` is not, and it takes both");
    }

    #[test]
    fn what_is_no_session_is_named_by_its_key() {
        for no_number in ["", "abc", "-1", "+1", "1.5", "1e3", " 1", "inf", "99999999999999999999"] {
            assert!(
                refused(original("a", no_number)).starts_with("the key `gateway3seq` holds no number."),
                "{no_number}"
            );
        }
        assert!(refused(original("", "500")).starts_with("the key `gateway3session` is empty or no text."));
        let binary = Stored { session: Some(vec![0xff]), ..original("a", "500") };
        assert!(refused(binary).starts_with("the key `gateway3session` is empty or no text."));
        assert!(
            refused(Stored { count: value("x"), ..whole() }).starts_with("the key `gateway3count` holds no number.")
        );
        let binary = Stored { resume_url: Some(vec![0xff]), ..whole() };
        assert!(refused(binary).starts_with("the key `gateway3resume_url` is empty or no text."));
    }
}
