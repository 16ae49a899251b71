//! The log: lines on STDERR, for people or as JSON, written by a thread of their own.
//!
//! Whoever logs never waits for STDERR. If its reader is too slow, lines are left out and their number is logged.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use thiserror::Error;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{LogFormat, LogLevel};

/// Lines that wait for STDERR.
const WAITING: usize = 2048;
/// How long the end of the process waits for STDERR, and how often it looks.
const FLUSH: Duration = Duration::from_secs(2);
const FLUSH_STEP: Duration = Duration::from_millis(5);

/// The crates of this product, by the beginning of their names.
const OWN: [&str; 2] = ["gateway", "spectacles_gateway"];
/// Libraries that print what passes through them, payloads and all. What they find wrong reaches the log through the gateway.
const SILENT: [&str; 3] = ["amq_protocol", "async_rs", "lapin"];
/// Crates whose debug lines are too many to be of use to anybody who debugs a gateway.
const CHATTY: [&str; 4] = ["cranelift", "h2", "regalloc2", "wasmtime"];

/// Why there is no log.
#[derive(Debug, Error)]
pub enum LogError {
    /// The system refuses a thread.
    #[error("cannot start the log's thread: {0}")]
    Thread(#[from] io::Error),
    /// It was started before.
    #[error("the log was started before: {0}")]
    Started(#[from] TryInitError),
}

/// Writes what is logged until it is dropped, which waits a moment until all of it is written.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct LogGuard {
    /// An empty line ends the thread.
    lines: SyncSender<Vec<u8>>,
    finished: Receiver<()>,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let deadline = Instant::now() + FLUSH;
        while let Err(TrySendError::Full(_)) = self.lines.try_send(Vec::new()) {
            if Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(FLUSH_STEP);
        }
        // Ends with the thread, or with the deadline if STDERR does not move: the process must end all the same.
        let _ = self.finished.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Starts the log of the process, on STDERR; text has colours on a terminal, unless `NO_COLOR` is set. Keep the guard until the end of `main`.
///
/// # Errors
/// If it was started before, or the system refuses a thread.
pub fn init(level: LogLevel, format: LogFormat) -> Result<LogGuard, LogError> {
    let (queue, guard) = start_writer(io::stderr(), format)?;
    subscriber(level, format, has_colours(), queue).try_init()?;
    Ok(guard)
}

/// <https://no-color.org>
fn has_colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    // A console of Windows must be told to show them; elsewhere there is nothing to tell.
    io::stderr().is_terminal() && !unwanted && !dumb && anstyle_query::windows::enable_ansi_colors().unwrap_or(true)
}

fn subscriber(
    level: LogLevel,
    format: LogFormat,
    colours: bool,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> Box<dyn Subscriber + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    let layer = match format {
        LogFormat::Text => layer.with_target(level == LogLevel::Debug).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    };
    Box::new(tracing_subscriber::registry().with(targets(level)).with(layer))
}

/// Libraries may warn, and say more only when everything is wanted.
fn targets(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Suppress => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let quiet = own.min(LevelFilter::WARN);
    let others = if level == LogLevel::Debug { own } else { quiet };
    Targets::new()
        .with_default(others)
        .with_targets(CHATTY.map(|name| (name, quiet)))
        .with_targets(SILENT.map(|name| (name, LevelFilter::OFF)))
        .with_targets(OWN.map(|name| (name, own)))
}

/// Where lines wait for the thread.
#[derive(Debug, Clone)]
struct Queue {
    lines: SyncSender<Vec<u8>>,
    left_out: Arc<AtomicU64>,
}

impl Write for &Queue {
    /// Takes one whole line, which is how they are formatted.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let (false, Err(TrySendError::Full(_))) = (line.is_empty(), self.lines.try_send(line.to_vec())) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

fn start_writer(output: impl Write + Send + 'static, format: LogFormat) -> io::Result<(Queue, LogGuard)> {
    let (lines, waiting) = sync_channel(WAITING);
    let left_out = Arc::new(AtomicU64::new(0));
    let queue = Queue { lines: lines.clone(), left_out: Arc::clone(&left_out) };
    let (finish, finished) = sync_channel(1);
    std::thread::Builder::new().name("log".into()).spawn(move || {
        write_lines(&waiting, &left_out, output, format);
        // The guard may have given up.
        let _ = finish.send(());
    })?;
    Ok((queue, LogGuard { lines, finished }))
}

/// A log that cannot be written is no reason to end, and there is nowhere to say it.
fn write_lines(waiting: &Receiver<Vec<u8>>, left_out: &AtomicU64, mut output: impl Write, format: LogFormat) {
    while let Ok(line) = waiting.recv()
        && !line.is_empty()
    {
        let _ = output.write_all(&line);
        let number = left_out.swap(0, Ordering::Relaxed);
        if number > 0 {
            let _ = output.write_all(left_out_line(number, format).as_bytes());
        }
    }
    let _ = output.flush();
}

fn left_out_line(number: u64, format: LogFormat) -> String {
    let message = format!("{number} log lines were left out: STDERR is not read fast enough");
    match format {
        LogFormat::Text => format!("WARN {message}\n"),
        LogFormat::Json => format!("{{\"level\":\"WARN\",\"message\":\"{message}\"}}\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// An output that can be held shut.
    #[derive(Clone, Default)]
    struct Output {
        state: Arc<Mutex<State>>,
        opened: Arc<Condvar>,
    }

    #[derive(Default)]
    struct State {
        shut: bool,
        written: Vec<u8>,
    }

    impl Output {
        fn shut(&self, shut: bool) {
            self.state.lock().unwrap().shut = shut;
            self.opened.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.state.lock().unwrap().written.clone()).unwrap()
        }
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.opened.wait_while(self.state.lock().unwrap(), |state| state.shut).unwrap();
            state.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, format: LogFormat, log: impl FnOnce()) -> String {
        let output = Output::default();
        let (queue, guard) = start_writer(output.clone(), format).unwrap();
        tracing::subscriber::with_default(subscriber(level, format, false, queue), log);
        drop(guard);
        output.text()
    }

    #[test]
    fn a_level_shows_itself_and_what_is_worse() {
        let lines = |level| {
            let log = || {
                tracing::error!("one");
                tracing::warn!("two");
                tracing::info!("three");
                tracing::debug!("four");
            };
            logged(level, LogFormat::Text, log).lines().count()
        };
        let levels = [LogLevel::Suppress, LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug];
        assert_eq!(levels.map(lines), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn libraries_only_warn_unless_everything_is_wanted() {
        let lines = |level| {
            let log = || {
                tracing::warn!(target: "hyper::client", "one");
                tracing::info!(target: "hyper::client", "two");
                tracing::debug!(target: "cranelift_codegen", "three");
                tracing::error!(target: "lapin::channel", "a payload");
            };
            logged(level, LogFormat::Text, log).lines().count()
        };
        assert_eq!([LogLevel::Error, LogLevel::Info, LogLevel::Debug].map(lines), [0, 1, 2]);
    }

    #[test]
    fn text_has_level_message_and_fields_and_no_colours_in_a_file() {
        let text = logged(LogLevel::Info, LogFormat::Text, || tracing::warn!(shard = 3, "reconnecting"));
        assert!(text.ends_with(" WARN reconnecting shard=3\n"), "{text:?}");
    }

    #[test]
    fn json_is_one_object_a_line_whatever_the_message_holds() {
        let text = logged(LogLevel::Info, LogFormat::Json, || tracing::info!(shard = 3, "a \"quote\"\nand a line"));
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "a \"quote\"\nand a line");
        assert_eq!((&line["level"], &line["shard"]), (&"INFO".into(), &3.into()));
        assert!(line["timestamp"].is_string() && line["target"].is_string());
    }

    #[test]
    fn an_output_that_does_not_move_never_blocks_and_lines_left_out_are_counted() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let output = Output::default();
            output.shut(true);
            let (queue, guard) = start_writer(output.clone(), format).unwrap();
            for _ in 0..WAITING + 100 {
                (&queue).write_all(b"{}\n").unwrap();
            }
            let left_out = queue.left_out.load(Ordering::Relaxed);
            assert!((99..=100).contains(&left_out), "the thread may hold one line: {left_out}");
            output.shut(false);
            drop(guard);
            assert!(output.text().contains(&format!("{left_out} log lines were left out")));
            assert_eq!(
                output.text().lines().filter(|line| *line == "{}").count() as u64,
                WAITING as u64 + 100 - left_out
            );
        }
    }
}
