//! Which shards this gateway runs.

use std::num::NonZeroU32;
use std::time::Duration;

use gateway_protocol::ShardId;

use super::scope::Scope;
use super::value::{Given, Value};

/// Which shards of how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shards {
    /// All of as many as Discord recommends.
    Recommended,
    /// All of a fixed number.
    All {
        /// The number of shards.
        count: NonZeroU32,
    },
    /// Some of a fixed number; other gateways run the rest.
    Subset {
        /// The number of shards of all gateways.
        count: NonZeroU32,
        /// Those that this gateway runs: at least one, in order, each below `count`.
        ids: Vec<ShardId>,
    },
}

/// Reads `[shards]`.
pub(super) fn read(scope: &mut Scope<'_>) -> Shards {
    let valid_count = scope.given("shards.count").is_none();
    let count = scope.integer("shards.count", 0..=MOST_SHARDS, ", 0 to ask Discord");
    let valid_count = valid_count || count.is_some();
    let entries = scope.list("shards.ids", ACCEPTED).unwrap_or_default();
    let Some(count) = NonZeroU32::new(count.unwrap_or(0)) else {
        if let Some(first) = entries.first().filter(|_| valid_count) {
            let given = Given { value: Value::List(entries.clone()), place: first.place.clone() };
            scope.refuse(
                "shards.ids",
                &given,
                "needs shards.count",
                "shards.ids together with shards.count, the number of all shards",
            );
        }
        return Shards::Recommended;
    };
    let mut ids: Vec<u32> = Vec::new();
    for entry in &entries {
        let Some((first, last)) = parse_ids(&entry.value) else {
            scope.refuse("shards.ids", entry, "is no shard", ACCEPTED);
            continue;
        };
        if last >= count.get() {
            let accepted = format!("ids from 0 to {}, because shards.count is {count}", count.get() - 1);
            scope.refuse("shards.ids", entry, "is out of range", &accepted);
            continue;
        }
        if let Some(twice) = ids.iter().find(|id| (first..=last).contains(id)) {
            scope.refuse("shards.ids", entry, &format!("names shard {twice} again"), "each shard once");
            continue;
        }
        ids.extend(first..=last);
    }
    ids.sort_unstable();
    match ids.len() {
        0 => Shards::All { count },
        len if len == count.get() as usize => Shards::All { count },
        _ => Shards::Subset { count, ids: ids.into_iter().map(ShardId).collect() },
    }
}

/// Reads `shards.silence`; `None` is for ever.
pub(super) fn read_silence(scope: &mut Scope<'_>) -> Option<Duration> {
    let silence = scope.duration("shards.silence", Duration::ZERO..=Duration::from_secs(24 * 3600));
    Some(silence.unwrap_or(Duration::from_secs(60))).filter(|silence| !silence.is_zero())
}

/// The first and the last of the shards of one entry: `3`, `"3"` or `"0-7"`.
fn parse_ids(value: &Value) -> Option<(u32, u32)> {
    let text = match value {
        Value::Integer(id) => return u32::try_from(*id).ok().map(|id| (id, id)),
        Value::Text(text) => text,
        _ => return None,
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

/// More than any bot has; keeps a slip of the finger from filling the memory.
const MOST_SHARDS: u32 = 100_000;
const ACCEPTED: &str = "a list of ids and ranges such as [0, 1, \"4-7\"]";
