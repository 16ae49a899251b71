//! A running gateway.

use std::collections::HashMap;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use serde_json::value::RawValue;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::log::Log;

/// How long anything may take before the test fails. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// One frame of STDOUT.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The line as it was written.
    pub line: String,
    /// `event`.
    pub name: String,
    /// `data`; null if it is one of the numbers and texts that [`Value`] cannot hold.
    pub data: Value,
}

/// A running gateway. Dropping it kills the process.
pub struct Gateway {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Until it is read, closed or taken.
    stdout: Option<ChildStdout>,
    lines: mpsc::UnboundedReceiver<String>,
    log: Log,
    /// It works there.
    _home: Arc<TempDir>,
}

impl Gateway {
    pub(crate) fn new(command: &mut Command, home: Arc<TempDir>) -> Self {
        let mut child = command.kill_on_drop(true).spawn().expect("the gateway cannot be started");
        let (writer, log) = Log::new();
        let stderr = child.stderr.take().unwrap();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                writer.push(line);
            }
        });
        let (_, lines) = unbounded();
        Self { stdin: child.stdin.take(), stdout: child.stdout.take(), child, lines, log, _home: home }
    }

    /// Begins to read STDOUT, if the gateway was started without a reader.
    #[must_use]
    pub fn reading(mut self) -> Self {
        let (to_lines, lines) = unbounded();
        self.lines = lines;
        let stdout = self.take_output();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                // A test that ends no longer reads.
                let _ = to_lines.send(line);
            }
        });
        self
    }

    /// STDOUT itself, of a gateway that was started without a reader. Dropping it closes it.
    pub fn take_output(&mut self) -> ChildStdout {
        self.stdout.take().expect("STDOUT is read")
    }

    /// The process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("the gateway has ended")
    }

    /// The next line of STDOUT; `None` when it is closed.
    pub async fn next_line(&mut self) -> Option<String> {
        match timeout(PATIENCE, self.lines.recv()).await {
            Ok(line) => line,
            Err(_) => panic!("no line came. The log:\n{}", self.log()),
        }
    }

    /// The next event.
    pub async fn next_event(&mut self) -> Event {
        let Some(line) = self.next_line().await else { panic!("STDOUT is closed. The log:\n{}", self.log()) };
        parse(line)
    }

    /// The next event of that name; others are passed over.
    pub async fn next_named(&mut self, name: &str) -> Event {
        self.until(name).await.pop().unwrap()
    }

    /// The next events, that many.
    pub async fn next_events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.next_event().await);
        }
        events
    }

    /// The next events until one of that name, which is the last.
    pub async fn until(&mut self, name: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while events.last().is_none_or(|event: &Event| event.name != name) {
            // Others may come for ever.
            assert!(Instant::now() < deadline, "{name} did not come. The log:\n{}", self.log());
            events.push(self.next_event().await);
        }
        events
    }

    /// All events until STDOUT is closed.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(line) = self.next_line().await {
            events.push(parse(line));
        }
        events
    }

    /// Writes to its STDIN.
    pub async fn input(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("STDIN was closed");
        stdin.write_all(bytes.as_ref()).await.unwrap();
        stdin.flush().await.unwrap();
    }

    /// Closes its STDIN.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits until a line of its log holds `part`, and answers with the line.
    pub async fn logged(&self, part: &str) -> String {
        match self.log.find(part).await {
            Some(line) => line,
            None => panic!("{part:?} was not logged. The log:\n{}", self.log()),
        }
    }

    /// The log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The log of a gateway that has ended.
    pub async fn whole_log(&self) -> String {
        self.log.end().await;
        self.log()
    }

    /// Sends it a signal: `TERM`, `INT`, `KILL`, `STOP`, `CONT`.
    pub async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
        assert!(status.success(), "kill -{name} {id}");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("the gateway does not end. The log:\n{}", self.log()),
        }
    }

    /// Whether it ends within that time.
    pub async fn ends_within(&mut self, time: Duration) -> bool {
        timeout(time, self.child.wait()).await.is_ok()
    }

    /// Tells it to drain, and waits for its end, which must be an orderly one. Answers with the events that still came.
    pub async fn drain(&mut self) -> Vec<Event> {
        self.signal("TERM").await;
        let events = self.rest().await;
        let status = self.ended().await;
        assert!(status.success(), "{status}. The log:\n{}", self.log());
        events
    }
}

fn unbounded() -> (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>) {
    #[expect(clippy::disallowed_methods, reason = "a test reads what it is sent")]
    mpsc::unbounded_channel()
}

fn parse(line: String) -> Event {
    let frame: HashMap<String, Box<RawValue>> =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let member = |name| frame.get(name).unwrap_or_else(|| panic!("no {name}: {line}"));
    let name = serde_json::from_str(member("event").get()).expect("a name");
    let data = serde_json::from_str(member("data").get()).unwrap_or_default();
    Event { line, name, data }
}
