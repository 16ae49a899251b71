//! The ledger on this machine: a file for each shard, of which the shard's gateway is the only writer.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use gateway_protocol::{IdentifyRecord, ShardId, WallTime};
use tokio::task::JoinHandle;

use super::{kept_from, line};
use crate::private;
use crate::store::BotKey;

/// Bytes of a file that are read, from its end. A shard that must wait for half an hour writes less than a tenth of it in a day.
const SIZE: u64 = 256 * 1024;

/// Records of one bot's shards. Whoever opens it must hold the shards' locks, which the sessions' store has.
#[derive(Debug)]
pub struct LocalLedger {
    directory: PathBuf,
    /// A write that took too long may still be under way. There is one at a time.
    writing: Option<JoinHandle<anyhow::Result<()>>>,
}

impl LocalLedger {
    /// Reads the records of these shards, and takes out of the files what is of no use any more. What cannot be read is told in the
    /// log, and the rest is used.
    pub fn open(
        directory: &Path,
        bot: &BotKey,
        shards: impl IntoIterator<Item = ShardId>,
        now: WallTime,
    ) -> (Self, Vec<IdentifyRecord>) {
        let directory = directory.join(bot.to_string());
        let records =
            shards.into_iter().flat_map(|shard| read_and_tidy(&path(&directory, shard), shard, now)).collect();
        (Self { directory, writing: None }, records)
    }

    /// Reads the records of these shards, and changes nothing.
    #[must_use]
    pub fn look(directory: &Path, bot: &BotKey, shards: impl IntoIterator<Item = ShardId>) -> Vec<IdentifyRecord> {
        let directory = directory.join(bot.to_string());
        let records = shards.into_iter().flat_map(|shard| readable(&path(&directory, shard), shard).records);
        records.collect()
    }

    /// Returns when they are on the disk. Dropping the future leaves the write under way, and the next one waits for it.
    ///
    /// # Errors
    /// If the system cannot write. The text names the file.
    pub(super) async fn append(&mut self, records: &[IdentifyRecord]) -> anyhow::Result<()> {
        if let Some(earlier) = &mut self.writing {
            // How it went was told when it took too long.
            let _ = earlier.await;
        }
        let lines: Vec<_> =
            records.iter().map(|record| (path(&self.directory, record.shard), line::write(record))).collect();
        let write = move || lines.iter().try_for_each(|(path, line)| append(path, line));
        let written = self.writing.insert(tokio::task::spawn_blocking(write)).await;
        self.writing = None;
        written.context("the writer crashed")?
    }
}

/// What a file holds.
#[derive(Debug, Default)]
struct Contents {
    records: Vec<IdentifyRecord>,
    /// There is something in it that is no record.
    is_damaged: bool,
}

fn path(directory: &Path, shard: ShardId) -> PathBuf {
    directory.join(format!("shard-{}.identifies.jsonl", shard.0))
}

/// One write, so that no other line gets into it.
fn append(path: &Path, line: &str) -> anyhow::Result<()> {
    let written = || {
        let mut file = private::open(path, OpenOptions::new().read(true).append(true).create(true))?;
        // A line that was cut short must not take this one with it.
        let text = if private::ends_within_a_line(&mut file)? { format!("\n{line}\n") } else { format!("{line}\n") };
        file.write_all(text.as_bytes())?;
        file.sync_data()
    };
    let written: io::Result<()> = written();
    written.with_context(|| path.display().to_string())
}

fn read_and_tidy(path: &Path, shard: ShardId, now: WallTime) -> Vec<IdentifyRecord> {
    let Contents { mut records, is_damaged } = readable(path, shard);
    let found = records.len();
    records.retain(|record| record.at >= kept_from(now));
    if (is_damaged || records.len() < found)
        && let Err(error) = replace(path, &records)
    {
        tracing::warn!("{}: old records stay in it: {error}", path.display());
    }
    records
}

/// What can be read of it, with a warning about the rest.
fn readable(path: &Path, shard: ShardId) -> Contents {
    let bytes = match read_end(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Contents::default(),
        Err(error) => {
            tracing::warn!(
                "{} cannot be read, so that nobody knows how often shard {shard} identified lately: {error}",
                path.display()
            );
            return Contents { is_damaged: false, records: Vec::new() };
        }
    };
    let mut records = Vec::new();
    let mut damages = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match line::read(line) {
            Ok(record) if record.shard == shard => records.push(record),
            Ok(_) => damages.push("it is another shard's".to_owned()),
            Err(why) => damages.push(why.to_string()),
        }
    }
    if let Some(first) = damages.first() {
        tracing::warn!(
            "{}: {} of {} lines are not used: {first}",
            path.display(),
            damages.len(),
            damages.len() + records.len()
        );
    }
    Contents { records, is_damaged: !damages.is_empty() }
}

fn read_end(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(SIZE);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(SIZE).read_to_end(&mut bytes)?;
    if skipped > 0 {
        // The first line is the end of one.
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        bytes.drain(..end);
    }
    Ok(bytes)
}

fn replace(path: &Path, records: &[IdentifyRecord]) -> io::Result<()> {
    let text: String = records.iter().map(|record| line::write(record) + "\n").collect();
    private::replace(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::IdentifyLedger;

    const SHARD: ShardId = ShardId(3);
    const NOW: WallTime = WallTime(1_800_000_000_000);

    fn bot() -> BotKey {
        BotKey::new("MTIz.a.b", "discord.com")
    }

    fn record(before: u64) -> IdentifyRecord {
        IdentifyRecord { at: WallTime(NOW.0 - before * 1000), shard: SHARD, reason: "start".to_owned() }
    }

    /// A directory, and the file of the shard in it, which holds this.
    fn holding(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory.path().join(bot().to_string()), SHARD);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    fn lines(records: &[IdentifyRecord]) -> String {
        records.iter().map(|record| line::write(record) + "\n").collect()
    }

    #[tokio::test]
    async fn records_outlive_the_ledger() {
        let (directory, path) = holding(b"");
        let (ledger, found) = LocalLedger::open(directory.path(), &bot(), [SHARD], NOW);
        assert_eq!(found, []);
        let mut ledger = IdentifyLedger::Local(ledger);
        let other = IdentifyRecord { shard: ShardId(4), ..record(2) };
        ledger.append(&[record(5), other.clone()]).await.unwrap();
        ledger.append(&[record(1)]).await.unwrap();
        let (_, found) = LocalLedger::open(directory.path(), &bot(), [SHARD, ShardId(4)], NOW);
        assert_eq!(found, [record(5), record(1), other.clone()]);
        assert_eq!(LocalLedger::look(directory.path(), &bot(), [ShardId(4), ShardId(5)]), [other]);
        assert_eq!(fs::read_to_string(path).unwrap(), lines(&[record(5), record(1)]));
    }

    #[test]
    fn what_is_older_than_a_day_goes_and_what_is_ahead_of_the_clock_stays() {
        let ahead = IdentifyRecord { at: WallTime(NOW.0 + 86_400_000), ..record(0) };
        let all = [record(90_000), record(86_400), ahead.clone()];
        let (directory, path) = holding(lines(&all).as_bytes());
        assert_eq!(LocalLedger::look(directory.path(), &bot(), [SHARD]), all);
        let (_, found) = LocalLedger::open(directory.path(), &bot(), [SHARD], NOW);
        assert_eq!(found, [record(86_400), ahead]);
        assert_eq!(fs::read_to_string(path).unwrap(), lines(&found));
    }

    #[tokio::test]
    async fn damage_costs_the_damaged_lines_alone() {
        let good = lines(&[record(9)]);
        let other = line::write(&IdentifyRecord { shard: ShardId(4), ..record(8) });
        let newer = r#"{"version":9}"#;
        for damage in ["\0\0\0\0", "{", &good[..20], "\u{fffd}", &other, newer] {
            let text = format!("{good}{damage}\n{good}{damage}");
            let (directory, path) = holding(text.as_bytes());
            assert_eq!(LocalLedger::look(directory.path(), &bot(), [SHARD]), [record(9), record(9)]);
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "looking changes nothing");
            // As if the file could not be tidied.
            append(&path, &line::write(&record(1))).unwrap();
            let (_, found) = LocalLedger::open(directory.path(), &bot(), [SHARD], NOW);
            assert_eq!(found, [record(9), record(9), record(1)], "{damage:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), lines(&found));
        }
    }

    #[test]
    fn of_a_huge_file_the_end_is_read() {
        let old = IdentifyRecord { reason: "x".repeat(60), ..record(50) };
        let text = lines(&[old]).repeat(5_000) + &lines(&[record(1)]);
        assert!(text.len() as u64 > SIZE);
        let (directory, _) = holding(text.as_bytes());
        let (_, found) = LocalLedger::open(directory.path(), &bot(), [SHARD], NOW);
        assert_eq!(found.last(), Some(&record(1)));
        assert!((1000..5_000).contains(&found.len()));
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_named() {
        let directory = tempfile::tempdir().unwrap();
        // There is no directory for the bot.
        let (ledger, found) = LocalLedger::open(directory.path(), &bot(), [SHARD], NOW);
        assert_eq!(found, []);
        let error = IdentifyLedger::Local(ledger).append(&[record(1)]).await.unwrap_err();
        assert!(format!("{error:#}").contains("shard-3.identifies.jsonl"), "{error:#}");
    }
}
