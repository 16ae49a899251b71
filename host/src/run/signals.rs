//! The system's wish that the gateway end.

use std::io;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// Cancels `stop` at the first signal (SIGINT, SIGTERM; on Windows Ctrl-C, Ctrl-Break and the closing console), so that
/// the gateway drains. The second ends the process at once: what is not confirmed then comes again after a restart.
///
/// # Errors
/// If the system takes no handler.
pub fn watch(stop: CancellationToken) -> io::Result<impl Future<Output = ()> + Send> {
    let mut signals = Signals::listen()?;
    Ok(async move {
        let name = signals.next().await;
        tracing::info!("{name}: draining. Once more ends at once");
        stop.cancel();
        let first = Instant::now();
        let name = loop {
            let name = signals.next().await;
            if first.elapsed() >= ONE_WISH {
                break name;
            }
        };
        // Not through the log, whose last lines the end would cut off.
        eprintln!("gateway: {name} again: ending at once. Sessions resume from the last checkpoint");
        std::process::exit(EXIT_INTERRUPTED);
    })
}

/// Signals that come closer together are one: some tools signal a process and then its group.
const ONE_WISH: Duration = Duration::from_millis(300);
/// What shells report for a program that was interrupted.
const EXIT_INTERRUPTED: i32 = 130;

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(windows)]
struct Signals {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
    ctrl_close: tokio::signal::windows::CtrlClose,
    ctrl_shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self {
            ctrl_c: windows::ctrl_c()?,
            ctrl_break: windows::ctrl_break()?,
            ctrl_close: windows::ctrl_close()?,
            ctrl_shutdown: windows::ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.ctrl_c.recv() => "Ctrl-C",
            _ = self.ctrl_break.recv() => "Ctrl-Break",
            _ = self.ctrl_close.recv() => "the console closes",
            _ = self.ctrl_shutdown.recv() => "the system shuts down",
        }
    }
}
