//! JSON to MessagePack, without a tree in between.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error, MapAccess, SeqAccess, Visitor};

/// Turns one JSON text into one MessagePack value. Objects become maps in the same order, numbers the smallest form that holds
/// them. Whole numbers beyond 64 bits become floats.
///
/// # Errors
/// If it is no JSON text, or nested deeper than 127 levels, or has a number beyond a 64-bit float.
pub(super) fn to_msgpack(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(json.len());
    let mut reader = serde_json::Deserializer::from_slice(json);
    reader.deserialize_any(Writer(&mut out))?;
    reader.end()?;
    Ok(out)
}

/// Writes the value that it is shown.
struct Writer<'a>(&'a mut Vec<u8>);

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push(0xc0);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.push(0xc2 + u8::from(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let [.., fourth, third, second, first] = value.to_be_bytes();
        match value {
            0..=0x7f => self.0.push(first),
            0x80..=0xff => self.0.extend([0xcc, first]),
            0x100..=0xffff => self.0.extend([0xcd, second, first]),
            0x1_0000..=0xffff_ffff => self.0.extend([0xce, fourth, third, second, first]),
            _ => with_head(self.0, 0xcf, &value.to_be_bytes()),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        let [.., fourth, third, second, first] = value.to_be_bytes();
        match value {
            0.. => return self.visit_u64(value.unsigned_abs()),
            -0x20..0 => self.0.push(first),
            -0x80..-0x20 => self.0.extend([0xd0, first]),
            -0x8000..-0x80 => self.0.extend([0xd1, second, first]),
            -0x8000_0000..-0x8000 => self.0.extend([0xd2, fourth, third, second, first]),
            _ => with_head(self.0, 0xd3, &value.to_be_bytes()),
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        with_head(self.0, 0xcb, &value.to_be_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let length = u32::try_from(text.len()).map_err(|_| E::custom("a string is longer than MessagePack can say"))?;
        msgpack_scan::push_string_head(self.0, length);
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let start = self.0.len();
        let mut count = 0;
        while elements.next_element_seed(Element(self.0))?.is_some() {
            count += 1;
        }
        put_head(self.0, start, 0x90, 0xdc, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let start = self.0.len();
        let mut count = 0;
        while members.next_key_seed(Element(self.0))?.is_some() {
            members.next_value_seed(Element(self.0))?;
            count += 1;
        }
        put_head(self.0, start, 0x80, 0xde, count);
        Ok(())
    }
}

/// A value inside another.
struct Element<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(Writer(self.0))
    }
}

fn with_head(out: &mut Vec<u8>, head: u8, bytes: &[u8]) {
    out.push(head);
    out.extend_from_slice(bytes);
}

/// Puts the head of a container before what has been written since `start`. JSON does not say how many elements come.
fn put_head(out: &mut Vec<u8>, start: usize, short: u8, long: u8, count: u32) {
    let [.., fourth, third, second, first] = count.to_be_bytes();
    match count {
        0..=15 => drop(out.splice(start..start, [short | first])),
        16..=0xffff => drop(out.splice(start..start, [long, second, first])),
        _ => drop(out.splice(start..start, [long + 1, fourth, third, second, first])),
    }
}

#[cfg(test)]
mod tests {
    use msgpack_scan::{Reader, Token};

    use super::*;

    #[test]
    fn every_kind_of_value_has_its_shortest_form() {
        for (json, expected) in [
            ("null", &[0xc0][..]),
            ("[true,false]", &[0x92, 0xc3, 0xc2]),
            ("127", &[0x7f]),
            ("128", &[0xcc, 0x80]),
            ("65535", &[0xcd, 0xff, 0xff]),
            ("65536", &[0xce, 0, 1, 0, 0]),
            ("18446744073709551615", &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255]),
            ("-32", &[0xe0]),
            ("-33", &[0xd0, 0xdf]),
            ("-129", &[0xd1, 0xff, 0x7f]),
            ("-32769", &[0xd2, 0xff, 0xff, 0x7f, 0xff]),
            ("-2147483649", &[0xd3, 255, 255, 255, 255, 0x7f, 255, 255, 255]),
            ("0.5", &[0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0]),
            (r#""\u00e9\n""#, &[0xa3, 0xc3, 0xa9, 0x0a]),
            (r#" { "b" : [ ] , "a" : { } } "#, &[0x82, 0xa1, b'b', 0x90, 0xa1, b'a', 0x80]),
        ] {
            assert_eq!(to_msgpack(json.as_bytes()).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn heads_of_large_containers_count_right() {
        for count in [15_usize, 16, 65_535, 65_536] {
            let json = format!("[{}]", vec!["0"; count].join(","));
            let bytes = to_msgpack(json.as_bytes()).unwrap();
            let mut reader = Reader::new(&bytes);
            assert!(matches!(reader.token().unwrap(), Token::Array(announced) if announced as usize == count));
            for _ in 0..count {
                reader.token().unwrap();
            }
            assert!(reader.is_at_end());
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for json in ["", "{", "1 2", "{1:2}", "1e999", &"[".repeat(200)] {
            assert!(to_msgpack(json.as_bytes()).is_err(), "{json}");
        }
    }
}
