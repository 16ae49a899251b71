//! Replies to pipelined commands, of which only errors matter.

use std::ops::ControlFlow;

use memchr::memchr;

/// Cuts a stream of replies (RESP 2) into single ones.
#[derive(Debug, Default)]
pub(super) struct Answers {
    buffer: Vec<u8>,
    /// Bytes at the start of `buffer` that are dealt with.
    taken: usize,
    /// Values that are still to come within the reply that has begun.
    open: u64,
    /// Bytes of a bulk string, with its line end, that are still to come.
    bulk: u64,
}

/// A reply to one command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has been carried out.
    Done,
    /// The server says that it has not, and why.
    Failed(String),
}

/// What came is no reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoAnswer;

impl Answers {
    /// Where what is read next goes. Add to its end only.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        &mut self.buffer
    }

    /// The next reply; `None` if it has not come yet.
    pub(super) fn next(&mut self) -> Result<Option<Answer>, NoAnswer> {
        loop {
            match self.step() {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(answer) => return answer,
            }
        }
    }

    fn step(&mut self) -> ControlFlow<Result<Option<Answer>, NoAnswer>> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        if self.bulk > 0 {
            let skipped = usize::try_from(self.bulk).unwrap_or(usize::MAX).min(rest.len());
            self.taken += skipped;
            self.bulk -= skipped as u64;
            return if self.bulk > 0 { ControlFlow::Break(Ok(None)) } else { self.close() };
        }
        let Some(end) = memchr(b'\n', rest) else {
            return ControlFlow::Break(if rest.len() > LONGEST_LINE { Err(NoAnswer) } else { Ok(None) });
        };
        let Some((kind, line)) =
            rest.get(..end).and_then(|line| line.strip_suffix(b"\r")).and_then(<[u8]>::split_first)
        else {
            return ControlFlow::Break(Err(NoAnswer));
        };
        let (kind, error) =
            (*kind, (*kind == b'-' && self.open == 0).then(|| String::from_utf8_lossy(line).into_owned()));
        let length = || std::str::from_utf8(line).ok()?.parse::<i64>().ok();
        match kind {
            b'-' | b'+' | b':' => self.taken += end + 1,
            b'$' | b'*' => {
                let Some(length) = length() else { return ControlFlow::Break(Err(NoAnswer)) };
                self.taken += end + 1;
                // What is below zero stands for nothing.
                match u64::try_from(length) {
                    Ok(length) if kind == b'$' => {
                        self.bulk = length.saturating_add(2);
                        return ControlFlow::Continue(());
                    }
                    Ok(values) if values > 0 => {
                        self.open = self.open.saturating_sub(1).saturating_add(values);
                        return ControlFlow::Continue(());
                    }
                    _ => {}
                }
            }
            _ => return ControlFlow::Break(Err(NoAnswer)),
        }
        match error {
            Some(error) => ControlFlow::Break(Ok(Some(Answer::Failed(error)))),
            None => self.close(),
        }
    }

    /// Notes that a value has ended.
    fn close(&mut self) -> ControlFlow<Result<Option<Answer>, NoAnswer>> {
        self.open = self.open.saturating_sub(1);
        if self.open > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(Ok(Some(Answer::Done))) }
    }
}

/// Longer than what servers say.
const LONGEST_LINE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const REPLIES: &[u8] = b"$15\r\n1700000000000-0\r\n:1\r\n-OOM command not allowed\r\n+OK\r\n$-1\r\n*-1\r\n*0\r\n\
        *3\r\n*2\r\n:1\r\n$2\r\n\r\n\r\n-ERR inner\r\n$0\r\n\r\n+OK\r\n";

    #[test]
    fn replies_are_told_apart_however_they_arrive() {
        for step in 1..REPLIES.len() {
            let mut answers = Answers::default();
            let mut found = Vec::new();
            for chunk in REPLIES.chunks(step) {
                answers.buffer().extend_from_slice(chunk);
                while let Some(answer) = answers.next().unwrap() {
                    found.push(answer);
                }
            }
            let failed = Answer::Failed("OOM command not allowed".to_owned());
            let done = || Answer::Done;
            assert_eq!(found, [done(), done(), failed, done(), done(), done(), done(), done(), done()], "step {step}");
            assert!(answers.buffer().is_empty());
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for text in [&b"HTTP/1.1 400\r\n"[..], b"\r\n", b"$x\r\n", b"+OK\n", &[b'+'; LONGEST_LINE + 2]] {
            let mut answers = Answers::default();
            answers.buffer().extend_from_slice(text);
            assert_eq!(answers.next(), Err(NoAnswer));
        }
    }
}
