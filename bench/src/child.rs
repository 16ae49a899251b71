//! A measured process: what it writes is counted and thrown away, what it used is read from the system.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Clock ticks in a second in /proc (`USER_HZ`), the same on all Linux systems.
const TICKS: f64 = 100.0;
/// Bytes taken from the pipe at a time.
const CHUNK: usize = 1 << 20;

/// What a process used until it had written what was expected of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Processor time.
    pub(crate) cpu_seconds: f64,
    /// From the first event to the last.
    pub(crate) wall: Duration,
    /// The largest resident memory, in bytes.
    pub(crate) peak_memory: u64,
}

/// A running process with a pipe at its STDOUT.
pub(crate) struct Measured {
    child: Child,
}

impl Measured {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("the process cannot be started")?;
        Ok(Self { child })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads its STDOUT until `lines` lines have come.
    pub(crate) fn read_lines(&mut self, lines: u64) -> anyhow::Result<Usage> {
        let mut output = self.child.stdout.take().context("STDOUT was read already")?;
        let mut buffer = vec![0; CHUNK];
        let mut seen = 0;
        let mut started = None;
        while seen < lines {
            let count = output.read(&mut buffer)?;
            if count == 0 {
                bail!("the process ended after {seen} of {lines} lines");
            }
            started.get_or_insert_with(Instant::now);
            seen += buffer.iter().take(count).filter(|byte| **byte == b'\n').count() as u64;
        }
        let wall = started.map(|started| started.elapsed()).unwrap_or_default();
        self.child.stdout = Some(output);
        self.usage(wall)
    }

    /// What it used up to now, in a time that was measured elsewhere.
    pub(crate) fn usage(&self, wall: Duration) -> anyhow::Result<Usage> {
        Ok(Usage { cpu_seconds: cpu_seconds(self.id())?, wall, peak_memory: memory(self.id(), "VmHWM:")? })
    }

    /// Its resident memory now, in bytes.
    pub(crate) fn resident_memory(&self) -> anyhow::Result<u64> {
        memory(self.id(), "VmRSS:")
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Tells it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status()?;
        if !status.success() {
            bail!("the process ended before it was told to");
        }
        // A full pipe would keep it from draining.
        if let Some(mut output) = self.child.stdout.take() {
            std::io::copy(&mut output, &mut std::io::sink())?;
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // It has ended already after `stop`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cpu_seconds(process: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| {
        fields.get(index).and_then(|field| field.parse::<f64>().ok()).context("/proc is not as expected")
    };
    // Fields 14 and 15 of proc_pid_stat(5): user and system time; the state, field 3, is the first here.
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

fn memory(process: u32, key: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with(key)).context("/proc is not as expected")?;
    let kibibytes: u64 =
        line.split_whitespace().nth(1).and_then(|field| field.parse().ok()).context("/proc is not as expected")?;
    Ok(kibibytes << 10)
}
