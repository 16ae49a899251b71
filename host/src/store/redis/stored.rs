//! What a shard's keys hold, and whether it can be resumed.

use futures_util::future::join_all;
use gateway_protocol::{Sequence, Session};
use redis::RedisError;
use redis::aio::ConnectionLike;
use thiserror::Error;

use super::Keys;

/// The values of one shard's keys, as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stored {
    sequence: Option<Vec<u8>>,
    pub(super) session: Option<Vec<u8>>,
    pub(super) details_of: Option<Vec<u8>>,
    count: Option<Vec<u8>>,
    resume_url: Option<Vec<u8>>,
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
    #[error("the key `{0}` is 0: nothing of that session was delivered")]
    NothingDelivered(String),
    #[error(
        "the key `{key}` is from a run with {count} shards, and a session does not outlive a change of that number"
    )]
    OtherCount { key: String, count: u32 },
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
        Ok(Self { sequence: next(), session: next(), details_of: next(), count: next(), resume_url: next() })
    }

    /// The session that a bot of `count` shards can resume. `Ok(None)` if there are no keys.
    ///
    /// Without a count the original wrote it, which is resumed. With a count that is another session's, the original wrote it, too.
    pub(super) fn session(self, keys: &Keys, count: u32) -> Result<Option<Session>, Unusable> {
        let half = |there: &String, missing: &String| Unusable::Half { there: there.clone(), missing: missing.clone() };
        let (id, sequence) = match (self.session, self.sequence) {
            (Some(id), Some(sequence)) => (id, sequence),
            (Some(_), None) => return Err(half(&keys.session, &keys.sequence)),
            (None, Some(_)) => return Err(half(&keys.sequence, &keys.session)),
            (None, None) => return Ok(None),
        };
        let details = self.details_of.is_none_or(|session| session == id);
        let stored_count = self.count.filter(|_| details).map(|count| number(&keys.count, &count)).transpose()?;
        if let Some(other) = stored_count.filter(|stored| *stored != count) {
            return Err(Unusable::OtherCount { key: keys.count.clone(), count: other });
        }
        let sequence = number(&keys.sequence, &sequence)?;
        if sequence == 0 {
            return Err(Unusable::NothingDelivered(keys.sequence.clone()));
        }
        let resume_url = self.resume_url.filter(|_| details).map(|url| text(&keys.resume_url, url)).transpose()?;
        Ok(Some(Session { id: text(&keys.session, id)?, resume_url, sequence: Sequence(sequence) }))
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

    fn refused(stored: Stored) -> String {
        stored.session(&keys(), COUNT).unwrap_err().to_string()
    }

    #[test]
    fn a_session_of_the_original_is_resumed_at_the_base_url() {
        assert_eq!(original("a", "500").session(&keys(), COUNT), Ok(Some(session(None))));
        assert_eq!(whole().session(&keys(), COUNT), Ok(Some(session(Some("wss://x")))));
        assert_eq!(Stored::default().session(&keys(), COUNT), Ok(None));
    }

    #[test]
    fn what_the_original_left_of_another_session_does_not_count() {
        let stored = Stored { details_of: value("b"), count: value("8"), ..whole() };
        assert_eq!(stored.session(&keys(), COUNT), Ok(Some(session(None))));
    }

    #[test]
    fn another_count_is_not_resumed() {
        let other = "the key `gateway3count` is from a run with 8 shards, and a session does not outlive a change of that number";
        assert_eq!(refused(Stored { count: value("8"), ..whole() }), other);
        assert_eq!(refused(Stored { count: value("8"), details_of: None, ..whole() }), other);
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
        assert!(refused(original("a", "0")).starts_with("the key `gateway3seq` is 0: nothing"));
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
