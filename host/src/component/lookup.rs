//! Finds one member of a JSON text without building a tree, and remembers what was found.

use std::collections::HashMap;
use std::ops::Range;

use sonic_rs::PointerNode;

/// A JSON Pointer (RFC 6901), taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<String>,
}

impl Pointer {
    /// `None` if the text is not a JSON Pointer.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self { tokens: Vec::new() });
        }
        let tokens = text.strip_prefix('/')?.split('/').map(unescape).collect::<Option<_>>()?;
        Some(Self { tokens })
    }

    /// Where the member stands in `json`, which must be a JSON text.
    #[must_use]
    pub fn find(&self, json: &[u8]) -> Option<Range<usize>> {
        // Whether a number names a member or an element is known only when the value is met. Elements are the usual case.
        let path: Vec<PointerNode> =
            self.tokens.iter().map(|token| element(token).unwrap_or_else(|| member(token))).collect();
        let numeric = path.iter().any(|node| matches!(node, PointerNode::Index(_)));
        match subslice(json, &path) {
            None if numeric => self.find_stepwise(json),
            found => found,
        }
    }

    fn find_stepwise(&self, json: &[u8]) -> Option<Range<usize>> {
        let mut range = 0..json.len();
        for token in &self.tokens {
            let value = json.get(range.clone())?;
            let node = match value.iter().find(|byte| !byte.is_ascii_whitespace())? {
                b'[' => element(token)?,
                _ => member(token),
            };
            let inner = subslice(value, &[node])?;
            range = range.start + inner.start..range.start + inner.end;
        }
        Some(range)
    }
}

fn member(token: &str) -> PointerNode {
    PointerNode::Key(token.to_owned().into())
}

/// RFC 6901 allows no leading zeros.
fn element(token: &str) -> Option<PointerNode> {
    let canonical = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    canonical.then(|| token.parse().ok().map(PointerNode::Index)).flatten()
}

fn subslice(json: &[u8], path: &[PointerNode]) -> Option<Range<usize>> {
    let found = sonic_rs::get_from_slice(json, path).ok()?;
    let text = found.as_raw_str().trim_ascii();
    let start = (text.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
    let range = start..start + text.len();
    json.get(range.clone())?;
    Some(range)
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

/// How many different pointers are remembered. Components use a handful; one that makes them up gains nothing.
const POINTERS: usize = 256;

/// What has been looked up in the events of one batch, so that no member is scanned for twice.
#[derive(Debug, Default)]
pub struct Lookups {
    pointers: HashMap<Box<str>, (u32, Option<Pointer>)>,
    found: HashMap<(u32, u32), Option<Range<usize>>>,
}

impl Lookups {
    /// Where `pointer` points in `json`, the payload of the event at `position` of the batch.
    pub fn find(&mut self, position: u32, json: &[u8], pointer: &str) -> Option<Range<usize>> {
        if self.pointers.len() >= POINTERS && !self.pointers.contains_key(pointer) {
            self.pointers.clear();
            self.found.clear();
        }
        if !self.pointers.contains_key(pointer) {
            let number = u32::try_from(self.pointers.len()).unwrap_or(u32::MAX);
            self.pointers.insert(pointer.into(), (number, Pointer::parse(pointer)));
        }
        let (number, parsed) = self.pointers.get(pointer)?;
        let parsed = parsed.as_ref()?;
        self.found.entry((position, *number)).or_insert_with(|| parsed.find(json)).clone()
    }

    /// Forgets the findings, for a new batch. Known pointers stay.
    pub fn start_batch(&mut self) {
        self.found.clear();
    }

    /// Forgets the findings in one event, whose payload has changed.
    pub fn forget(&mut self, position: u32) {
        self.found.retain(|(event, _), _| *event != position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#" {"id":"1","author":{"id":12345678901234567890,"bot":true},"mentions":[{"id":"7"}, [1,2]],
        "a/b":{"~":null},"0":{"x":1},"text":"\"}{\\","é":1e3} "#;

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
        assert_eq!(get(""), Some(JSON.trim()));
    }

    #[test]
    fn what_is_not_there_is_none() {
        for pointer in
            ["/nothing", "/author/id/deeper", "/mentions/2", "/mentions/01", "/mentions/-", "id", "/~2", "/author/"]
        {
            assert_eq!(get(pointer), None, "{pointer}");
        }
    }

    #[test]
    fn a_replaced_payload_is_scanned_again() {
        let mut lookups = Lookups::default();
        assert_eq!(lookups.find(3, br#"{"a":1}"#, "/a"), Some(5..6));
        assert_eq!(lookups.find(3, br#"{"b":0,"a":2}"#, "/a"), Some(5..6));
        lookups.forget(3);
        assert_eq!(lookups.find(3, br#"{"b":0,"a":2}"#, "/a"), Some(11..12));
    }

    #[test]
    fn made_up_pointers_do_not_pile_up() {
        let mut lookups = Lookups::default();
        for number in 0..10_000 {
            lookups.find(0, b"{}", &format!("/{number}"));
        }
        assert!(lookups.pointers.len() <= POINTERS && lookups.found.len() <= POINTERS);
    }
}
