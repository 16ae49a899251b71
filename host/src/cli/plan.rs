//! `gateway plan`: what a start would cost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::args::PlanArguments;
use super::process;
use crate::config::{Config, Flags, format_duration};
use crate::run::Forecast;

/// Writes to STDOUT what a start would cost now. Exit code 3 if shards would wait for session starts.
pub(super) fn run(flags: &Flags, arguments: &PlanArguments) -> anyhow::Result<ExitCode> {
    let loaded = Config::load_from_process(flags)?;
    let _log = crate::telemetry::log::init(loaded.config.log.level, loaded.config.log.format)?;
    let forecast = process::block_on(Forecast::ask(&loaded.config))?;
    let text = if arguments.json { format!("{:#}\n", as_json(&forecast)) } else { as_text(&forecast) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if forecast.is_affordable() { ExitCode::SUCCESS } else { ExitCode::from(WOULD_WAIT) })
}

/// Shards would wait until Discord gives new session starts.
const WOULD_WAIT: u8 = 3;

fn as_json(forecast: &Forecast) -> Value {
    let limit = forecast.limit;
    let shards = |ids: Vec<u32>| json!({ "count": ids.len(), "ids": ids });
    let held = forecast.held.iter().map(
        |(shard, (in_a_row, wait))| json!({ "shard": shard.0, "in_a_row": in_a_row, "wait_seconds": wait.as_secs_f64() }),
    );
    json!({
        "shard_count": forecast.shard_count,
        "shards": forecast.shards,
        "resuming": shards(forecast.resuming.keys().map(|shard| shard.0).collect()),
        "oldest_session_seconds": forecast.resuming.values().flatten().max().map(Duration::as_secs),
        "identifying": shards(forecast.identifying.iter().map(|shard| shard.0).collect()),
        "session_starts": {
            "total": limit.total,
            "remaining": limit.remaining,
            "remaining_after": left_after(forecast),
            "reserve": forecast.reserve,
            "max_concurrency": limit.max_concurrency,
            "reset_after_seconds": limit.reset_after.as_secs_f64(),
        },
        "waves": forecast.waves,
        "last_identify_seconds": forecast.last_identify.map(|time| time.as_secs_f64()),
        "waiting_for_session_starts": forecast.waiting,
        "recorded": forecast.has_ledger.then_some(&forecast.recorded),
        "held": held.collect::<Vec<_>>(),
        "affordable": forecast.is_affordable(),
    })
}

fn as_text(forecast: &Forecast) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing into a text does not fail.
        let _ = writeln!(text, "{name:<20}{value}");
    };
    let limit = forecast.limit;
    line("shards", format!("{} of {}", forecast.shards, forecast.shard_count));
    line("  resume", resuming(forecast));
    line("  identify", forecast.identifying.len().to_string());
    line(
        "session starts",
        format!(
            "{} of {} left, {} after this start; all again in {}",
            limit.remaining,
            limit.total,
            left_after(forecast),
            shown(limit.reset_after)
        ),
    );
    line("  reserve", format!("{} (identify.reserve)", forecast.reserve));
    line("waves", waves(forecast));
    if forecast.has_ledger {
        line("last 24 hours", recorded(&forecast.recorded));
    } else {
        line("last 24 hours", "no record (shard_store.type is \"memory\")".to_owned());
    }
    for (shard, (in_a_row, wait)) in forecast.held.iter().take(MOST_SHOWN) {
        line("  held back", format!("shard {shard} for {}, after {in_a_row} identifies in a row", shown(*wait)));
    }
    if let Some(more @ 1..) = forecast.held.len().checked_sub(MOST_SHOWN) {
        line("  held back", format!("and {more} more"));
    }
    line("verdict", verdict(forecast));
    text
}

fn resuming(forecast: &Forecast) -> String {
    let count = forecast.resuming.len();
    match (forecast.resuming.values().flatten().min(), forecast.resuming.values().flatten().max()) {
        (Some(youngest), Some(oldest)) if shown(*youngest) != shown(*oldest) => {
            format!("{count}, saved {} to {} ago", shown(*youngest), shown(*oldest))
        }
        (_, Some(age)) => format!("{count}, saved {} ago", shown(*age)),
        _ => count.to_string(),
    }
}

fn waves(forecast: &Forecast) -> String {
    let at_a_time = format!("max_concurrency is {}", forecast.limit.max_concurrency);
    match forecast.last_identify {
        _ if forecast.identifying.is_empty() => "none".to_owned(),
        Some(time) if time.is_zero() => format!("1, at once ({at_a_time})"),
        Some(time) => format!("{}, the last after {} ({at_a_time})", forecast.waves, shown(time)),
        None => format!("never: Discord allows no session starts ({at_a_time})"),
    }
}

fn recorded(recorded: &BTreeMap<String, usize>) -> String {
    let reasons: Vec<_> = recorded.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    match recorded.values().sum::<usize>() {
        0 => "no identifies on record".to_owned(),
        1 => format!("1 identify on record: {}", reasons.join(", ")),
        count => format!("{count} identifies on record: {}", reasons.join(", ")),
    }
}

fn verdict(forecast: &Forecast) -> String {
    let Forecast { waiting, limit, .. } = forecast;
    if forecast.is_affordable() {
        return match forecast.held.len() {
            0 => "ready to start".to_owned(),
            held => format!("ready to start, but {held} shards that identified too often wait at first"),
        };
    }
    let reset = shown(limit.reset_after);
    if limit.remaining == 0 {
        format!("{waiting} shards would wait {reset}, until Discord allows more session starts")
    } else if forecast.reserve > 0 {
        format!(
            "{waiting} shards would wait {reset}, since what is left is the reserve; `gateway --spend-reserve` takes it"
        )
    } else {
        format!("{waiting} shards would wait {reset}, since too few session starts are left")
    }
}

fn left_after(forecast: &Forecast) -> u32 {
    let spent = forecast.identifying.len().saturating_sub(forecast.waiting);
    forecast.limit.remaining.saturating_sub(u32::try_from(spent).unwrap_or(u32::MAX))
}

/// Rounded up, so that nobody comes too early.
fn shown(time: Duration) -> String {
    format_duration(Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)))
}

/// Shards that are named.
const MOST_SHOWN: usize = 10;
