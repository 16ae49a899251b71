//! What is printed.

use crate::child::Usage;
use crate::subject::Target;

/// The best run of one subject.
#[derive(Debug, Clone)]
pub(crate) struct Best {
    subject: String,
    usage: Option<Usage>,
}

impl Best {
    pub(crate) fn new(subject: String) -> Self {
        Self { subject, usage: None }
    }

    /// Keeps this run if it is better: noise only adds processor time.
    pub(crate) fn add(&mut self, usage: Usage) {
        if self.usage.is_none_or(|best| usage.cpu_seconds < best.cpu_seconds) {
            self.usage = Some(usage);
        }
    }
}

/// The heads of the columns, where so many subjects are what the others are compared with.
pub(crate) fn heading(references: usize) {
    println!(
        "{:>6}  {:<28}{:>12}{:>10}{:>19}{:>width$}{:>10}",
        "shards",
        "",
        "events/s",
        "MB/s",
        "CPU s per million",
        if references == 1 { "ratio" } else { "ratios" },
        "peak MiB",
        width = 7 * references,
    );
}

/// One line for each subject; the first `references` are what the others are compared with.
pub(crate) fn table(target: &Target, subjects: &[Best], references: usize) {
    let cpu = |usage: Usage| usage.cpu_seconds / target.events as f64 * 1e6;
    let compared: Vec<f64> = subjects.iter().take(references).map(|best| best.usage.map_or(f64::NAN, cpu)).collect();
    for Best { subject, usage } in subjects {
        let Some(usage) = *usage else { continue };
        let seconds = usage.wall.as_secs_f64();
        let ratios: String = compared.iter().map(|reference| format!("{:>7.2}", cpu(usage) / reference)).collect();
        println!(
            "{:>6}  {subject:<28}{:>12.0}{:>10.0}{:>19.2}{ratios}{:>10.1}",
            target.shards,
            target.events as f64 / seconds,
            target.payload_bytes as f64 / seconds / 1e6,
            cpu(usage),
            usage.peak_memory as f64 / f64::from(1 << 20),
        );
    }
    println!();
}
