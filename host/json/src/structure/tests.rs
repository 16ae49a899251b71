use proptest::prelude::*;

use super::*;

/// Both ways, which must agree.
fn ends(text: &[u8], start: usize, depth: u32) -> Result<usize, Fault> {
    assert_eq!(dispatch(text, start, depth), end(text, start, depth, portable::masks));
    container_end(text, start, depth)
}

#[test]
fn the_end_is_behind_the_matching_bracket() {
    for container in [r#"{}"#, r#"[]"#, r#"{"a":[1,{"b":"}]"}]}"#, r#"["\"]","\\",{"\\\"}":1}]"#] {
        for padding in 0..140 {
            let text = format!("{}{container},\"rest\"}}]", " ".repeat(padding));
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
        let is_white_space = matches!(control, b'\t' | b'\n' | b'\r');
        let expected = if is_white_space { Ok(3) } else { Err(Fault::Syntax) };
        assert_eq!(ends(&[b'[', control, b']'], 0, 0), expected);
    }
}

/// Else a quote behind it would open a string for whoever counts them, and none here.
#[test]
fn a_backslash_outside_of_a_string_is_a_fault() {
    for text in [r#"[\"]"#, r#"{"a":1\"}"#, r#"[x\"y\"]"#, r"[\]"] {
        for padding in [0, 61, 62, 63, 64] {
            let text = format!("[\"{}\",{text}]", "p".repeat(padding));
            assert_eq!(ends(text.as_bytes(), 0, 0), Err(Fault::Syntax), "{text}");
        }
    }
}

#[test]
fn what_may_not_stand_beside_each_other_is_a_fault_wherever_blocks_end() {
    for text in [
        "[1,]",
        "[,1]",
        "[1,,2]",
        "{,}",
        "{\"a\":1,}",
        "{\"a\":}",
        "{\"a\":,\"b\":1}",
        "{:1}",
        "{\"a\"::1}",
        "[{}1]",
        "[{}{}]",
        "[[]\"a\"]",
        "[\"a\"\"b\"]",
        "[\"a\"1]",
        "[\"a\"{}]",
    ] {
        for padding in [0, 50, 58, 59, 60, 61, 62, 63, 64, 130] {
            let (first, rest) = text.split_at(1);
            let text = format!("[\"{}\",{first}{rest}]", "x".repeat(padding));
            assert_eq!(ends(text.as_bytes(), 0, 0), Err(Fault::Syntax), "{text}");
        }
    }
}

#[test]
fn white_space_between_tokens_is_fine_and_checked_in_full() {
    for (text, expected) in [
        ("{ \"a\" : [ 1 , 2 ] }", Ok(19)),
        ("[\n]", Ok(3)),
        ("[1 2]", Err(Fault::Syntax)),
        ("[ 1, ]", Err(Fault::Syntax)),
        ("{ \"a\": 01 }", Err(Fault::Syntax)),
    ] {
        assert_eq!(ends(text.as_bytes(), 0, 0), expected, "{text}");
    }
    // What follows is none of its business.
    assert_eq!(ends(b"[1] ,,", 0, 0), Ok(3));
    assert_eq!(ends(b"[1]{}", 0, 0), Ok(3));
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
