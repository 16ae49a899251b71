//! MessagePack, as far as the tests write and read it.

use serde_json::Value;

/// MessagePack that is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Msgpack(pub Vec<u8>);

impl Msgpack {
    /// The head of a map of that many pairs, at most 15. The pairs follow.
    #[must_use]
    pub fn map(mut self, pairs: u8) -> Self {
        self.0.push(0x80 | pairs);
        self
    }

    /// The head of an array of that many elements, at most 15. They follow.
    #[must_use]
    pub fn array(mut self, elements: u8) -> Self {
        self.0.push(0x90 | elements);
        self
    }

    /// A string.
    #[must_use]
    pub fn string(mut self, text: &str) -> Self {
        self.0.push(0xdb);
        self.0.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    /// A binary.
    #[must_use]
    pub fn binary(mut self, bytes: &[u8]) -> Self {
        self.0.push(0xc6);
        self.0.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        self.0.extend(bytes);
        self
    }

    /// A JSON value as MessagePack's own types.
    #[must_use]
    pub fn value(mut self, value: &Value) -> Self {
        match value {
            Value::Null => self.0.push(0xc0),
            Value::Bool(value) => self.0.push(0xc2 | u8::from(*value)),
            Value::Number(number) => {
                self.0.push(0xcf);
                self.0.extend(number.as_u64().expect("an unsigned integer").to_be_bytes());
            }
            Value::String(text) => return self.string(text),
            Value::Array(values) => {
                return values.iter().fold(self.array(u8::try_from(values.len()).unwrap()), Self::value);
            }
            Value::Object(members) => {
                let map = self.map(u8::try_from(members.len()).unwrap());
                return members.iter().fold(map, |map, (key, value)| map.string(key).value(value));
            }
        }
        self
    }
}
