//! The file of one shard's checkpoint: JSON, replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use gateway_protocol::{Sequence, Session, ShardId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::delivery::{Checkpoint, Gap};
use crate::private;

/// Grows when an older gateway would misread a newer file.
const VERSION: u32 = 1;
/// Bytes of a file; a good one has some 200, and as many for each gap.
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
}

/// Reads it. It is empty if there is no file. A session that is there and cannot be resumed is a gap.
pub(super) fn read(path: &Path, shard: ShardId, count: u32) -> Result<Checkpoint, Unusable> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Checkpoint::default()),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(SIZE).read_to_end(&mut bytes)?;
    // Only the version is read first: what else a newer file holds is not known.
    let Versioned { version } = serde_json::from_slice(&bytes)?;
    if version > VERSION {
        return Err(Unusable::Newer(version));
    }
    serde_json::from_slice::<Contents>(&bytes)?.checkpoint(shard, count)
}

/// Replaces it, or removes it if there is nothing to keep. Whatever interrupts this, the file holds the old or the new.
///
/// It is on the disk before it takes the old one's place, so a power cut leaves no empty file. It may leave the old one, which
/// only means that some events come twice.
pub(super) fn write(path: &Path, shard: ShardId, count: u32, checkpoint: &Checkpoint) -> io::Result<()> {
    if checkpoint.is_empty() {
        return remove(path);
    }
    private::replace(path, &serde_json::to_vec(&Contents::new(shard, count, checkpoint))?)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
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
    /// Empty if there is no session.
    session_id: String,
    resume_url: Option<String>,
    sequence: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<Gap>,
}

impl Contents {
    fn new(shard: ShardId, count: u32, checkpoint: &Checkpoint) -> Self {
        let session = checkpoint.session.as_ref();
        Self {
            version: VERSION,
            shard: shard.0,
            shard_count: count,
            session_id: session.map(|session| session.id.clone()).unwrap_or_default(),
            resume_url: session.and_then(|session| session.resume_url.clone()),
            sequence: session.map_or(0, |session| session.sequence.0),
            gaps: checkpoint.gaps.clone(),
        }
    }

    fn checkpoint(self, shard: ShardId, count: u32) -> Result<Checkpoint, Unusable> {
        if self.shard != shard.0 {
            return Err(Unusable::OtherShard);
        }
        if self.session_id.is_empty() {
            return Ok(Checkpoint { session: None, gaps: self.gaps });
        }
        let session = Session { id: self.session_id, resume_url: self.resume_url, sequence: Sequence(self.sequence) };
        let is_same_count = self.shard_count == count;
        Ok(Checkpoint::found(session, self.gaps, is_same_count))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::delivery::GapReason;

    const SHARD: ShardId = ShardId(3);
    const COUNT: u32 = 4;

    fn session(id: &str, sequence: u64) -> Session {
        Session { id: id.into(), resume_url: Some("wss://resume.example".into()), sequence: Sequence(sequence) }
    }

    fn checkpoints() -> impl Strategy<Value = Checkpoint> {
        let session = (".{1,40}", proptest::option::of(".*"), 1..u64::MAX);
        let gap = (".{1,40}", any::<u64>(), proptest::option::of(any::<u64>()), 0..GapReason::ALL.len());
        (session, proptest::collection::vec(gap, 0..3)).prop_map(|((id, resume_url, sequence), gaps)| Checkpoint {
            session: Some(Session { id, resume_url, sequence: Sequence(sequence) }),
            gaps: gaps
                .into_iter()
                .map(|(session, from, to, reason)| Gap {
                    session,
                    from: Sequence(from),
                    to: to.map(Sequence),
                    reason: GapReason::ALL[reason],
                })
                .collect(),
        })
    }

    #[test]
    fn what_does_not_fit_is_not_resumed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("3.json");
        assert!(read(&path, SHARD, COUNT).unwrap().is_empty());
        write(&path, SHARD, COUNT, &session("a", 7).into()).unwrap();
        assert!(matches!(read(&path, ShardId(2), COUNT), Err(Unusable::OtherShard)));
        write(&path, SHARD, COUNT, &session("", 7).into()).unwrap();
        assert!(read(&path, SHARD, COUNT).unwrap().is_empty());
        fs::write(&path, r#"{"version":2,"sessions":{}}"#).unwrap();
        assert!(matches!(read(&path, SHARD, COUNT), Err(Unusable::Newer(2))));
        fs::write(&path, r#"{"version":1,"shard":3,"shard_count":4,"session_id":"a"}"#).unwrap();
        assert!(
            matches!(read(&path, SHARD, COUNT), Err(Unusable::Malformed(_))),
            "both session and sequence are needed"
        );
        write(&path, SHARD, COUNT, &Checkpoint::default()).unwrap();
        write(&path, SHARD, COUNT, &Checkpoint::default()).unwrap();
        assert!(read(&path, SHARD, COUNT).unwrap().is_empty());
    }

    #[test]
    fn a_session_that_cannot_be_resumed_is_a_gap() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("3.json");
        let gap = |from, reason| Gap { session: "a".into(), from: Sequence(from), to: None, reason };
        write(&path, SHARD, COUNT, &session("a", 7).into()).unwrap();
        let other_count = read(&path, SHARD, 8).unwrap();
        assert_eq!(other_count, Checkpoint { session: None, gaps: vec![gap(8, GapReason::ShardCount)] });
        write(&path, SHARD, COUNT, &session("a", 0).into()).unwrap();
        let nothing = read(&path, SHARD, COUNT).unwrap();
        assert_eq!(nothing, Checkpoint { session: None, gaps: vec![gap(1, GapReason::NothingDelivered)] });
        write(&path, SHARD, COUNT, &nothing).unwrap();
        assert_eq!(read(&path, SHARD, COUNT).unwrap(), nothing, "gaps are kept without a session too");
    }

    /// The files of the first version had no gaps.
    #[test]
    fn a_file_without_gaps_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("3.json");
        let text = r#"{"version":1,"shard":3,"shard_count":4,"session_id":"a","resume_url":"wss://resume.example","sequence":7}"#;
        fs::write(&path, text).unwrap();
        assert_eq!(read(&path, SHARD, COUNT).unwrap(), session("a", 7).into());
        write(&path, SHARD, COUNT, &session("a", 7).into()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "and an older gateway reads what this one writes");
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("3.json");
        write(&path, SHARD, COUNT, &session("a", 7).into()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read(checkpoint in checkpoints()) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("3.json");
            write(&path, SHARD, COUNT, &checkpoint).unwrap();
            prop_assert_eq!(read(&path, SHARD, COUNT).unwrap(), checkpoint);
        }

        /// A crash leaves the file beside at any length, and the real one old or new.
        #[test]
        fn a_crash_at_any_point_leaves_the_old_or_the_new(old in checkpoints(), new in checkpoints(), cut: prop::sample::Index, renamed: bool) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("3.json");
            write(&path, SHARD, COUNT, &old).unwrap();
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
            prop_assert_eq!(&read(&path, SHARD, COUNT).unwrap(), expected);
            write(&path, SHARD, COUNT, &new).unwrap();
            prop_assert_eq!(read(&path, SHARD, COUNT).unwrap(), new);
        }

        #[test]
        fn a_damaged_file_is_refused_or_read_never_a_crash(checkpoint in checkpoints(), cut: prop::sample::Index, garbage: Vec<u8>) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("3.json");
            let mut bytes = serde_json::to_vec(&Contents::new(SHARD, COUNT, &checkpoint)).unwrap();
            bytes.truncate(cut.index(bytes.len()));
            fs::write(&path, &bytes).unwrap();
            prop_assert!(read(&path, SHARD, COUNT).is_err());
            fs::write(&path, &garbage).unwrap();
            let _ = read(&path, SHARD, COUNT);
        }
    }
}
