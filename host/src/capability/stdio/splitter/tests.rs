use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// All items, with the stream pushed in pieces that end at the given places.
fn items(stream: &[u8], cuts: &[usize], greatest: usize) -> Vec<Item> {
    let mut splitter = Splitter::new(greatest);
    let mut items = Vec::new();
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([stream.len()]).collect();
    cuts.sort_unstable();
    let mut start = 0;
    for cut in cuts {
        splitter.push(&stream[start..cut]);
        items.extend(std::iter::from_fn(|| splitter.next()));
        start = cut;
    }
    splitter.end();
    items.extend(std::iter::from_fn(|| splitter.next()));
    items
}

fn bytewise(stream: &[u8]) -> Vec<Item> {
    items(stream, &(0..stream.len()).collect::<Vec<_>>(), 1000)
}

fn value(bytes: &[u8]) -> Item {
    Item::Value(bytes.to_vec())
}

#[test]
fn values_need_nothing_between_them() {
    let stream = b"{\"a\":\"}\\\"{\"}[1,[2]]\x82\xa1a\x01\xa1b\x91\xc0{}\x90\x80\"x\"true17-1.5e3 null\n";
    let expected = [
        &b"{\"a\":\"}\\\"{\"}"[..],
        b"[1,[2]]",
        b"\x82\xa1a\x01\xa1b\x91\xc0",
        b"{}",
        b"\x90",
        b"\x80",
        b"\"x\"",
        b"true",
        b"17-1.5e3",
        b"null",
    ]
    .map(value);
    assert_eq!(items(stream, &[], 1000), expected);
    assert_eq!(bytewise(stream), expected);
}

#[test]
fn white_space_and_a_byte_order_mark_between_values_are_skipped() {
    assert_eq!(bytewise(b"\xef\xbb\xbf \r\n\t{\n}\r\n [ ]\n"), [value(b"{\n}"), value(b"[ ]")]);
}

#[test]
fn a_number_ends_with_the_stream() {
    assert_eq!(bytewise(b"17"), [value(b"17")]);
}

#[test]
fn what_begins_no_value_is_skipped_to_the_next_line() {
    for line in [&b"hello {}"[..], b"}{", b"\x00\x80", b"\xc1", b"\xff\xff {}", b"\xa2{}", b"'"] {
        let stream = [line, b"\n{}"].concat();
        assert_eq!(bytewise(&stream), [Item::Skipped(Skipped::NoValue { first: line[0] }), value(b"{}")]);
        assert_eq!(items(&stream, &[], 1000), bytewise(&stream));
    }
}

#[test]
fn a_malformed_value_ends_with_its_line() {
    for line in [&b"{\"event\":\"SEND, \"data\":{}}"[..], b"{\"a\\", b"tru {}", b"nothing", b"\x91\xc1 {}"] {
        let stream = [line, b"\n{}"].concat();
        assert_eq!(bytewise(&stream), [Item::Skipped(Skipped::Malformed), value(b"{}")], "{line:?}");
    }
}

#[test]
fn a_value_that_the_stream_cuts_off_is_told() {
    for stream in [&b"{"[..], b"[\"]", b"\"x\\\"", b"\x81\xa1a", b"\xdf\x00", b"tru"] {
        assert_eq!(bytewise(stream), [Item::Skipped(Skipped::CutOff)], "{stream:?}");
    }
}

#[test]
fn a_value_may_have_the_greatest_size_and_no_more() {
    let json = |size: usize| format!("[\"{}\"]", "x".repeat(size - 4)).into_bytes();
    let msgpack = |size: u8| [&[0x91, 0xd9, size - 3][..], &vec![b'\n'; usize::from(size) - 3]].concat();
    for (fits, exceeds) in [(json(100), json(101)), (msgpack(100), msgpack(101))] {
        let stream = [&fits[..], &exceeds, b"{}"].concat();
        let expected = [value(&fits), Item::Skipped(Skipped::TooLarge { greatest: 100 }), value(b"{}")];
        assert_eq!(items(&stream, &[], 100), expected);
        assert_eq!(items(&stream, &(0..stream.len()).collect::<Vec<_>>(), 100), expected);
    }
}

#[test]
fn a_value_that_never_ends_takes_no_memory() {
    for (start, more) in [
        (&b"["[..], &b"[[[[[[[["[..]),
        (b"\"", b"xxxxxxxx"),
        (b"\xdd\xff\xff\xff\xff", b"\x91\x91\x91\x91"),
        (b"?", b"????????"),
    ] {
        let mut splitter = Splitter::new(100);
        splitter.push(start);
        let mut skipped = 0;
        for _ in 0..10_000 {
            splitter.push(more);
            while let Some(item) = splitter.next() {
                assert!(matches!(item, Item::Skipped(_)));
                skipped += 1;
            }
            assert!(splitter.buffer.len() <= 100 + more.len());
        }
        assert_eq!(skipped, 1);
    }
}

#[test]
fn many_small_values_in_one_piece_are_cut_in_linear_time() {
    let stream = b"{}".repeat(500_000);
    assert_eq!(items(&stream, &[], 1000).len(), 500_000);
}

#[test]
fn a_value_in_many_pieces_is_looked_at_once() {
    let mut stream = vec![b'['; 1];
    stream.extend(b"\"abc\",".repeat(200_000));
    stream.extend(b"0]");
    assert_eq!(items(&stream, &(0..stream.len()).collect::<Vec<_>>(), 1 << 21), [value(&stream)]);
}

/// Any JSON object or array.
fn json() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "(?s).{0,12}".prop_map(Into::into),
    ];
    let any_value = leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Into::into),
            vec(("(?s).{0,4}", inner), 0..5).prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    });
    (vec(any_value, 0..4), any::<bool>()).prop_map(|(values, is_pretty)| {
        if is_pretty { serde_json::to_vec_pretty(&values).unwrap() } else { serde_json::to_vec(&values).unwrap() }
    })
}

/// Any MessagePack map or array.
fn msgpack() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        prop_oneof![Just(0xc0u8), Just(0xc2), 0u8..0x80, 0xe0u8..].prop_map(|byte| vec![byte]),
        any::<[u8; 8]>().prop_map(|bytes| [&[0xcf][..], &bytes].concat()),
        vec(any::<u8>(), 0..20).prop_map(|bytes| [&[0xd9, bytes.len() as u8][..], &bytes].concat()),
        vec(any::<u8>(), 0..300).prop_map(|bytes| [&[0xc5][..], &(bytes.len() as u16).to_be_bytes(), &bytes].concat()),
        any::<[u8; 3]>().prop_map(|bytes| [&[0xd5][..], &bytes].concat()),
        vec(any::<u8>(), 0..20).prop_map(|bytes| [&[0xc7, bytes.len() as u8, 5][..], &bytes].concat()),
    ];
    let array = |values: Vec<Vec<u8>>| [&[0x90 | values.len() as u8][..], &values.concat()].concat();
    let map = |pairs: Vec<(Vec<u8>, Vec<u8>)>| {
        let head = [&[0xdf][..], &(pairs.len() as u32).to_be_bytes()].concat();
        pairs.into_iter().fold(head, |bytes, (key, value)| [bytes, key, value].concat())
    };
    let any_value = leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![vec(inner.clone(), 0..5).prop_map(array), vec((inner.clone(), inner), 0..4).prop_map(map)]
    });
    vec(any_value, 0..5).prop_map(array)
}

proptest! {
    #[test]
    fn values_are_the_same_wherever_the_stream_is_cut(
        values in vec((prop_oneof![json(), msgpack()], "[ \n\r\t]{0,3}"), 0..8),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let stream: Vec<u8> = values.iter().flat_map(|(value, space)| [value, space.as_bytes()].concat()).collect();
        let expected: Vec<_> = values.iter().map(|(bytes, _)| value(bytes)).collect();
        prop_assert_eq!(items(&stream, &cuts, 1 << 20), expected);
    }

    #[test]
    fn any_bytes_give_the_same_wherever_they_are_cut(
        stream in vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'{'), Just(b'"'), Just(b'}'), 0x80u8..0xa8], 0..200),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        prop_assert_eq!(items(&stream, &cuts, 1 << 20), items(&stream, &[], 1 << 20));
    }

    #[test]
    fn no_value_exceeds_the_greatest_size(stream in vec(any::<u8>(), 0..300), cuts in vec(any::<usize>(), 0..12)) {
        for item in items(&stream, &cuts, 16) {
            if let Item::Value(value) = item {
                prop_assert!(!value.is_empty() && value.len() <= 16);
            }
        }
    }
}
