//! A server as a process.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;

use crate::log::{Log, LogWriter};

/// A server that runs below a shell, which kills it and removes its folder when this process is gone or drops it.
///
/// No test's runtime is needed for it: one server may serve several tests.
pub(super) struct Server {
    guard: Child,
    orders: Option<ChildStdin>,
    name: String,
    log: Log,
}

impl Server {
    /// Starts `command`, whose program, arguments and environment are taken over, in `folder`.
    pub(super) fn start(command: &Command, folder: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", GUARD, "guard"]).arg(folder).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        // A Ctrl-C that ends the tests is not to end the guard.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        shell.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut guard = shell.spawn().expect("sh cannot be started");
        let (writer, log) = Log::new();
        let writer = Arc::new(writer);
        collect(guard.stdout.take().unwrap(), Arc::clone(&writer));
        collect(guard.stderr.take().unwrap(), writer);
        let orders = guard.stdin.take();
        Self { guard, orders, name: command.get_program().display().to_string(), log }
    }

    /// Waits until it writes a line that holds `part`.
    pub(super) async fn says(&self, part: &str) {
        if self.log.find(part).await.is_none() {
            panic!("{} did not say {part:?}. What it said:\n{}", self.name, self.log.text());
        }
    }

    /// Stops it where it is, as if the machine hung; `CONT` lets it go on.
    pub(super) fn signal(&mut self, signal: &str) {
        self.order(signal);
    }

    /// Ends it by `TERM` or `KILL`. Its folder stays.
    pub(super) async fn end(mut self, signal: &str) {
        self.order(signal);
        self.log.end().await;
        self.guard.wait().unwrap();
    }

    fn order(&mut self, signal: &str) {
        let orders = self.orders.as_mut().expect("it has been dropped");
        orders.write_all(format!("{signal}\n").as_bytes()).expect("its guard is gone");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.guard.wait();
    }
}

fn collect(output: impl Read + Send + 'static, log: Arc<LogWriter>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            log.push(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            line.clear();
        }
    });
}

/// Runs the command that follows the folder, in its background, where a shell gives it an empty STDIN. The pipes of its output
/// are left to it, so that their end is its own.
const GUARD: &str = r#"
folder=$1
shift
"$@" &
exec >&- 2>&-
while read -r signal; do
    kill -s "$signal" $!
    case $signal in
        STOP | CONT) ;;
        *) wait; exit ;;
    esac
done
kill -s KILL $!
wait
rm -rf "$folder"
"#;
