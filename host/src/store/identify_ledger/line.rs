//! One record as text: a JSON object in a line.

use gateway_protocol::{IdentifyRecord, ShardId, WallTime};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Grows when an older gateway would misread what a newer one writes.
const VERSION: u32 = 1;
/// Bytes of a reason.
const REASON: usize = 64;

/// Why a line is no record.
#[derive(Debug, Error)]
pub(super) enum Unreadable {
    #[error("it is damaged: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("a newer gateway wrote it (version {0})")]
    Newer(u32),
    #[error("its reason is no name")]
    Reason,
}

/// Without a line break.
pub(super) fn write(record: &IdentifyRecord) -> String {
    let line = Line { version: VERSION, at: record.at.0, shard: record.shard.0, reason: record.reason.clone() };
    // Numbers and a text are always JSON.
    serde_json::to_string(&line).unwrap_or_default()
}

pub(super) fn read(line: &[u8]) -> Result<IdentifyRecord, Unreadable> {
    // Only the version is read first: what else a newer line holds is not known.
    let Versioned { version } = serde_json::from_slice(line)?;
    if version > VERSION {
        return Err(Unreadable::Newer(version));
    }
    let Line { at, shard, reason, .. } = serde_json::from_slice(line)?;
    let is_name = reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if reason.is_empty() || reason.len() > REASON || !is_name {
        return Err(Unreadable::Reason);
    }
    Ok(IdentifyRecord { at: WallTime(at), shard: ShardId(shard), reason })
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Line {
    version: u32,
    /// Milliseconds since 1970.
    at: u64,
    shard: u32,
    reason: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_what_the_documentation_shows() {
        let record = IdentifyRecord { at: WallTime(1_769_860_800_000), shard: ShardId(3), reason: "start".to_owned() };
        let line = r#"{"version":1,"at":1769860800000,"shard":3,"reason":"start"}"#;
        assert_eq!(write(&record), line);
        assert!(include_str!("../../../../docs/identifies.md").contains(line));
    }

    #[test]
    fn what_is_no_record_says_why() {
        for (line, why) in [
            ("", "it is damaged"),
            ("\0\0\0", "it is damaged"),
            (r#"{"version":1,"at":17"#, "it is damaged"),
            (r#"{"version":1,"at":-1,"shard":3,"reason":"start"}"#, "it is damaged"),
            (r#"{"version":2,"when":"then"}"#, "a newer gateway wrote it (version 2)"),
            (r#"{"version":1,"at":1,"shard":3,"reason":""}"#, "its reason is no name"),
            (r#"{"version":1,"at":1,"shard":3,"reason":"a\nb"}"#, "its reason is no name"),
        ] {
            let error = read(line.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(why), "{line}: {error}");
        }
        let more = br#"{"version":1,"at":1,"shard":3,"reason":"deaf","gateway":"a"}"#;
        assert_eq!(read(more).unwrap().reason, "deaf", "what else a line holds does not matter");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(at: u64, shard: u32, reason in "[a-z_]{1,64}") {
            let record = IdentifyRecord { at: WallTime(at), shard: ShardId(shard), reason };
            prop_assert_eq!(read(write(&record).as_bytes()).unwrap(), record);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
