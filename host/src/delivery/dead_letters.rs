//! Messages that a broker will never take, kept in a file: a line of JSON for each.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use tokio::sync::{mpsc, oneshot};
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use crate::telemetry::DeadLetterMetrics;
use crate::{private, store};

/// Where dead letters are given to the thread that writes them. Clones are handles of the same; the thread ends with the
/// last of them.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    letters: mpsc::Sender<Waiting>,
}

/// A message that a broker will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The kind of broker: `amqp`.
    pub broker: &'static str,
    /// Where the message was to go, in words: `exchange gateway, routing key MESSAGE_CREATE`.
    pub target: String,
    /// Why it never gets there.
    pub reason: String,
    /// The message.
    pub body: Vec<u8>,
}

impl DeadLetters {
    /// Starts the thread. There is no file before the first letter; then the directories of `path` are made too.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(path: PathBuf, metrics: DeadLetterMetrics) -> io::Result<Self> {
        let (letters, waiting) = mpsc::channel(WAITING);
        let writer = Writer { path, metrics };
        std::thread::Builder::new().name("dead-letters".into()).spawn(move || writer.run(waiting))?;
        Ok(Self { letters })
    }

    /// Returns when the letter is on the disk, or when it could not be kept; that has then been logged and counted. Letters
    /// that are kept at the same time share one flush of the disk.
    pub async fn keep(&self, letter: DeadLetter) {
        let (kept, outcome) = oneshot::channel();
        // The thread ends only after its last handle, and answers every letter. If it crashed, the panic has been told.
        if self.letters.send(Waiting { letter, kept }).await.is_ok() {
            let _ = outcome.await;
        }
    }
}

/// Where dead letters are kept if nothing else is configured: beside the sessions.
#[must_use]
pub fn default_path() -> PathBuf {
    store::default_directory().join("dead-letters.ndjson")
}

/// A letter, and who waits for it.
#[derive(Debug)]
struct Waiting {
    letter: DeadLetter,
    kept: oneshot::Sender<()>,
}

struct Writer {
    path: PathBuf,
    metrics: DeadLetterMetrics,
}

impl Writer {
    fn run(self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut batch = Vec::new();
        while let Some(first) = waiting.blocking_recv() {
            batch.push(first);
            while let Some(next) = (batch.len() < BATCH).then(|| waiting.try_recv().ok()).flatten() {
                batch.push(next);
            }
            self.keep(&batch);
            for waiting in batch.drain(..) {
                // Who does not wait any more need not hear of it.
                let _ = waiting.kept.send(());
            }
        }
    }

    fn keep(&self, batch: &[Waiting]) {
        match append(&self.path, batch) {
            Ok(()) => batch.iter().for_each(|waiting| self.metrics.kept(waiting.letter.broker)),
            Err(error) => {
                batch.iter().for_each(|_| self.metrics.failed());
                self.log_loss(batch, &error);
            }
        }
    }

    fn log_loss(&self, batch: &[Waiting], error: &io::Error) {
        let bytes: usize = batch.iter().map(|waiting| waiting.letter.body.len()).sum();
        let Some(Waiting { letter: first, .. }) = batch.first() else { return };
        tracing::error!(
            "{} messages ({bytes} bytes) that the broker does not take are lost, because {} cannot be written: {error}. The first \
             of them was for {} ({}): {}. Make room, or set `dead_letters.path` (DEAD_LETTERS_PATH) to a file that can be written",
            batch.len(),
            self.path.display(),
            first.broker,
            first.target,
            first.reason,
        );
    }
}

/// Appends the letters, and flushes them to the disk. The file is opened each time: it may have been moved away to be read.
fn append(path: &Path, batch: &[Waiting]) -> io::Result<()> {
    let mut file = open(path)?;
    // Gateways side by side may share the file. Where there are no locks, their lines are still whole in most cases.
    let _ = file.lock();
    let torn = private::ends_within_a_line(&mut file)?;
    let mut lines = BufWriter::with_capacity(BUFFER, &file);
    if torn {
        lines.write_all(b"\n")?;
    }
    let time = now();
    for waiting in batch {
        serde_json::to_writer(&mut lines, &Line::new(&time, &waiting.letter))?;
        lines.write_all(b"\n")?;
    }
    lines.flush()?;
    drop(lines);
    file.sync_data()
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        private::make_directory(directory)?;
    }
    private::open(path, OpenOptions::new().read(true).append(true).create(true))
}

/// As the log writes it: RFC 3339, in UTC.
fn now() -> String {
    let mut text = String::new();
    // Only a target that fails makes it fail.
    let _ = SystemTime.format_time(&mut format::Writer::new(&mut text));
    text
}

/// A letter as it stands in the file.
#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    broker: &'a str,
    target: &'a str,
    reason: &'a str,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
enum Body<'a> {
    #[serde(rename = "body")]
    Text(&'a str),
    #[serde(rename = "body_base64", serialize_with = "as_base64")]
    Bytes(&'a [u8]),
}

impl<'a> Line<'a> {
    fn new(time: &'a str, letter: &'a DeadLetter) -> Self {
        let DeadLetter { broker, target, reason, body } = letter;
        let body = std::str::from_utf8(body).map_or(Body::Bytes(body), Body::Text);
        Self { time, broker, target, reason, body }
    }
}

fn as_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
}

/// Letters that wait for the thread, and letters that share one flush. Their bodies are those of messages that were not
/// confirmed, so the budgets of [`super::budget`] bound their bytes.
const WAITING: usize = 256;
const BATCH: usize = 256;
const BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::Metrics;

    fn letter(body: impl Into<Vec<u8>>) -> DeadLetter {
        let (target, reason) = ("exchange gateway, routing key READY".to_owned(), "too large".to_owned());
        DeadLetter { broker: "amqp", target, reason, body: body.into() }
    }

    fn waiting(body: &str) -> Waiting {
        Waiting { letter: letter(body), kept: oneshot::channel().0 }
    }

    /// The lines of the file, each without its time.
    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'), "{text:?}");
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            line.as_object_mut().unwrap().remove("time").unwrap();
        }
        lines
    }

    #[tokio::test]
    async fn a_letter_is_a_line_that_says_what_became_of_what() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("not").join("there yet").join("letters.ndjson");
        let metrics = Metrics::new().unwrap();
        let letters = DeadLetters::start(path.clone(), metrics.dead_letters()).unwrap();
        assert!(!path.parent().unwrap().exists(), "nothing is made before the first letter");
        letters.keep(letter("{\"a\": \"\u{e9}\"}\n")).await;
        letters.keep(letter(*b"\xff\x00")).await;
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("{\"time\":\"20") && text.contains("Z\",\"broker\":\"amqp\",\"target\":\""), "{text}");
        let target = "exchange gateway, routing key READY";
        assert_eq!(
            lines(&path),
            [
                json!({ "broker": "amqp", "target": target, "reason": "too large", "body": "{\"a\": \"\u{e9}\"}\n" }),
                json!({ "broker": "amqp", "target": target, "reason": "too large", "body_base64": "/wA=" }),
            ]
        );
        assert!(metrics.render().unwrap().contains("gateway_dead_letters_total{broker=\"amqp\"} 2\n"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made").join("letters.ndjson");
        DeadLetters::start(path.clone(), Metrics::new().unwrap().dead_letters()).unwrap().keep(letter("")).await;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[tokio::test]
    async fn letters_of_many_tasks_and_gateways_are_all_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters.ndjson");
        let metrics = Metrics::new().unwrap().dead_letters();
        let start = || DeadLetters::start(path.clone(), metrics.clone()).unwrap();
        let (one, two) = (start(), start());
        let keep = |number: usize| {
            let letters = if number.is_multiple_of(2) { one.clone() } else { two.clone() };
            async move { letters.keep(letter(format!("{number} {}", "x".repeat(1000)))).await }
        };
        futures_util::future::join_all((0..1000).map(keep)).await;
        let number = |line: &Value| line["body"].as_str().unwrap().split_once(' ').unwrap().0.parse::<usize>().unwrap();
        let mut numbers: Vec<usize> = lines(&path).iter().map(number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn what_follows_a_torn_line_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters.ndjson");
        std::fs::write(&path, "{\"time\":\"20").unwrap();
        append(&path, &[waiting("a")]).unwrap();
        append(&path, &[waiting("b")]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let bodies: Vec<Value> =
            text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].clone()).collect();
        assert_eq!(bodies, ["a", "b"], "{text}");
    }

    #[tokio::test]
    async fn a_file_that_is_moved_away_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters.ndjson");
        let letters = DeadLetters::start(path.clone(), Metrics::new().unwrap().dead_letters()).unwrap();
        letters.keep(letter("a")).await;
        std::fs::rename(&path, directory.path().join("read")).unwrap();
        letters.keep(letter("b")).await;
        assert_eq!(lines(&path).len(), 1);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_when_the_file_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::new().unwrap();
        // A directory stands where the file belongs.
        let letters = DeadLetters::start(directory.path().to_owned(), metrics.dead_letters()).unwrap();
        letters.keep(letter("a")).await;
        letters.keep(letter("b")).await;
        assert!(metrics.render().unwrap().contains("\ngateway_dead_letters_failed_total 2\n"));
        assert!(!metrics.render().unwrap().contains("gateway_dead_letters_total{"));
    }

    #[test]
    fn a_loss_is_told_with_its_size_its_reasons_and_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let log = Log::default();
        let output = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || output.clone()).finish();
        let writer = Writer { path, metrics: Metrics::new().unwrap().dead_letters() };
        tracing::subscriber::with_default(subscriber, || writer.keep(&[waiting("four"), waiting("five!")]));
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        for part in ["ERROR", "2 messages (9 bytes)", "routing key READY): too large", "`dead_letters.path`"] {
            assert!(log.contains(part), "{part} is not in {log}");
        }
        assert!(log.contains(&directory.path().display().to_string()), "{log}");
        assert!(!log.contains("five!"), "{log}");
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
