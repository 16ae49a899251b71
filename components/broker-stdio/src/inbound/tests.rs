use super::*;

const PACKET: &str = r#"{"op":3, "d": {"since": 175928847299117063}}"#;

fn parsed(body: &[u8]) -> (String, Vec<u8>) {
    let inbound = Inbound::parse(body).unwrap_or_else(|invalid| panic!("{invalid}"));
    (inbound.event.into_owned(), inbound.data.to_vec())
}

#[test]
fn json_data_is_kept_byte_for_byte() {
    for body in [
        format!(r#"{{"event":"SEND","data":{PACKET}}}"#),
        format!("\n {{ \"data\" :\t{PACKET} ,\r\n \"event\" : \"SEND\" }} \n"),
        format!(r#"{{"x":[1,{{}}],"event":"SEND","data":{PACKET},"y":null}}"#),
        format!(r#"{{"event":"\u0053END","data":{PACKET}}}"#),
        format!(r#"["SEND",{PACKET}]"#),
    ] {
        assert_eq!(parsed(body.as_bytes()), ("SEND".into(), PACKET.into()), "{body}");
    }
}

#[test]
fn json_data_of_any_kind_is_passed_on() {
    for data in ["null", "7", r#""{\"op\":3}""#, "[]"] {
        assert_eq!(parsed(format!(r#"{{"event":"3","data":{data}}}"#).as_bytes()), ("3".into(), data.into()));
    }
}

#[test]
fn msgpack_takes_either_order_and_the_array() {
    for body in [
        &b"\x82\xa5event\xa4SEND\xa4data\xa2{}"[..],
        b"\x82\xa4data\xa2{}\xa5event\xa4SEND",
        b"\x83\xa4data\xa2{}\x07\x91\x91\xc0\xa5event\xa4SEND",
        b"\xde\x00\x02\xa4data\xa2{}\xd9\x05event\xda\x00\x04SEND",
        b"\x92\xa4SEND\xa2{}",
        b"\xdd\x00\x00\x00\x02\xa4SEND\xa2{}",
    ] {
        assert_eq!(parsed(body), ("SEND".into(), b"\xa2{}".into()), "{body:x?}");
    }
}

#[test]
fn msgpack_data_of_any_kind_is_passed_on_with_its_head() {
    for data in [&b"\xc4\x02{}"[..], b"\x81\xa2op\x03", b"\xdb\x00\x00\x00\x02{}", b"\xc0"] {
        assert_eq!(parsed(&[b"\x92\xa13", data].concat()), ("3".into(), data.into()));
    }
}

#[test]
fn what_is_no_message_is_refused() {
    for body in [
        &b""[..],
        b"7",
        b"{}",
        b"null",
        b"\"SEND\"",
        b"{\"event\":\"SEND\"}",
        b"{\"data\":{}}",
        b"{\"event\":3,\"data\":{}}",
        b"{\"event\":\"SEND\",\"data\":{}}x",
        b"{\"event\":\"SEND\",\"event\":\"SEND\",\"data\":{}}",
        b"{\"event\":\"SEND\",\"data\":\"\xff\"}",
        b"[\"SEND\"]",
        b"[\"SEND\",{},{}]",
        b"\x80",
        b"\x90",
        b"\x93\xa1a\xa1b\xa1c",
        b"\x81\xa5event\xa4SEND",
        b"\x82\xa5event\xa4SEND\xa5event\xa4SEND",
        b"\x83\xa5event\xa4SEND\xa4data\xc0\xa4data\xc0",
        b"\x92\x03\xa2{}",
        b"\x92\xa2\xff\xff\xa2{}",
        b"\x92\xa4SEND\xa2{}\x00",
        b"\x92\xa4SEND\xdb\xff\xff\xff\xff{}",
        b"\xdf\xff\xff\xff\xff",
        b"\xc1",
    ] {
        assert!(Inbound::parse(body).is_err(), "{body:x?}");
    }
}

#[test]
fn every_prefix_of_a_message_is_refused() {
    for body in [
        format!(r#"{{"event":"SEND","data":{PACKET}}}"#).into_bytes(),
        b"\x82\xa5event\xa4SEND\xa4data\x81\xa2op\xcd\x01\x02".to_vec(),
    ] {
        assert!(Inbound::parse(&body).is_ok());
        for end in 0..body.len() {
            assert!(Inbound::parse(&body[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn deep_nesting_is_read_without_recursion() {
    let deep = 500_000;
    let json = format!(r#"{{"event":"0","data":{}{}}}"#, "[".repeat(deep), "]".repeat(deep));
    assert_eq!(parsed(json.as_bytes()).1.len(), 2 * deep);
    let msgpack = [b"\x92\xa10", &vec![0x91; deep][..], b"\xc0"].concat();
    assert_eq!(parsed(&msgpack).1.len(), deep + 1);
}
