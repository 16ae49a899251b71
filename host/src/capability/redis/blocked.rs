//! Commands that an adapter may not send.

/// Why a command is refused, if it is.
pub(super) fn refusal(name: &[u8], next: Option<&[u8]>, has_block: bool) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    if BLOCKING.contains(&&*name) || (has_block && MAY_BLOCK.contains(&&*name)) {
        return Some("it would hold up everything behind it");
    }
    if SUBSCRIBING.contains(&&*name) {
        return Some("messages of a subscription cannot reach an adapter");
    }
    if CHANGING.contains(&&*name) {
        return Some("it changes the connection, which others share");
    }
    let is_client_reply =
        name == b"CLIENT" && !next.is_some_and(|next| READING_CLIENT.contains(&&*next.to_ascii_uppercase()));
    is_client_reply.then_some("it changes the connection, which others share")
}

const BLOCKING: [&[u8]; 10] =
    [b"BLPOP", b"BRPOP", b"BRPOPLPUSH", b"BLMOVE", b"BLMPOP", b"BZPOPMIN", b"BZPOPMAX", b"BZMPOP", b"WAIT", b"WAITAOF"];
/// Those that block with the argument `BLOCK`.
const MAY_BLOCK: [&[u8]; 2] = [b"XREAD", b"XREADGROUP"];
const SUBSCRIBING: [&[u8]; 7] =
    [b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE", b"MONITOR"];
const CHANGING: [&[u8]; 15] = [
    b"MULTI",
    b"EXEC",
    b"DISCARD",
    b"WATCH",
    b"UNWATCH",
    b"SELECT",
    b"AUTH",
    b"HELLO",
    b"QUIT",
    b"RESET",
    b"ASKING",
    b"READONLY",
    b"READWRITE",
    b"SYNC",
    b"PSYNC",
];
const READING_CLIENT: [&[u8]; 5] = [b"ID", b"INFO", b"LIST", b"GETNAME", b"HELP"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blocks_or_changes_the_connection_is_refused_however_it_is_spelt() {
        for name in ["blpop", "SUBSCRIBE", "multi", "Select", "AUTH", "hello", "RESET", "client"] {
            assert!(refusal(name.as_bytes(), None, false).is_some(), "{name}");
        }
        assert!(refusal(b"XREAD", Some(b"BLOCK"), true).is_some());
        assert!(refusal(b"CLIENT", Some(b"REPLY"), false).is_some());
        for name in ["XREAD", "SET", "XADD", "EVAL", "PUBLISH"] {
            assert_eq!(refusal(name.as_bytes(), None, false), None, "{name}");
        }
        assert_eq!(refusal(b"client", Some(b"id"), false), None);
    }
}
