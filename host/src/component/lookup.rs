//! Remembers which members of a batch's payloads were looked up, so that no payload is scanned twice for the same one.

use std::collections::HashMap;
use std::ops::Range;

use gateway_json::Pointer;

/// Bytes of a pointer. Together with [`POINTERS`] it bounds what a component can make the host remember.
const POINTER: usize = 1024;
/// How many different pointers are remembered. Components use a handful; one that makes them up gains nothing.
const POINTERS: usize = 256;

/// What has been looked up in the events of one batch.
#[derive(Debug, Default)]
pub struct Lookups {
    pointers: HashMap<Box<str>, Lookup>,
}

/// One pointer, and where it points in each event.
#[derive(Debug)]
struct Lookup {
    /// `None` if it is malformed.
    pointer: Option<Pointer>,
    /// By the event's position in the batch; `None` where nobody asked.
    found: Vec<Option<Option<Range<usize>>>>,
}

impl Lookups {
    /// Where `pointer` points in `json`, the payload of the event at `position` of the batch.
    pub fn find(&mut self, position: u32, json: &[u8], pointer: &str) -> Option<Range<usize>> {
        if pointer.len() > POINTER {
            return None;
        }
        if !self.pointers.contains_key(pointer) {
            if self.pointers.len() >= POINTERS {
                self.pointers.clear();
            }
            self.pointers.insert(pointer.into(), Lookup { pointer: Pointer::parse(pointer), found: Vec::new() });
        }
        let Lookup { pointer, found } = self.pointers.get_mut(pointer)?;
        let pointer = pointer.as_ref()?;
        let position = usize::try_from(position).ok()?;
        if found.len() <= position {
            found.resize(position + 1, None);
        }
        found.get_mut(position)?.get_or_insert_with(|| pointer.find(json)).clone()
    }

    /// Forgets the findings, for a new batch. Known pointers stay.
    pub fn start_batch(&mut self) {
        self.pointers.values_mut().for_each(|lookup| lookup.found.clear());
    }

    /// Forgets the findings in one event, whose payload has changed.
    pub fn forget(&mut self, position: u32) {
        for lookup in self.pointers.values_mut() {
            let found = usize::try_from(position).ok().and_then(|position| lookup.found.get_mut(position));
            if let Some(found) = found {
                *found = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_payload_is_scanned_again() {
        let mut lookups = Lookups::default();
        assert_eq!(lookups.find(3, br#"{"a":1}"#, "/a"), Some(5..6));
        assert_eq!(lookups.find(3, br#"{"b":0,"a":2}"#, "/a"), Some(5..6));
        lookups.forget(3);
        assert_eq!(lookups.find(3, br#"{"b":0,"a":2}"#, "/a"), Some(11..12));
    }

    #[test]
    fn a_pointer_that_is_too_long_names_nothing_and_is_not_remembered() {
        let key = "k".repeat(POINTER - 1);
        let json = format!(r#"{{"{key}":1,"{key}k":2}}"#);
        let mut lookups = Lookups::default();
        assert!(lookups.find(0, json.as_bytes(), &format!("/{key}")).is_some());
        assert_eq!(lookups.find(0, json.as_bytes(), &format!("/{key}k")), None);
        assert_eq!(lookups.pointers.len(), 1);
    }

    #[test]
    fn made_up_pointers_do_not_pile_up() {
        let mut lookups = Lookups::default();
        for number in 0..10_000 {
            lookups.find(0, b"{}", &format!("/{number}"));
        }
        assert!(lookups.pointers.len() <= POINTERS);
    }
}
