//! JSON Pointer (RFC 6901).

use std::ops::Range;

use crate::scanner::{Fault, Scanner};

/// A JSON Pointer, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    name: String,
    /// What it means in an array.
    index: Option<usize>,
}

impl Pointer {
    /// `None` if the text is not a JSON Pointer.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self { tokens: Vec::new() });
        }
        let token = |escaped: &str| unescape(escaped).map(|name| Token { index: index(&name), name });
        let tokens = text.strip_prefix('/')?.split('/').map(token).collect::<Option<_>>()?;
        Some(Self { tokens })
    }

    /// Where the member stands in `json`. `None` if there is none, or if the text is no JSON as far as it was looked at. Of equal
    /// keys the first counts.
    #[must_use]
    pub fn find(&self, json: &[u8]) -> Option<Range<usize>> {
        self.walk(&mut Scanner::new(json)).ok().flatten()
    }

    fn walk(&self, scanner: &mut Scanner<'_>) -> Result<Option<Range<usize>>, Fault> {
        for token in &self.tokens {
            let found = match (scanner.token()?, token.index) {
                (b'{', _) => enter_member(scanner, &token.name)?,
                (b'[', Some(index)) => enter_element(scanner, index)?,
                _ => false,
            };
            if !found {
                return Ok(None);
            }
        }
        scanner.skip_value(0).map(Some)
    }
}

/// Goes to the value of a member of the object that has just been opened. False if there is none.
fn enter_member(scanner: &mut Scanner<'_>, name: &str) -> Result<bool, Fault> {
    let mut token = scanner.token()?;
    while token == b'"' {
        let key = scanner.string()?;
        scanner.colon()?;
        if scanner.is(&key, name) {
            return Ok(true);
        }
        scanner.skip_value(0)?;
        token = match scanner.token()? {
            b',' => scanner.token()?,
            _ => return Ok(false),
        };
    }
    Ok(false)
}

/// Goes to an element of the array that has just been opened. False if there is none.
fn enter_element(scanner: &mut Scanner<'_>, index: usize) -> Result<bool, Fault> {
    if scanner.peek()? == b']' {
        return Ok(false);
    }
    for _ in 0..index {
        scanner.skip_value(0)?;
        if scanner.token()? != b',' {
            return Ok(false);
        }
    }
    Ok(true)
}

/// RFC 6901 allows no leading zeros.
fn index(name: &str) -> Option<usize> {
    let canonical = name == "0" || (!name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit()));
    canonical.then(|| name.parse().ok()).flatten()
}

fn unescape(token: &str) -> Option<String> {
    let mut plain = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '~' => match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JSON: &str = r#" {"id":"1","author":{"id":12345678901234567890,"bot":true},"mentions":[{"id":"7"}, [1,2]],
        "a/b":{"~":null},"0":{"x":1},"text":"\"}{\\","\u00e9":1e3,"empty":[], "last" : [ 1 , 2 ] } "#;

    fn get(pointer: &str) -> Option<&'static str> {
        Pointer::parse(pointer)?.find(JSON.as_bytes()).and_then(|range| JSON.get(range))
    }

    #[test]
    fn a_member_comes_as_its_own_text() {
        assert_eq!(get("/id"), Some(r#""1""#));
        assert_eq!(get("/author/id"), Some("12345678901234567890"));
        assert_eq!(get("/mentions/0/id"), Some(r#""7""#));
        assert_eq!(get("/mentions/1"), Some("[1,2]"));
        assert_eq!(get("/mentions/1/1"), Some("2"));
        assert_eq!(get("/a~1b/~0"), Some("null"));
        assert_eq!(get("/0/x"), Some("1"));
        assert_eq!(get("/text"), Some(r#""\"}{\\""#));
        assert_eq!(get("/é"), Some("1e3"));
        assert_eq!(get("/last/1"), Some("2"));
        assert_eq!(get(""), Some(JSON.trim()));
    }

    #[test]
    fn what_is_not_there_is_none() {
        for pointer in [
            "/nothing",
            "/author/id/deeper",
            "/mentions/2",
            "/mentions/01",
            "/mentions/-",
            "id",
            "/~2",
            "/author/",
            "/empty/0",
            "/empty/1",
            "/last/x",
        ] {
            assert_eq!(get(pointer), None, "{pointer}");
        }
    }

    proptest! {
        /// Against serde_json's own pointers.
        #[test]
        fn it_finds_what_serde_json_finds(
            keys in prop::collection::vec("[a-c0-2~/\"é]{0,2}", 1..6),
            pointer in "(/[a-c0-2]{0,2}){0,3}",
        ) {
            let inner: serde_json::Map<String, serde_json::Value> =
                keys.iter().map(|key| (key.clone(), serde_json::json!([key, {"a": keys.len(), "0": [key]}]))).collect();
            let value = serde_json::json!({"a": inner, "0": inner, "b": [inner, 1]});
            let json = value.to_string();
            let found = Pointer::parse(&pointer).unwrap().find(json.as_bytes());
            let found = found.map(|range| serde_json::from_str::<serde_json::Value>(&json[range]).unwrap());
            prop_assert_eq!(found.as_ref(), value.pointer(&pointer));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100), pointer in "(/[a-c0-2]{0,2}){0,3}") {
            if let Some(range) = Pointer::parse(&pointer).unwrap().find(&bytes) {
                prop_assert!(bytes.get(range).is_some());
            }
        }
    }
}
