//! Commands that an adapter hands over for Redis: on the wire each is one command with the arguments that were given.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use gateway_fuzz::capability::PayloadForm;
use gateway_fuzz::capability::redis::{Commands, Trim, body_of, key_of, refusal, wire};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Command<'a> {
    Append { stream: &'a [u8], field: &'a [u8], body: Body<'a>, more: Vec<(&'a [u8], &'a [u8])>, trim: Bound },
    Publish { channel: &'a [u8], body: Body<'a> },
    Other { name: &'a [u8], key: &'a [u8], more: Vec<Argument<'a>> },
}

#[derive(Debug, Arbitrary)]
struct Body<'a> {
    before: &'a [u8],
    payload: &'a [u8],
    /// How often the payload is repeated: long ones are not copied.
    times: u8,
    after: &'a [u8],
}

#[derive(Debug, Arbitrary)]
enum Argument<'a> {
    Bytes(&'a [u8]),
    Body(Body<'a>),
}

#[derive(Debug, Arbitrary)]
enum Bound {
    Nothing,
    OlderThan(u64),
    Beyond(u64),
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    commands: Vec<Command<'a>>,
    chosen: u64,
    step: u16,
}

fuzz_target!(|input: Input<'_>| {
    let mut commands = Commands::default();
    for (position, command) in (0..).zip(&input.commands) {
        add(&mut commands, command);
        commands.end(position);
    }
    assert_eq!(commands.len(), input.commands.len());
    let step = usize::from(input.step).max(1);
    let is_chosen = |index: usize| index >= 64 || input.chosen >> index & 1 == 1;
    let sent = read(&wire(&commands, is_chosen, step));
    let expected: Vec<_> = (0..input.commands.len()).filter(|index| is_chosen(*index)).collect();
    assert_eq!(sent.len(), expected.len());
    for (arguments, index) in sent.iter().zip(expected) {
        let command = &input.commands[index];
        check(command, arguments);
        assert_eq!(key_of(&commands, index), key(command));
        let bodies: Vec<u8> = bodies(command).iter().flat_map(|body| body.bytes()).collect();
        let has_body = !matches!(command, Command::Other { more, .. } if !more.iter().any(Argument::is_body));
        assert_eq!(
            body_of(&commands, index),
            if has_body { bodies } else { wire(&commands, |other| other == index, step) }
        );
    }
});

fn add(commands: &mut Commands, command: &Command<'_>) {
    match command {
        Command::Append { stream, field, body, more, trim } => {
            let trim = match trim {
                Bound::Nothing => Trim::Nothing,
                Bound::OlderThan(age) => Trim::OlderThan(Duration::from_millis(*age)),
                Bound::Beyond(entries) => Trim::Beyond(*entries),
            };
            commands.begin_append(stream, field, more.len(), trim);
            body.push(commands);
            for argument in more.iter().flat_map(|(name, value)| [name, value]) {
                commands.argument(argument);
            }
        }
        Command::Publish { channel, body } => {
            commands.begin_publish(channel);
            body.push(commands);
        }
        Command::Other { name, key, more } => {
            let _ = refusal(name, Some(key), more.iter().any(|argument| matches!(argument, Argument::Bytes(b"BLOCK"))));
            commands.begin(2 + more.len());
            commands.argument(name);
            commands.key(key);
            for argument in more {
                match argument {
                    Argument::Bytes(bytes) => commands.argument(bytes),
                    Argument::Body(body) => body.push(commands),
                }
            }
        }
    }
}

fn check(command: &Command<'_>, arguments: &[Vec<u8>]) {
    let expected: Vec<Vec<u8>> = match command {
        Command::Append { stream, field, body, more, trim } => {
            let trimming = if matches!(trim, Bound::Nothing) { 0 } else { 3 };
            assert_eq!((&*arguments[0], &*arguments[1]), (&b"XADD"[..], *stream));
            assert_eq!(arguments[2 + trimming], b"*");
            let more = more.iter().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]);
            let expected = [field.to_vec(), body.bytes()].into_iter().chain(more);
            assert_eq!(arguments[3 + trimming..], expected.collect::<Vec<_>>());
            return;
        }
        Command::Publish { channel, body } => vec![b"PUBLISH".to_vec(), channel.to_vec(), body.bytes()],
        Command::Other { name, key, more } => {
            let more = more.iter().map(|argument| match argument {
                Argument::Bytes(bytes) => bytes.to_vec(),
                Argument::Body(body) => body.bytes(),
            });
            [name.to_vec(), key.to_vec()].into_iter().chain(more).collect()
        }
    };
    assert_eq!(arguments, expected);
}

fn key<'a>(command: &Command<'a>) -> &'a [u8] {
    match command {
        Command::Append { stream: key, .. } | Command::Publish { channel: key, .. } | Command::Other { key, .. } => key,
    }
}

fn bodies<'a, 'b>(command: &'b Command<'a>) -> Vec<&'b Body<'a>> {
    match command {
        Command::Append { body, .. } | Command::Publish { body, .. } => vec![body],
        Command::Other { more, .. } => more.iter().filter_map(Argument::body).collect(),
    }
}

impl<'a> Argument<'a> {
    fn body(&self) -> Option<&Body<'a>> {
        if let Self::Body(body) = self { Some(body) } else { None }
    }

    fn is_body(&self) -> bool {
        self.body().is_some()
    }
}

impl Body<'_> {
    fn payload(&self) -> Vec<u8> {
        self.payload.repeat(usize::from(self.times))
    }

    fn bytes(&self) -> Vec<u8> {
        [self.before, &self.payload(), self.after].concat()
    }

    fn push(&self, commands: &mut Commands) {
        let payload = Bytes::from(self.payload());
        commands.content().push(0, self.before, payload, PayloadForm::Verbatim, self.after);
    }
}

/// The arrays of bulk strings in the text, by Redis' own rules.
fn read(mut text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    while !text.is_empty() {
        let count = head(&mut text, b'*');
        let arguments = (0..count).map(|_| {
            let length = head(&mut text, b'$');
            let (argument, rest) = text.split_at(length);
            text = rest.strip_prefix(b"\r\n").expect("a line ends behind each argument");
            argument.to_vec()
        });
        commands.push(arguments.collect());
    }
    commands
}

fn head(text: &mut &[u8], kind: u8) -> usize {
    let end = text.iter().position(|byte| *byte == b'\r').expect("a head has an end");
    let (line, rest) = text.split_at(end);
    *text = rest.strip_prefix(b"\r\n").expect("a line ends behind each head");
    assert_eq!(line[0], kind);
    std::str::from_utf8(&line[1..]).expect("digits").parse().expect("a number")
}
