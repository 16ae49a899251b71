//! The one reader of STDIN: a thread of its own, since reading blocks and cannot be called off.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

use super::{Item, Splitter};
use crate::capability::{Claim, Incoming};

/// The largest value that STDIN may bring, in bytes. A packet for Discord has 4096 at most; the rest is room for what a client
/// may put around it.
pub const GREATEST_VALUE: usize = 1 << 20;

/// Starts the thread on the process's STDIN. See [`read`].
///
/// # Errors
/// If the system refuses a thread.
pub fn read_stdin(incoming: mpsc::Sender<Incoming>) -> io::Result<()> {
    read(io::stdin(), incoming)
}

/// Starts a thread that cuts `input` into values, and sends them, and word of what it skips, to `incoming`. While nobody takes
/// them it reads no further. At the end of the input it drops `incoming`, and says so in the log.
///
/// Nobody joins the thread. It may stay in a read for ever, and the process must be able to end meanwhile; it owns nothing that
/// could be lost. It ends with the input, or with the first item after the receiver is dropped.
///
/// # Errors
/// If the system refuses a thread.
pub fn read(mut input: impl Read + Send + 'static, incoming: mpsc::Sender<Incoming>) -> io::Result<()> {
    thread::Builder::new().name("stdin".into()).spawn(move || run(&mut input, &incoming))?;
    Ok(())
}

fn run(input: &mut impl Read, incoming: &mpsc::Sender<Incoming>) {
    let mut splitter = Splitter::new(GREATEST_VALUE);
    let mut chunk = vec![0; CHUNK];
    let source = Arc::from(SOURCE);
    loop {
        match input.read(&mut chunk) {
            Ok(0) => {
                tracing::info!("STDIN has ended: no further commands come from there");
                splitter.end();
                send_all(&mut splitter, &source, incoming);
                return;
            }
            Ok(length) => splitter.push(chunk.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::warn!("STDIN cannot be read, no further commands come from there: {error}");
                return;
            }
        }
        if !send_all(&mut splitter, &source, incoming) {
            return;
        }
    }
}

/// False if nobody receives any more.
fn send_all(splitter: &mut Splitter, source: &Arc<str>, incoming: &mpsc::Sender<Incoming>) -> bool {
    while let Some(item) = splitter.next() {
        let source = Arc::clone(source);
        let sent = incoming.blocking_send(match item {
            Item::Value(body) => Incoming::Message { source, body, claim: Claim::unasked() },
            Item::Skipped(skipped) => Incoming::Unreadable { source, reason: skipped.to_string() },
        });
        if sent.is_err() {
            return false;
        }
    }
    true
}

/// What the adapter knows STDIN by.
const SOURCE: &str = "stdin";

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, with interruptions, and fails at its end if told so.
    struct Trickle {
        bytes: io::Cursor<Vec<u8>>,
        is_interrupted: bool,
        fails: bool,
    }

    impl Trickle {
        fn new(bytes: &[u8], fails: bool) -> Self {
            Self { bytes: io::Cursor::new(bytes.to_vec()), is_interrupted: false, fails }
        }
    }

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.is_interrupted = !self.is_interrupted;
            if self.is_interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match self.bytes.read(&mut buffer[..1])? {
                0 if self.fails => Err(io::ErrorKind::Other.into()),
                length => Ok(length),
            }
        }
    }

    fn body(incoming: Option<Incoming>) -> Option<Vec<u8>> {
        match incoming? {
            Incoming::Message { body, .. } => Some(body),
            Incoming::Unreadable { .. } => None,
        }
    }

    #[tokio::test]
    async fn all_values_come_in_order_and_the_channel_closes_with_the_input() {
        let (sender, mut items) = mpsc::channel(1);
        read(Trickle::new(b"{\"a\":1}\nwhat?\n\x81\xa1a\x01[", false), sender).unwrap();
        assert_eq!(body(items.recv().await), Some(b"{\"a\":1}".to_vec()));
        assert!(matches!(items.recv().await, Some(Incoming::Unreadable { .. })));
        assert_eq!(body(items.recv().await), Some(b"\x81\xa1a\x01".to_vec()));
        assert!(matches!(items.recv().await, Some(Incoming::Unreadable { .. })));
        assert!(items.recv().await.is_none());
    }

    #[tokio::test]
    async fn an_input_that_fails_ends_like_one_that_ends() {
        let (sender, mut items) = mpsc::channel(1);
        read(Trickle::new(b"{} ", true), sender).unwrap();
        assert_eq!(body(items.recv().await), Some(b"{}".to_vec()));
        assert!(items.recv().await.is_none());
    }

    #[test]
    fn the_thread_ends_when_nobody_receives() {
        let (sender, items) = mpsc::channel(1);
        drop(items);
        run(&mut EndlessValues, &sender);
    }

    struct EndlessValues;

    impl Read for EndlessValues {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer[..2].copy_from_slice(b"{}");
            Ok(2)
        }
    }
}
