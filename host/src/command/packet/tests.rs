use gateway_protocol::MAX_PAYLOAD_BYTES;

use super::*;

const D: &str = r#"{ "z":175928847299117063, "a":"<\u00e9>", "n":1e3 }"#;

fn send(members: &str) -> Result<GuildCommand, Refusal> {
    GuildCommand::parse(members.as_bytes())
}

fn string(head: &[u8], text: &str) -> Vec<u8> {
    [head, text.as_bytes()].concat()
}

/// All heads that a text of 32 to 255 bytes can have.
fn held(text: &str) -> Vec<Vec<u8>> {
    let length = u8::try_from(text.len()).unwrap();
    [
        &[0xd9, length][..],
        &[0xda, 0, length],
        &[0xdb, 0, 0, 0, length],
        &[0xc4, length],
        &[0xc5, 0, length],
        &[0xc6, 0, 0, 0, length],
    ]
    .map(|head| string(head, text))
    .to_vec()
}

#[test]
fn every_form_of_body_gives_the_same_command_with_d_untouched() {
    let text = format!(r#"{{"guild_id": "81384788765712384", "packet": {{"t": null, "op": 4, "d": {D}}}}}"#);
    let mut bodies = held(&text);
    bodies.extend([
        text.clone().into_bytes(),
        format!("\r\n\t {text}\n").into_bytes(),
        serde_json::to_vec(&text).unwrap(),
    ]);
    for body in bodies {
        let command = GuildCommand::parse(&body).unwrap();
        assert_eq!(command.guild_id, Some(81_384_788_765_712_384));
        assert_eq!(command.packet.text(), format!(r#"{{"op":4,"d":{D}}}"#), "{body:x?}");
    }
}

#[test]
fn a_msgpack_map_keeps_big_integers() {
    let body = b"\x82\xa8guild_id\xcf\x01\x21\x23\x45\x67\x89\xab\xcd\xa6packet\x82\xa1d\x81\xa1z\xcf\x02\x71\x06\x00\x00\x00\x00\x07\xa2op\x08";
    let command = GuildCommand::parse(body).unwrap();
    assert_eq!(command.guild_id, Some(0x0121_2345_6789_abcd));
    assert_eq!(command.packet.text(), format!(r#"{{"op":8,"d":{{"z":{}}}}}"#, 0x0271_0600_0000_0007_u64));
}

#[test]
fn a_short_msgpack_string_is_read_too() {
    assert_eq!(Packet::parse(b"\xa8{\"op\":3}").unwrap().text(), r#"{"op":3,"d":null}"#);
}

#[test]
fn a_packet_alone_is_read_in_every_form() {
    let text = format!(r#"{{"d":{D},"op":31,"s":5}}"#);
    for body in held(&text).into_iter().chain([text.clone().into_bytes()]) {
        assert_eq!(Packet::parse(&body).unwrap().text(), format!(r#"{{"op":31,"d":{D}}}"#));
    }
    assert_eq!(Packet::parse(b"\x81\xa2op\x03").unwrap().text(), r#"{"op":3,"d":null}"#);
}

#[test]
fn a_guild_id_is_a_string_or_a_whole_number_or_nothing() {
    let guild_id =
        |json: &str| send(&format!(r#"{{"guild_id":{json},"packet":{{"op":3}}}}"#)).map(|command| command.guild_id);
    assert_eq!(guild_id("\"18446744073709551615\"").unwrap(), Some(u64::MAX));
    assert_eq!(guild_id("81384788765712384").unwrap(), Some(81_384_788_765_712_384));
    assert_eq!(guild_id("null").unwrap(), None);
    assert_eq!(send(r#"{"packet":{"op":3}}"#).unwrap().guild_id, None);
    for json in [
        "\"\"",
        "\"x\"",
        "\"+1\"",
        "\"-1\"",
        "\" 1\"",
        "\"18446744073709551616\"",
        "1.0",
        "1e3",
        "-1",
        "true",
        "{}",
        "[1]",
    ] {
        assert_eq!(guild_id(json).unwrap_err().label(), "guild_id", "{json}");
    }
}

#[test]
fn opcodes_that_break_the_session_are_refused() {
    for opcode in [0, 1, 2, 6, 7, 9, 10, 11] {
        let refusal = Packet::parse(format!(r#"{{"op":{opcode},"d":{{}}}}"#).as_bytes()).unwrap_err();
        assert_eq!(refusal.label(), "reserved_opcode", "{opcode}");
    }
}

#[test]
fn what_can_never_work_is_refused_with_its_reason() {
    for (body, label) in [
        (&b""[..], "empty"),
        (b"   ", "invalid_json"),
        (b"7", "not_an_object"),
        (b"[\"1\",{\"op\":3}]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"garbage", "invalid_json"),
        (b"{\"packet\":{\"op\":3}} x", "invalid_json"),
        (b"{\"packet\":{\"op\":3}", "invalid_json"),
        (b"{\"packet\":{\"op\":3,\"op\":2}}", "invalid_json"),
        (b"{\"packet\":{\"op\":3,\"d\":\"\xff\"}}", "invalid_json"),
        (b"\"7\"", "not_an_object"),
        (b"\"\\\"{}\\\"\"", "not_an_object"),
        (b"{}", "no_packet"),
        (b"{\"packet\":null}", "no_packet"),
        (b"{\"packet\":5}", "not_an_object"),
        (b"{\"packet\":[3]}", "not_an_object"),
        (b"{\"packet\":{}}", "no_opcode"),
        (b"{\"packet\":{\"op\":null}}", "no_opcode"),
        (b"{\"packet\":{\"op\":\"3\"}}", "invalid_opcode"),
        (b"{\"packet\":{\"op\":3.0}}", "invalid_opcode"),
        (b"{\"packet\":{\"op\":-3}}", "invalid_opcode"),
        (b"{\"packet\":{\"op\":18446744073709551616}}", "invalid_opcode"),
        (b"\x80", "no_packet"),
        (b"\x81\xa6packet\xc0", "no_packet"),
        (b"\x81\xa6packet\x81\xa2op\x02", "reserved_opcode"),
        (b"\x81\xa6packet\x81\xa2op\x03\x00", "invalid_msgpack"),
        (b"\x81\xa6packet", "invalid_msgpack"),
        (b"\xa2{}\x00", "invalid_msgpack"),
        (b"\xdb\xff\xff\xff\xff{}", "invalid_msgpack"),
        (b"\xa0", "invalid_json"),
        (b"\xc4\x01\xff", "invalid_json"),
        (b"\x91\xc0", "unknown_form"),
        (b"\xc0", "unknown_form"),
        (b"\xc1", "unknown_form"),
        (b"\xff", "unknown_form"),
    ] {
        assert_eq!(GuildCommand::parse(body).unwrap_err().label(), label, "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn a_packet_is_at_most_as_large_as_discord_takes() {
    let packet = |size: usize| {
        let frame = r#"{"op":3,"d":""}"#.len();
        Packet::parse(format!(r#"{{"op": 3, "other": 0, "d": "{}"}}"#, "x".repeat(size - frame)).as_bytes())
    };
    assert_eq!(packet(MAX_PAYLOAD_BYTES).unwrap().text().len(), MAX_PAYLOAD_BYTES);
    let refusal = packet(MAX_PAYLOAD_BYTES + 1).unwrap_err();
    assert_eq!(refusal.label(), "too_large");
    assert!(refusal.to_string().contains("4097") && refusal.to_string().contains("4096"), "{refusal}");
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let deep = format!(r#"{{"op":3,"d":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(Packet::parse(deep.as_bytes()).unwrap_err().label(), "too_large");
    let deep = format!(r#"{{"op":{}{},"d":0}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(Packet::parse(deep.as_bytes()).unwrap_err().label(), "invalid_opcode");
    assert!(GuildCommand::parse("[".repeat(1_000_000).as_bytes()).is_err());
}
