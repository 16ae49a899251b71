//! What an adapter hands over around a payload, and each form of the payload (wit/content.wit).
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use gateway_fuzz::capability::{Content, Contents, PayloadForm, json_to_msgpack};
use libfuzzer_sys::fuzz_target;
use msgpack_scan::{Reader, Token};
use serde_json::Value;

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Form {
    Verbatim,
    SingleLine,
    MsgpackString,
    MsgpackObject,
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    form: Form,
    position: u32,
    before: &'a [u8],
    after: &'a [u8],
    payload: &'a [u8],
}

fuzz_target!(|inputs: Vec<Input<'_>>| {
    let mut contents = Contents::default();
    for input in &inputs {
        let payload = Bytes::copy_from_slice(input.payload);
        contents.push(input.position, input.before, payload, input.form.into(), input.after);
    }
    assert_eq!(contents.len(), inputs.len());
    assert!(contents.positions().eq(inputs.iter().map(|input| input.position)));
    for (content, input) in contents.iter().zip(&inputs) {
        let written: Vec<u8> = content.slices().iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(written.len(), Content::size(content));
        let rest = written.strip_prefix(input.before).expect("what stands before it comes first");
        let payload = rest.strip_suffix(input.after).expect("what stands after it comes last");
        check(input.form, input.payload, payload);
    }
    contents.clear();
    assert!(contents.is_empty() && contents.held() == 0);
});

impl From<Form> for PayloadForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Verbatim => Self::Verbatim,
            Form::SingleLine => Self::SingleLine,
            Form::MsgpackString => Self::MsgpackString,
            Form::MsgpackObject => Self::MsgpackObject,
        }
    }
}

fn check(form: Form, payload: &[u8], written: &[u8]) {
    match form {
        Form::Verbatim => assert_eq!(written, payload),
        Form::SingleLine => {
            assert!(!written.contains(&b'\n') && !written.contains(&b'\r') && written.len() == payload.len());
            if let Ok(value) = serde_json::from_slice::<Value>(payload) {
                assert_eq!(serde_json::from_slice::<Value>(written).ok(), Some(value));
            }
        }
        Form::MsgpackString => check_string(payload, written),
        Form::MsgpackObject => match json_to_msgpack(payload) {
            Ok(_) => {
                let value: Value = serde_json::from_slice(payload).expect("only JSON becomes a value");
                assert_eq!(rmp_serde::from_slice::<Value>(written).expect("it is MessagePack"), value);
            }
            Err(_) => check_string(payload, written),
        },
    }
}

fn check_string(payload: &[u8], written: &[u8]) {
    let mut reader = Reader::new(written);
    assert_eq!(reader.token().expect("a string"), Token::String(payload));
    assert!(reader.is_at_end());
}
