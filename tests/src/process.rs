//! A running gateway.

use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// How long anything may take before the test fails. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One frame of STDOUT.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The line as it was written.
    pub line: String,
    /// `event`.
    pub name: String,
    /// `data`.
    pub data: Value,
}

/// A running gateway. Dropping it kills the process.
pub struct Gateway {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
    log: Arc<Mutex<Vec<String>>>,
    log_length: watch::Receiver<usize>,
}

impl Gateway {
    pub(crate) fn new(command: &mut Command) -> Self {
        let mut child = command.kill_on_drop(true).spawn().expect("the gateway cannot be started");
        #[expect(clippy::disallowed_methods, reason = "a test reads what it is sent")]
        let (to_lines, lines) = mpsc::unbounded_channel();
        let stdout = child.stdout.take().unwrap();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                // A test that ends no longer reads.
                let _ = to_lines.send(line);
            }
        });
        let log = Arc::new(Mutex::new(Vec::new()));
        let (grown, log_length) = watch::channel(0);
        let stderr = child.stderr.take().unwrap();
        let target = Arc::clone(&log);
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                target.lock().unwrap().push(line);
                grown.send_modify(|length| *length += 1);
            }
        });
        Self { stdin: child.stdin.take(), child, lines, log, log_length }
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
        loop {
            let event = self.next_event().await;
            if event.name == name {
                return event;
            }
        }
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
    pub async fn logged(&mut self, part: &str) -> String {
        let find = async {
            loop {
                let found = self.log.lock().unwrap().iter().find(|line| line.contains(part)).cloned();
                if let Some(line) = found {
                    return Some(line);
                }
                // The log is complete when it cannot grow any more.
                self.log_length.changed().await.ok()?;
            }
        };
        match timeout(PATIENCE, find).await {
            Ok(Some(line)) => line,
            _ => panic!("{part:?} was not logged. The log:\n{}", self.log()),
        }
    }

    /// The log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
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

    /// Tells it to drain, and waits for its end, which must be an orderly one. Answers with the events that still came.
    pub async fn drain(&mut self) -> Vec<Event> {
        self.signal("TERM").await;
        let events = self.rest().await;
        let status = self.ended().await;
        assert!(status.success(), "{status}. The log:\n{}", self.log());
        events
    }
}

fn parse(line: String) -> Event {
    let mut frame: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let name = frame["event"].as_str().expect("a name").to_owned();
    let data = frame["data"].take();
    Event { line, name, data }
}
