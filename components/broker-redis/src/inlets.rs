//! Where commands come from.

use std::time::Duration;

use spectacles_adapter::{Settings, Target};

use crate::FIELD;
use crate::bindings::spectacles::gateway::redis::Consumer;

/// The consumers of a gateway's commands: of `SEND`, and of each of its shards.
///
/// # Errors
/// A text that says which key is wrong, and what is accepted.
pub(crate) fn consumers(settings: &mut Settings) -> Result<Vec<Consumer>, String> {
    let group = settings.group()?;
    let claim_after = settings.message_timeout()?.max(SHORTEST_CLAIM);
    let claim_after = u64::try_from(claim_after.as_millis()).unwrap_or(u64::MAX);
    let consumer = |target: Target| Consumer {
        key: target.to_string(),
        group: group.clone(),
        start: BEGINNING.to_owned(),
        field: FIELD.to_owned(),
        claim_after,
        shard: target.shard(),
    };
    Ok(Target::all(&settings.shards()?.ids).map(consumer).collect())
}

/// A group that is new gets the commands that were sent before there was a gateway.
const BEGINNING: &str = "0";

/// The least that the capability takes.
const SHORTEST_CLAIM: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(key: &str, claim_after: u64, shard: Option<u32>) -> Consumer {
        Consumer { key: key.into(), group: "bot".into(), start: "0".into(), field: "data".into(), claim_after, shard }
    }

    fn read(message_timeout_ms: u64) -> Vec<Consumer> {
        let config = format!(
            r#"{{"group": "bot", "message_timeout_ms": {message_timeout_ms}, "shards": {{"count": 9, "ids": [0, 7]}}}}"#
        );
        consumers(&mut Settings::parse(&config).unwrap()).unwrap()
    }

    #[test]
    fn commands_come_from_send_and_from_a_stream_for_each_shard() {
        let expected =
            [consumer("SEND", 120_000, None), consumer("0", 120_000, Some(0)), consumer("7", 120_000, Some(7))];
        assert_eq!(read(120_000), expected);
    }

    #[test]
    fn nothing_is_claimed_within_its_first_second() {
        assert_eq!(read(1).first(), Some(&consumer("SEND", 1000, None)));
        assert_eq!(read(1001).first(), Some(&consumer("SEND", 1001, None)));
    }
}
