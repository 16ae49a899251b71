//! The process as the system sees it: the `process_*` families of Prometheus' client libraries.
//! Read from `/proc`; where there is none, the families are missing.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts, Result};

/// The unit of `/proc`'s times. The kernel's interface fixes it at 100 on every architecture that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The families, brought up to date at each scrape.
#[derive(Debug)]
pub(super) struct ProcessFigures {
    cpu_seconds: Counter,
    open_files: Gauge,
    max_files: Gauge,
    virtual_memory: Gauge,
    virtual_memory_max: Gauge,
    resident_memory: Gauge,
    start_time: Gauge,
}

impl ProcessFigures {
    pub(super) fn new() -> Result<Self> {
        let gauge = |name, help| Gauge::with_opts(Opts::new(name, help));
        let cpu = Opts::new("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
        Ok(Self {
            cpu_seconds: Counter::with_opts(cpu)?,
            open_files: gauge("process_open_fds", "Number of open file descriptors.")?,
            max_files: gauge("process_max_fds", "Maximum number of open file descriptors.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            virtual_memory_max: gauge(
                "process_virtual_memory_max_bytes",
                "Maximum amount of virtual memory available in bytes.",
            )?,
            resident_memory: gauge("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            start_time: gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")?,
        })
    }

    fn collectors(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu_seconds,
            &self.open_files,
            &self.max_files,
            &self.virtual_memory,
            &self.virtual_memory_max,
            &self.resident_memory,
            &self.start_time,
        ]
    }

    /// `None` where the system does not tell.
    fn update(&self) -> Option<()> {
        let times = Times::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
        self.cpu_seconds.inc_by((times.cpu_seconds - self.cpu_seconds.get()).max(0.0));
        self.start_time.set(boot_time(&fs::read_to_string("/proc/stat").ok()?)? + times.started);
        let status = fs::read_to_string("/proc/self/status").ok()?;
        self.virtual_memory.set(memory(&status, "VmSize:")?);
        self.resident_memory.set(memory(&status, "VmRSS:")?);
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        self.max_files.set(soft_limit(&limits, "Max open files")?);
        self.virtual_memory_max.set(soft_limit(&limits, "Max address space")?);
        // One of them is the listing itself.
        self.open_files.set(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64);
        Some(())
    }
}

impl Collector for ProcessFigures {
    fn desc(&self) -> Vec<&Desc> {
        self.collectors().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        match self.update() {
            Some(()) => self.collectors().into_iter().flat_map(Collector::collect).collect(),
            None => Vec::new(),
        }
    }
}

/// From `/proc/self/stat`, in seconds; the start counted from the system's boot.
#[derive(Debug, PartialEq)]
struct Times {
    cpu_seconds: f64,
    started: f64,
}

impl Times {
    fn parse(stat: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        // proc(5) counts from 1, and the first field here is the third.
        let seconds = |number: usize| Some(fields.get(number - 3)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Self { cpu_seconds: seconds(14)? + seconds(15)?, started: seconds(22)? })
    }
}

/// Seconds since the epoch.
fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Bytes; the file has kibibytes.
fn memory(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// No limit is the largest number, as in the original.
fn soft_limit(limits: &str, name: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX as f64),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat =
            "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 12345 1000000 200 18446744073709551615";
        assert_eq!(Times::parse(stat), Some(Times { cpu_seconds: 3.0, started: 123.45 }));
    }

    #[test]
    fn limits_and_memory_are_read_in_their_units() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\nMax address space  unlimited  unlimited  bytes\n";
        assert_eq!(soft_limit(limits, "Max open files"), Some(1024.0));
        assert_eq!(soft_limit(limits, "Max address space"), Some(u64::MAX as f64));
        assert_eq!(memory("Name:\tx\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2_097_152.0));
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000.0));
    }

    #[test]
    fn garbage_is_no_figure() {
        for text in ["", ")", "1 (x) S 1 2", "Max open files"] {
            assert_eq!((Times::parse(text), soft_limit(text, "Max open files")), (None, None));
        }
    }
}
