//! Entries of streams, as the server sends them.

use redis::Value;

/// An entry of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its id, as the server writes it.
    pub(super) id: Box<str>,
    /// Names and values in turn; `None` if the entry has been deleted meanwhile.
    fields: Option<Vec<Vec<u8>>>,
}

/// What `XAUTOCLAIM` answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claimed {
    /// Where to go on. `0-0` if this was the end.
    pub(super) cursor: Box<str>,
    pub(super) entries: Vec<Entry>,
}

/// An answer that is not what the command is answered with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("Redis answers in a form that is not known")]
pub(super) struct Unreadable;

impl Entry {
    /// Milliseconds since 1970 by the server's clock; 0 for ids that somebody has chosen otherwise.
    pub(super) fn time(&self) -> u64 {
        self.id.split_once('-').and_then(|(time, _)| time.parse().ok()).unwrap_or(0)
    }

    /// The value of a field.
    pub(super) fn into_field(self, name: &str) -> Option<Vec<u8>> {
        let mut fields = self.fields?.into_iter();
        while let (Some(found), value) = (fields.next(), fields.next()) {
            if found == name.as_bytes() {
                return value;
            }
        }
        None
    }

    /// Whether nothing is left of it but its place in the list of what is pending.
    pub(super) fn is_deleted(&self) -> bool {
        self.fields.is_none()
    }
}

/// Entries of a stream, after its key.
type OfStream = (Vec<u8>, Vec<Entry>);

/// Reads the answer to `XREADGROUP`: the entries of each stream that has some.
pub(super) fn read(answer: Value) -> Result<Vec<OfStream>, Unreadable> {
    let streams = match answer {
        Value::Nil => return Ok(Vec::new()),
        answer => array(answer)?,
    };
    streams
        .into_iter()
        .map(|stream| {
            let mut parts = array(stream)?.into_iter();
            let (Some(Value::BulkString(key)), Some(entries)) = (parts.next(), parts.next()) else {
                return Err(Unreadable);
            };
            Ok((key, read_entries(entries)?))
        })
        .collect()
}

/// Reads the answer to `XAUTOCLAIM`. Redis 6.2 sends two parts, with nothing in place of deleted entries; Redis 7 sends their ids as a
/// third one, and forgets them by itself.
pub(super) fn read_claimed(answer: Value) -> Result<Claimed, Unreadable> {
    let mut parts = array(answer)?.into_iter();
    let (Some(cursor), Some(entries)) = (parts.next(), parts.next()) else { return Err(Unreadable) };
    Ok(Claimed { cursor: text(cursor)?, entries: read_entries(entries)? })
}

fn read_entries(value: Value) -> Result<Vec<Entry>, Unreadable> {
    array(value)?.into_iter().filter(|entry| *entry != Value::Nil).map(read_entry).collect()
}

fn read_entry(value: Value) -> Result<Entry, Unreadable> {
    let mut parts = array(value)?.into_iter();
    let (Some(id), Some(fields)) = (parts.next(), parts.next()) else { return Err(Unreadable) };
    let fields = match fields {
        Value::Nil => None,
        fields => Some(array(fields)?.into_iter().map(bytes).collect::<Result<_, _>>()?),
    };
    Ok(Entry { id: text(id)?, fields })
}

fn array(value: Value) -> Result<Vec<Value>, Unreadable> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(Unreadable),
    }
}

fn bytes(value: Value) -> Result<Vec<u8>, Unreadable> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(Unreadable),
    }
}

fn text(value: Value) -> Result<Box<str>, Unreadable> {
    String::from_utf8(bytes(value)?).map(String::into_boxed_str).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).unwrap()
    }

    const ENTRY: &str = "*2\r\n$15\r\n1700000000000-3\r\n*4\r\n$1\r\nx\r\n$1\r\n1\r\n$4\r\ndata\r\n$2\r\n{}\r\n";

    #[test]
    fn the_field_is_found_among_others() {
        let read = read(value(&format!("*1\r\n*2\r\n$4\r\nSEND\r\n*2\r\n{ENTRY}{ENTRY}"))).unwrap();
        let [(key, entries)] = <[_; 1]>::try_from(read).unwrap();
        assert_eq!((&key[..], entries.len()), (&b"SEND"[..], 2));
        for entry in entries {
            assert_eq!((&*entry.id, entry.time()), ("1700000000000-3", 1_700_000_000_000));
            assert_eq!(entry.into_field("data").as_deref(), Some(&b"{}"[..]));
        }
        assert_eq!(super::read(Value::Nil), Ok(Vec::new()));
        assert_eq!(super::read(Value::Okay), Err(Unreadable));
    }

    #[test]
    fn claims_of_redis_6_and_7_are_read() {
        for (parts, rest) in [(2, ""), (3, "*1\r\n$3\r\n1-1\r\n")] {
            let deleted = "$-1\r\n*2\r\n$3\r\n5-0\r\n$-1\r\n";
            let answer = format!("*{parts}\r\n$3\r\n7-0\r\n*3\r\n{ENTRY}{deleted}{rest}");
            let claimed = read_claimed(value(&answer)).unwrap();
            assert_eq!((&*claimed.cursor, claimed.entries.len()), ("7-0", 2));
            assert_eq!(claimed.entries.iter().map(Entry::is_deleted).collect::<Vec<_>>(), [false, true]);
        }
    }
}
