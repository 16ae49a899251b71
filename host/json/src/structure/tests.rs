use proptest::prelude::*;

use super::*;

/// Both ways, which must agree.
fn ends(text: &[u8], start: usize, depth: u32) -> Result<usize, Fault> {
    let portable = end(text, start, depth, portable::masks);
    assert_eq!(container_end(text, start, depth), portable);
    portable
}

#[test]
fn the_end_is_behind_the_matching_bracket() {
    for container in [r#"{}"#, r#"[]"#, r#"{"a":[1,{"b":"}]"}]}"#, r#"["\"]","\\",{"\\\"}":1}]"#] {
        for padding in 0..140 {
            let text = format!("{}{container}, \"rest\"}}]", " ".repeat(padding));
            assert_eq!(ends(text.as_bytes(), padding, 0), Ok(padding + container.len()), "{text}");
        }
    }
}

#[test]
fn backslashes_count_across_blocks() {
    for count in 0..200 {
        let text = format!("[\"{}\"]\"]", "\\".repeat(count));
        let expected = if count % 2 == 0 { count + 4 } else { count + 6 };
        assert_eq!(ends(text.as_bytes(), 0, 0), Ok(expected), "{count} backslashes");
    }
}

#[test]
fn what_is_not_closed_is_a_fault() {
    for text in ["{", "[[]", "{\"a\":\"}", "[\"\\\"]", "{\"a\":{}", ""] {
        for padding in [0, 61, 62, 63, 64, 200] {
            let text = text.replace('a', &"a".repeat(padding));
            assert_eq!(ends(text.as_bytes(), 0, 0), Err(Fault::Syntax), "{text}");
        }
    }
}

#[test]
fn a_control_character_in_a_string_is_a_fault_and_outside_it_is_not() {
    for control in 0..0x20_u8 {
        assert_eq!(ends(&[b'[', b'"', control, b'"', b']'], 0, 0), Err(Fault::Syntax));
        assert_eq!(ends(&[b'[', control, b']'], 0, 0), Ok(3));
    }
}

#[test]
fn depth_is_limited_and_costs_no_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let limit = MAX_DEPTH as usize;
    assert_eq!(ends(nested(limit).as_bytes(), 0, 0), Ok(2 * limit));
    assert_eq!(ends(nested(limit + 1).as_bytes(), 0, 0), Err(Fault::TooDeep));
    assert_eq!(ends(nested(limit).as_bytes(), 0, 1), Err(Fault::TooDeep));
    assert_eq!(ends("{\"a\":".repeat(1_000_000).as_bytes(), 0, 0), Err(Fault::TooDeep));
}

proptest! {
    /// Every value that serde_json writes ends where it ends, wherever it stands.
    #[test]
    fn real_json_ends_where_it_ends(strings in prop::collection::vec("(?s).{0,40}", 0..20), padding in 0_usize..70) {
        let value = serde_json::json!([strings, {"nested": strings, "empty": {}}]);
        let json = value.to_string();
        let text = format!("{}{json},{json}", " ".repeat(padding));
        prop_assert_eq!(ends(text.as_bytes(), padding, 0), Ok(padding + json.len()));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0_usize..310) {
        // Only that both ways agree and none panics.
        let _ = ends(&bytes, start, 0);
    }
}
