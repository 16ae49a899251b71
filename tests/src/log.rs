//! What a process writes, line by line.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::PATIENCE;

/// The reader's side of a log. Its clones are handles of the same.
#[derive(Clone)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    length: watch::Receiver<usize>,
}

/// The writer's side. The log is complete when it is dropped.
pub(crate) struct LogWriter {
    lines: Arc<Mutex<Vec<String>>>,
    length: watch::Sender<usize>,
}

impl Log {
    pub(crate) fn new() -> (LogWriter, Self) {
        let (sender, length) = watch::channel(0);
        let lines = Arc::new(Mutex::new(Vec::new()));
        (LogWriter { lines: Arc::clone(&lines), length: sender }, Self { lines, length })
    }

    /// Waits until a line holds `part`, and answers with it. `None` if none comes in time or the log has ended.
    pub(crate) async fn find(&self, part: &str) -> Option<String> {
        let mut length = self.length.clone();
        let search = async {
            loop {
                let has_ended = length.has_changed().is_err();
                let found = self.lines.lock().unwrap().iter().find(|line| line.contains(part)).cloned();
                if found.is_some() || has_ended {
                    return found;
                }
                // When that fails, the log is complete.
                let _ = length.changed().await;
            }
        };
        timeout(PATIENCE, search).await.ok().flatten()
    }

    /// Waits until it is complete.
    pub(crate) async fn end(&self) {
        let mut length = self.length.clone();
        let ends = async { while length.changed().await.is_ok() {} };
        timeout(PATIENCE, ends).await.expect("the log does not end");
    }

    /// The lines so far.
    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

impl LogWriter {
    pub(crate) fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
        self.length.send_modify(|length| *length += 1);
    }
}
