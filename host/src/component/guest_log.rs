//! A component's lines in the gateway's log, kept short and few.

use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use super::bindings::log::Level;

/// Bytes of one line; the rest is cut.
const LINE: usize = 2048;
/// Lines in one period; the rest is counted.
const LINES: u32 = 50;
/// How long a period lasts.
const PERIOD: Duration = Duration::from_secs(1);

/// Writes lines of one instance.
#[derive(Debug, Clone)]
pub(super) struct GuestLog {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    component: Arc<str>,
    period: Option<Instant>,
    written: u32,
    suppressed: u64,
    refused_metric: bool,
}

impl GuestLog {
    pub(super) fn new(component: Arc<str>) -> Self {
        let shared = Shared { component, period: None, written: 0, suppressed: 0, refused_metric: false };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    pub(super) fn write(&self, level: Level, message: &str) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).write(level, message);
    }

    /// Says once that a metric was refused.
    pub(super) fn refuse_metric(&self, name: &str) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut shared.refused_metric, true) {
            let text =
                format!("metric `{}` refused: its name is malformed, or one of too many (see wit/metrics.wit)", name);
            shared.write(Level::Warn, &text);
        }
    }

    /// Where the component's STDERR goes.
    pub(super) fn stream(&self) -> impl StdoutStream + use<> {
        Stderr { log: self.clone() }
    }
}

impl Shared {
    fn write(&mut self, level: Level, message: &str) {
        let now = Instant::now();
        if self.period.is_none_or(|start| now.duration_since(start) >= PERIOD) {
            if self.suppressed > 0 {
                tracing::warn!(component = &*self.component, "{} more lines were not written", self.suppressed);
            }
            (self.period, self.written, self.suppressed) = (Some(now), 0, 0);
        }
        if self.written >= LINES {
            self.suppressed += 1;
            return;
        }
        self.written += 1;
        let component = &*self.component;
        let text = printable(message);
        match level {
            Level::Error => tracing::error!(component, "{text}"),
            Level::Warn => tracing::warn!(component, "{text}"),
            Level::Info => tracing::info!(component, "{text}"),
            Level::Debug => tracing::debug!(component, "{text}"),
        }
    }
}

/// One line, whatever the guest wrote: no control characters (they could forge lines or steer a terminal), and not too long.
pub(super) fn printable(message: &str) -> String {
    let mut text = String::with_capacity(message.len().min(LINE));
    for character in message.chars() {
        if text.len() >= LINE {
            text.push('…');
            break;
        }
        if character.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[derive(Clone)]
struct Stderr {
    log: GuestLog,
}

impl IsTerminal for Stderr {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stderr {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { log: self.log.clone(), line: Vec::new() })
    }
}

/// Cuts what is written into lines.
struct Lines {
    log: GuestLog,
    line: Vec<u8>,
}

impl Lines {
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.log.write(Level::Info, &String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                // One byte more than fits shows that the line was cut.
                _ if self.line.len() <= LINE => self.line.push(*byte),
                _ => {}
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_line();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_forge_lines() {
        assert_eq!(printable("a\nERROR b\u{1b}[31m"), "a\\nERROR b\\u{1b}[31m");
    }

    #[test]
    fn a_long_line_is_cut() {
        assert_eq!(printable(&"é".repeat(LINE)).chars().count(), LINE / 2 + 1);
    }

    #[test]
    fn a_flood_is_cut_short() {
        let log = GuestLog::new("test".into());
        for _ in 0..1000 {
            log.write(Level::Debug, "again");
        }
        let shared = log.shared.lock().unwrap();
        assert!(shared.written <= LINES && shared.suppressed > 0);
    }
}
