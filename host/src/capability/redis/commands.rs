//! What one call hands over for Redis: commands, nearly as they go over the wire.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::outbox::Outbox;
use crate::capability::Contents;

/// Commands in order. Their texts are written in Redis' protocol (RESP) already; payloads are held and not copied.
#[derive(Debug, Default)]
pub struct Commands {
    /// The contents of all commands, one after another.
    contents: Contents,
    /// What stands before, between and after the contents.
    text: Vec<u8>,
    /// Where each piece of `text` ends. A command with n contents has n + 1 pieces.
    pieces: Vec<usize>,
    commands: Vec<Command>,
    /// Where the key of the command that is being written is.
    key: Range<usize>,
    /// Contents of the command that is being written.
    open: usize,
}

#[derive(Debug)]
struct Command {
    position: u32,
    contents: usize,
    key: Range<usize>,
}

/// What an append removes from the other end of its stream: `trim` of wit/redis.wit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// Nothing.
    Nothing,
    /// Entries that are older.
    OlderThan(Duration),
    /// Entries beyond so many.
    Beyond(u64),
}

impl Commands {
    /// Begins `XADD`, up to the field of the body, which is the [content](Self::content) that has to follow. `more` fields are
    /// announced.
    pub fn begin_append(&mut self, stream: &[u8], field: &[u8], more: usize, trim: Trim) {
        let trimming = if trim == Trim::Nothing { 0 } else { 3 };
        self.begin(5 + trimming + 2 * more);
        self.argument(b"XADD");
        self.key(stream);
        match trim {
            Trim::Nothing => {}
            Trim::OlderThan(age) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.trim(b"MINID", u64::try_from(now.saturating_sub(age).as_millis()).unwrap_or(u64::MAX));
            }
            Trim::Beyond(entries) => self.trim(b"MAXLEN", entries),
        }
        self.argument(b"*");
        self.argument(field);
    }

    /// Begins `PUBLISH`, up to the message, which is the [content](Self::content) that has to follow.
    pub fn begin_publish(&mut self, channel: &[u8]) {
        self.begin(3);
        self.argument(b"PUBLISH");
        self.key(channel);
    }

    /// Begins a command with so many arguments, its name among them.
    pub fn begin(&mut self, arguments: usize) {
        push_head(&mut self.text, b'*', arguments as u64);
    }

    /// Adds an argument.
    pub fn argument(&mut self, bytes: &[u8]) {
        push_head(&mut self.text, b'$', bytes.len() as u64);
        self.text.extend_from_slice(bytes);
        self.text.extend_from_slice(b"\r\n");
    }

    /// Adds an argument that is the command's key: commands of one key stay in order also when one of them has to be repeated.
    pub fn key(&mut self, bytes: &[u8]) {
        self.argument(bytes);
        let end = self.text.len() - 2;
        self.key = end - bytes.len()..end;
    }

    /// Where the next argument, a single content, is to be pushed.
    pub fn content(&mut self) -> &mut Contents {
        self.pieces.push(self.text.len());
        self.open += 1;
        &mut self.contents
    }

    /// Ends the command. It is for the event at `position`.
    pub fn end(&mut self, position: u32) {
        self.pieces.push(self.text.len());
        let key = std::mem::take(&mut self.key);
        self.commands.push(Command { position, contents: std::mem::take(&mut self.open), key });
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The positions in the batch of the events that have commands, one for each command.
    pub fn positions(&self) -> impl Iterator<Item = u32> {
        self.commands.iter().map(|command| command.position)
    }

    /// Bytes that the commands hold, beside payloads that they share with their events.
    #[must_use]
    pub fn held(&self) -> usize {
        self.contents.held() + self.text.len() + self.commands.len() * size_of::<Command>()
    }

    /// Forgets all commands, and keeps the room for the next ones.
    pub fn clear(&mut self) {
        self.contents.clear();
        self.text.clear();
        self.pieces.clear();
        self.commands.clear();
        self.key = 0..0;
        self.open = 0;
    }

    /// The key of the command at `index`: empty if it has none.
    pub(super) fn key_of(&self, index: usize) -> &[u8] {
        self.commands.get(index).and_then(|command| self.text.get(command.key.clone())).unwrap_or_default()
    }

    /// Writes those of the commands whose index is `chosen`, in order.
    pub(super) fn write(&self, outbox: &mut Outbox, mut chosen: impl FnMut(usize) -> bool) {
        let mut contents = self.contents.iter();
        let (mut pieces, mut start) = (self.pieces.iter(), 0);
        for (index, command) in self.commands.iter().enumerate() {
            let is_chosen = chosen(index);
            for number in 0..=command.contents {
                let end = pieces.next().copied().unwrap_or(start);
                let content = if number < command.contents { contents.next() } else { None };
                if is_chosen {
                    outbox.text().extend_from_slice(self.text.get(start..end).unwrap_or_default());
                    if let Some(content) = content {
                        let text = outbox.text();
                        push_head(text, b'$', content.size() as u64);
                        text.extend_from_slice(content.before);
                        outbox.push(content.payload);
                        let text = outbox.text();
                        text.extend_from_slice(content.after);
                        text.extend_from_slice(b"\r\n");
                    }
                }
                start = end;
            }
        }
    }

    /// What the command at `index` brings, for who keeps it: its contents, or all of it if it has none.
    pub(super) fn body_of(&self, index: usize) -> Vec<u8> {
        let skipped = self.commands.iter().take(index).map(|command| command.contents).sum();
        let own = self.commands.get(index).map_or(0, |command| command.contents);
        if own == 0 {
            return self.text_of(index);
        }
        let contents = self.contents.iter().skip(skipped).take(own);
        contents.flat_map(|content| [content.before, content.payload, content.after].concat()).collect()
    }

    /// The command at `index` as it goes over the wire.
    pub(super) fn text_of(&self, index: usize) -> Vec<u8> {
        let mut outbox = Outbox::default();
        self.write(&mut outbox, |other| other == index);
        outbox.into_bytes()
    }

    fn trim(&mut self, by: &[u8], threshold: u64) {
        self.argument(by);
        self.argument(b"~");
        let mut digits = [0; 20];
        self.argument(decimal(threshold, &mut digits));
    }
}

/// Writes the head of an array (`*`) or of a bulk string (`$`).
fn push_head(text: &mut Vec<u8>, kind: u8, length: u64) {
    text.push(kind);
    text.extend_from_slice(decimal(length, &mut [0; 20]));
    text.extend_from_slice(b"\r\n");
}

/// The digits of a number, at the end of `digits`.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        let remainder = (number % 10) as u8;
        *digit = b'0' + remainder;
        number /= 10;
        start = place;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::capability::PayloadForm;

    fn written(commands: &Commands, chosen: impl FnMut(usize) -> bool) -> String {
        let mut outbox = Outbox::default();
        commands.write(&mut outbox, chosen);
        String::from_utf8_lossy(&outbox.into_bytes()).into_owned()
    }

    fn some() -> Commands {
        let mut commands = Commands::default();
        commands.begin_append(b"MESSAGE_CREATE", b"data", 1, Trim::Beyond(1000));
        commands.content().push(4, b"", Bytes::from_static(b"{}"), PayloadForm::MsgpackString, b"");
        commands.argument(b"timeout_at");
        commands.argument(b"9");
        commands.end(4);
        commands.begin_publish(b"channel");
        commands.content().push(5, b"<", Bytes::from(vec![b'x'; 3000]), PayloadForm::Verbatim, b">");
        commands.end(5);
        commands.begin(3);
        commands.argument(b"SET");
        commands.key(b"key");
        commands.argument(b"");
        commands.end(5);
        commands
    }

    #[test]
    fn commands_are_written_in_the_protocol() {
        let commands = some();
        let long = "x".repeat(3000);
        assert_eq!(
            written(&commands, |_| true),
            format!(
                "*10\r\n$4\r\nXADD\r\n$14\r\nMESSAGE_CREATE\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$4\r\n1000\r\n$1\r\n*\r\n$4\r\ndata\r\n$3\r\n\
                 \u{fffd}{{}}\r\n$10\r\ntimeout_at\r\n$1\r\n9\r\n*3\r\n$7\r\nPUBLISH\r\n$7\r\nchannel\r\n$3002\r\n<{long}>\r\n\
                 *3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n"
            )
        );
        assert_eq!(commands.positions().collect::<Vec<_>>(), [4, 5, 5]);
        assert_eq!([0, 1, 2, 3].map(|index| commands.key_of(index)), [&b"MESSAGE_CREATE"[..], b"channel", b"key", b""]);
    }

    #[test]
    fn some_commands_are_written_alone() {
        let commands = some();
        assert_eq!(written(&commands, |index| index == 2), "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n");
        assert_eq!(commands.body_of(0), b"\xa2{}");
        assert_eq!(commands.body_of(1).len(), 3002);
        assert!(commands.body_of(2).starts_with(b"*3\r\n$3\r\nSET"));
    }

    #[test]
    fn an_age_becomes_the_least_id() {
        let mut commands = Commands::default();
        commands.begin_append(b"k", b"data", 0, Trim::OlderThan(Duration::from_secs(3600)));
        commands.content().push(0, b"", Bytes::new(), PayloadForm::Verbatim, b"");
        commands.end(0);
        let text = written(&commands, |_| true);
        let (_, rest) = text.split_once("$5\r\nMINID\r\n$1\r\n~\r\n$13\r\n").unwrap();
        let least: u128 = rest.split_once("\r\n").unwrap().0.parse().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!((now - 3_600_000).abs_diff(least) < 60_000);
        assert!(rest.ends_with("\r\n$1\r\n*\r\n$4\r\ndata\r\n$0\r\n\r\n"));
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 1707, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
