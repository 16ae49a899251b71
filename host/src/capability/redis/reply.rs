//! Answers of the server, as `reply` of wit/redis.wit has them.

use redis::Value;
use thiserror::Error;
use wasmtime::component::{ComponentType, Lower};

/// `reply` of wit/redis.wit.
#[derive(ComponentType, Lower, Debug, PartialEq, Eq)]
#[component(variant)]
pub(super) enum Reply {
    #[component(name = "nil")]
    Nil,
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
    #[component(name = "elements")]
    Elements(Vec<Option<Vec<u8>>>),
}

/// An answer that is too large for a component.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the answer has more than {} MiB: ask for less at a time", GREATEST >> 20)]
pub(super) struct TooLarge;

/// Bytes that an answer may have, with a few for each element.
const GREATEST: usize = 16 << 20;

impl TryFrom<Value> for Reply {
    type Error = TooLarge;

    fn try_from(value: Value) -> Result<Self, TooLarge> {
        let (mut elements, mut size) = (Vec::new(), 0);
        match value {
            Value::Nil => Ok(Self::Nil),
            Value::Int(number) => Ok(Self::Integer(number)),
            value @ (Value::Array(_) | Value::Set(_) | Value::Map(_) | Value::Push { .. }) => {
                flatten(value, &mut elements, &mut size)?;
                Ok(Self::Elements(elements))
            }
            value => {
                flatten(value, &mut elements, &mut size)?;
                Ok(elements.pop().flatten().map_or(Self::Nil, Self::Bytes))
            }
        }
    }
}

/// Depth first. Numbers become their digits.
fn flatten(value: Value, elements: &mut Vec<Option<Vec<u8>>>, size: &mut usize) -> Result<(), TooLarge> {
    let element = match value {
        Value::Array(values) | Value::Set(values) | Value::Push { data: values, .. } => {
            return values.into_iter().try_for_each(|value| flatten(value, elements, size));
        }
        Value::Map(pairs) => {
            let values = pairs.into_iter().flat_map(|(name, value)| [name, value]);
            return values.into_iter().try_for_each(|value| flatten(value, elements, size));
        }
        Value::Nil => None,
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.into_bytes()),
        Value::Okay => Some(b"OK".to_vec()),
        Value::Boolean(is_true) => Some(if is_true { b"1".to_vec() } else { b"0".to_vec() }),
        Value::Double(number) => Some(number.to_string().into_bytes()),
        // Nothing else comes over the protocol's version that is used.
        _ => None,
    };
    *size += size_of::<Option<Vec<u8>>>() + element.as_ref().map_or(0, Vec::len);
    if *size > GREATEST {
        return Err(TooLarge);
    }
    elements.push(element);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &[u8]) -> Result<Reply, TooLarge> {
        redis::parse_redis_value(text).unwrap().try_into()
    }

    #[test]
    fn answers_take_their_form() {
        assert_eq!(reply(b"$-1\r\n"), Ok(Reply::Nil));
        assert_eq!(reply(b":-7\r\n"), Ok(Reply::Integer(-7)));
        assert_eq!(reply(b"+OK\r\n"), Ok(Reply::Bytes(b"OK".to_vec())));
        assert_eq!(reply(b"$1\r\nx\r\n"), Ok(Reply::Bytes(b"x".to_vec())));
        assert_eq!(reply(b"*0\r\n"), Ok(Reply::Elements(Vec::new())));
        let nested = [Some(b"1".to_vec()), None, Some(b"x".to_vec()), Some(b"y".to_vec())];
        assert_eq!(
            reply(b"*3\r\n:1\r\n*2\r\n$-1\r\n*1\r\n$1\r\nx\r\n$1\r\ny\r\n"),
            Ok(Reply::Elements(nested.to_vec()))
        );
    }

    #[test]
    fn a_huge_answer_is_refused() {
        assert_eq!(Reply::try_from(Value::BulkString(vec![0; GREATEST + 1])), Err(TooLarge));
    }
}
