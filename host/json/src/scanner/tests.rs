use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

fn scan(text: &[u8]) -> Result<Range<usize>, Fault> {
    let mut scanner = Scanner::new(text);
    let range = scanner.value(0)?;
    match scanner.token() {
        Ok(_) => Err(Fault::Syntax),
        Err(_) => Ok(range),
    }
}

#[test]
fn what_the_grammar_refuses_is_refused() {
    let texts = [
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{1:1}",
        "[1 2]",
        "[,1]",
        "01",
        "-",
        "-a",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "tru",
        "truE",
        "nul",
        "falsy",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"\n\"",
        "\"\t\"",
        "\"\0\"",
        "[}",
        "{]",
        "[1}",
        "{\"a\":1]",
        "1 1",
        "\"abcdefgh\u{1f}\"",
        "'a'",
        "{,}",
        "[\"a\":1]",
    ];
    for text in texts {
        assert_eq!(scan(text.as_bytes()), Err(Fault::Syntax), "{text}");
    }
}

#[test]
fn what_the_grammar_accepts_is_accepted_whole() {
    let texts = [
        "0",
        "-0",
        "-0.0e-00",
        "10",
        "1E+5",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        "[[],{}]",
        "{\"\":{}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aF\\ud800\"",
        "[1,\"ä\u{10ffff}\",null]",
        "\"\u{7f}\"",
        "{\"a\" : [ 1 , 2 ] , \"b\" : { \"c\" : \"d\" } }",
        "\"12345678\"",
        "\"1234567\\\\\"",
    ];
    for text in texts {
        assert_eq!(scan(format!(" \n{text}\t\r").as_bytes()), Ok(2..2 + text.len()), "{text}");
    }
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let depth = MAX_DEPTH as usize;
    assert!(scan(nested(depth).as_bytes()).is_ok());
    assert_eq!(scan(nested(depth + 1).as_bytes()), Err(Fault::TooDeep));
    assert_eq!(scan("[".repeat(1_000_000).as_bytes()), Err(Fault::TooDeep));
    assert_eq!(scan("{\"a\":".repeat(1_000_000).as_bytes()), Err(Fault::TooDeep));
    assert_eq!(Scanner::new(b"[[]]").value(MAX_DEPTH - 1), Err(Fault::TooDeep));
}

proptest! {
    #[test]
    fn serde_json_agrees(text in r#"([\[\]{},: "\\ue0-9.+-]|true|null|"[a-z]{0,12}"|\\u00e9|"a":){0,12}"#) {
        prop_assert_eq!(scan(text.as_bytes()).is_ok(), serde_json::from_str::<&RawValue>(&text).is_ok(), "{}", text);
    }
}
