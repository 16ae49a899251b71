//! The file of one shard's session: JSON, replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use gateway_protocol::{Sequence, Session, ShardId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Grows when an older gateway would misread a newer file.
const VERSION: u32 = 1;
/// Bytes of a file; a good one has some 200.
const SIZE: u64 = 64 * 1024;

/// Why there is nothing to resume in a file.
#[derive(Debug, Error)]
pub(super) enum Unusable {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it holds no session: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("a newer gateway wrote it (version {0})")]
    Newer(u32),
    #[error("it is another shard's")]
    OtherShard,
    #[error("it is from a run with {0} shards, and a session does not outlive a change of that number")]
    OtherCount(u32),
    #[error("its session has no id")]
    NoId,
    #[error("nothing of its session was delivered, so that what Discord sent on it is lost")]
    NothingDelivered,
}

/// Reads it. `Ok(None)` if there is no file.
pub(super) fn read(path: &Path, shard: ShardId, count: u32) -> Result<Option<Session>, Unusable> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(SIZE).read_to_end(&mut bytes)?;
    // Only the version is read first: what else a newer file holds is not known.
    let Versioned { version } = serde_json::from_slice(&bytes)?;
    if version > VERSION {
        return Err(Unusable::Newer(version));
    }
    serde_json::from_slice::<Contents>(&bytes)?.session(shard, count).map(Some)
}

/// Replaces it, or removes it if there is nothing to resume. Whatever interrupts this, the file holds the old or the new.
///
/// It is on the disk before it takes the old one's place, so a power cut leaves no empty file. It may leave the old one, which
/// only means that some events come twice.
pub(super) fn write(path: &Path, shard: ShardId, count: u32, session: Option<&Session>) -> io::Result<()> {
    let Some(session) = session else { return remove(path) };
    let beside = path.with_extension("tmp");
    let mut file = private_file(&beside, OpenOptions::new().write(true).create(true).truncate(true))?;
    file.write_all(&serde_json::to_vec(&Contents::new(shard, count, session))?)?;
    file.sync_data()?;
    drop(file);
    fs::rename(&beside, path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a file that is its owner's alone if this makes it: with the token, what it holds opens the session.
pub(super) fn private_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    version: u32,
    shard: u32,
    shard_count: u32,
    session_id: String,
    resume_url: Option<String>,
    sequence: u64,
}

impl Contents {
    fn new(shard: ShardId, count: u32, session: &Session) -> Self {
        Self {
            version: VERSION,
            shard: shard.0,
            shard_count: count,
            session_id: session.id.clone(),
            resume_url: session.resume_url.clone(),
            sequence: session.sequence.0,
        }
    }

    fn session(self, shard: ShardId, count: u32) -> Result<Session, Unusable> {
        if self.shard != shard.0 {
            return Err(Unusable::OtherShard);
        }
        if self.shard_count != count {
            return Err(Unusable::OtherCount(self.shard_count));
        }
        if self.session_id.is_empty() {
            return Err(Unusable::NoId);
        }
        if self.sequence == 0 {
            return Err(Unusable::NothingDelivered);
        }
        Ok(Session { id: self.session_id, resume_url: self.resume_url, sequence: Sequence(self.sequence) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHARD: ShardId = ShardId(3);
    const COUNT: u32 = 4;

    fn session(id: &str, sequence: u64) -> Session {
        Session { id: id.into(), resume_url: Some("wss://resume.example".into()), sequence: Sequence(sequence) }
    }

    fn sessions() -> impl Strategy<Value = Session> {
        (".{1,40}", proptest::option::of(".*"), 1..u64::MAX).prop_map(|(id, resume_url, sequence)| Session {
            id,
            resume_url,
            sequence: Sequence(sequence),
        })
    }

    #[test]
    fn what_does_not_fit_is_not_resumed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("3.json");
        assert!(matches!(read(&path, SHARD, COUNT), Ok(None)));
        write(&path, SHARD, COUNT, Some(&session("a", 7))).unwrap();
        assert!(matches!(read(&path, ShardId(2), COUNT), Err(Unusable::OtherShard)));
        assert!(matches!(read(&path, SHARD, 8), Err(Unusable::OtherCount(4))));
        write(&path, SHARD, COUNT, Some(&session("", 7))).unwrap();
        assert!(matches!(read(&path, SHARD, COUNT), Err(Unusable::NoId)));
        write(&path, SHARD, COUNT, Some(&session("a", 0))).unwrap();
        assert!(matches!(read(&path, SHARD, COUNT), Err(Unusable::NothingDelivered)));
        fs::write(&path, r#"{"version":2,"sessions":{}}"#).unwrap();
        assert!(matches!(read(&path, SHARD, COUNT), Err(Unusable::Newer(2))));
        fs::write(&path, r#"{"version":1,"shard":3,"shard_count":4,"session_id":"a"}"#).unwrap();
        assert!(
            matches!(read(&path, SHARD, COUNT), Err(Unusable::Malformed(_))),
            "both session and sequence are needed"
        );
        write(&path, SHARD, COUNT, None).unwrap();
        write(&path, SHARD, COUNT, None).unwrap();
        assert!(matches!(read(&path, SHARD, COUNT), Ok(None)));
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("3.json");
        write(&path, SHARD, COUNT, Some(&session("a", 7))).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read(session in sessions()) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("3.json");
            write(&path, SHARD, COUNT, Some(&session)).unwrap();
            prop_assert_eq!(read(&path, SHARD, COUNT).unwrap(), Some(session));
        }

        /// A crash leaves the file beside at any length, and the real one old or new.
        #[test]
        fn a_crash_at_any_point_leaves_the_old_or_the_new(old in sessions(), new in sessions(), cut: prop::sample::Index, renamed: bool) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("3.json");
            write(&path, SHARD, COUNT, Some(&old)).unwrap();
            let bytes = serde_json::to_vec(&Contents::new(SHARD, COUNT, &new)).unwrap();
            let beside = path.with_extension("tmp");
            let expected = if renamed {
                fs::write(&beside, &bytes).unwrap();
                fs::rename(&beside, &path).unwrap();
                &new
            } else {
                fs::write(&beside, &bytes[..cut.index(bytes.len() + 1)]).unwrap();
                &old
            };
            prop_assert_eq!(&read(&path, SHARD, COUNT).unwrap().unwrap(), expected);
            write(&path, SHARD, COUNT, Some(&new)).unwrap();
            prop_assert_eq!(read(&path, SHARD, COUNT).unwrap().unwrap(), new);
        }

        #[test]
        fn a_damaged_file_is_refused_or_read_never_a_crash(session in sessions(), cut: prop::sample::Index, garbage: Vec<u8>) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("3.json");
            let mut bytes = serde_json::to_vec(&Contents::new(SHARD, COUNT, &session)).unwrap();
            bytes.truncate(cut.index(bytes.len()));
            fs::write(&path, &bytes).unwrap();
            prop_assert!(read(&path, SHARD, COUNT).is_err());
            fs::write(&path, &garbage).unwrap();
            let _ = read(&path, SHARD, COUNT);
        }
    }
}
