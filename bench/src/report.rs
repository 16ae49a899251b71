//! What is printed.

use crate::child::Usage;
use crate::subject::Subject;

/// The best run of one subject.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What it used.
    pub(crate) usage: Usage,
    /// For how many events.
    pub(crate) events: u64,
}

/// The heads of the columns.
pub(crate) fn heading() {
    println!(
        "{:>6}  {:<28}{:>12}{:>10}{:>19}{:>13}{:>10}",
        "shards", "", "events/s", "MB/s", "CPU s per million", "ratios", "peak MiB"
    );
}

/// One line for each subject; the first two are what the others are compared with.
pub(crate) fn table(shards: u32, payload_bytes: u64, subjects: &[Subject], rows: &[Option<Row>]) {
    let floor = |index: usize| rows.get(index).and_then(Option::as_ref).map_or(f64::NAN, cpu_per_million);
    for (subject, row) in subjects.iter().zip(rows) {
        let Some(row) = row else { continue };
        let seconds = row.usage.wall.as_secs_f64();
        println!(
            "{shards:>6}  {subject:<28}{:>12.0}{:>10.0}{:>19.2}{:>7.2}{:>6.2}{:>10.1}",
            row.events as f64 / seconds,
            payload_bytes as f64 / seconds / 1e6,
            cpu_per_million(row),
            cpu_per_million(row) / floor(0),
            cpu_per_million(row) / floor(1),
            row.usage.peak_memory as f64 / f64::from(1 << 20),
        );
    }
    println!();
}

fn cpu_per_million(row: &Row) -> f64 {
    row.usage.cpu_seconds / row.events as f64 * 1e6
}
