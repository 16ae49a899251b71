//! MessagePack to JSON.

use msgpack_scan::{Reader, Token};

use super::Refusal;

/// Turns one MessagePack value into JSON text. Whole numbers keep all their digits.
///
/// # Errors
/// If it is not exactly one value, or holds what JSON cannot express.
pub(super) fn to_json(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut reader = Reader::new(body);
    let mut out = Vec::with_capacity(body.len());
    let mut open = Vec::new();
    loop {
        if let Some(Container { is_map: true, .. }) = open.last() {
            write_key(&mut out, reader.token()?)?;
        }
        match reader.token()? {
            Token::Array(length) => open_container(&mut out, &mut open, length, false)?,
            Token::Map(length) => open_container(&mut out, &mut open, length, true)?,
            scalar => write_scalar(&mut out, scalar)?,
        }
        if !go_on(&mut out, &mut open) {
            break;
        }
    }
    if reader.is_at_end() { Ok(out) } else { Err(Refusal::TrailingBytes) }
}

/// An array or a map that is being written.
struct Container {
    is_map: bool,
    /// Elements or pairs that are still to come, with the one at hand.
    left: u32,
    is_empty: bool,
}

fn open_container(out: &mut Vec<u8>, open: &mut Vec<Container>, length: u32, is_map: bool) -> Result<(), Refusal> {
    if open.len() == MAX_DEPTH {
        return Err(Refusal::NoJsonForm("it is nested too deeply"));
    }
    out.push(if is_map { b'{' } else { b'[' });
    open.push(Container { is_map, left: length, is_empty: true });
    Ok(())
}

/// Writes what stands between the value just written, or the container just opened, and the next value. False if none follows.
fn go_on(out: &mut Vec<u8>, open: &mut Vec<Container>) -> bool {
    while let Some(container) = open.last_mut() {
        if container.left > 0 {
            container.left -= 1;
            if !std::mem::take(&mut container.is_empty) {
                out.push(b',');
            }
            return true;
        }
        out.push(if container.is_map { b'}' } else { b']' });
        open.pop();
    }
    false
}

fn write_key(out: &mut Vec<u8>, token: Token<'_>) -> Result<(), Refusal> {
    let Token::String(_) = token else { return Err(Refusal::NoJsonForm("a map's key is not a string")) };
    write_scalar(out, token)?;
    out.push(b':');
    Ok(())
}

fn write_scalar(out: &mut Vec<u8>, token: Token<'_>) -> Result<(), Refusal> {
    let written = match token {
        Token::Bool(value) => serde_json::to_writer(out, &value),
        Token::Float32(value) if value.is_finite() => serde_json::to_writer(out, &value),
        Token::Float64(value) if value.is_finite() => serde_json::to_writer(out, &value),
        Token::Nil => serde_json::to_writer(out, &()),
        Token::Signed(value) => serde_json::to_writer(out, &value),
        Token::String(text) => {
            let text = str::from_utf8(text).map_err(|_| Refusal::NoJsonForm("a string is not UTF-8"))?;
            serde_json::to_writer(out, text)
        }
        Token::Unsigned(value) => serde_json::to_writer(out, &value),
        Token::Float32(_) | Token::Float64(_) => return Err(Refusal::NoJsonForm("a number is not finite")),
        Token::Array(_) | Token::Map(_) => {
            return Err(Refusal::NoJsonForm("an array or a map stands for a single value"));
        }
        Token::Binary(_) => return Err(Refusal::NoJsonForm("binary data")),
        Token::Extension => return Err(Refusal::NoJsonForm("an extension")),
    };
    written.map_err(|error| Refusal::InvalidJson(error.to_string()))
}

/// Arrays and maps within each other.
const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn json(bytes: &[u8]) -> String {
        String::from_utf8(to_json(bytes).unwrap()).unwrap()
    }

    #[test]
    fn whole_numbers_keep_all_digits() {
        assert_eq!(json(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), u64::MAX.to_string());
        assert_eq!(json(b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), i64::MIN.to_string());
        assert_eq!(json(b"\x93\x00\xff\xcd\x01\x00"), "[0,-1,256]");
    }

    #[test]
    fn fractions_are_the_shortest_that_read_back() {
        assert_eq!(json(b"\xca\x3d\xcc\xcc\xcd"), "0.1");
        assert_eq!(json(b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1");
    }

    #[test]
    fn containers_nest_in_any_way() {
        assert_eq!(json(b"\x80"), "{}");
        assert_eq!(json(b"\x90"), "[]");
        assert_eq!(json(b"\x92\x90\x80"), "[[],{}]");
        assert_eq!(json(b"\x82\xa1a\x92\xc0\x81\xa1b\xc3\xa1c\xa3\"\\\n"), r#"{"a":[null,{"b":true}],"c":"\"\\\n"}"#);
        assert_eq!(json(b"\xdf\x00\x00\x00\x01\xd9\x01a\xdd\x00\x00\x00\x01\xc2"), r#"{"a":[false]}"#);
    }

    #[test]
    fn what_json_cannot_express_is_refused() {
        for bytes in [
            &b"\xc4\x01x"[..],
            b"\xd4\x01x",
            b"\x81\x01\x02",
            b"\x81\x90\x02",
            b"\xa1\xff",
            b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
            b"\xca\x7f\x80\x00\x00",
            &[0x91; 200],
        ] {
            assert_eq!(to_json(bytes).unwrap_err().label(), "no_json_form", "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_not_one_whole_value_is_refused() {
        for bytes in
            [&b""[..], b"\xc1", b"\x81", b"\x81\xa1a", b"\x00\x00", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffx"]
        {
            assert_eq!(to_json(bytes).unwrap_err().label(), "invalid_msgpack", "{bytes:x?}");
        }
    }
}
