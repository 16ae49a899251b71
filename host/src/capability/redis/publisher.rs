//! Sends commands, pipelined, over a connection of its own to one server.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::Commands;
use super::answers::{Answer, Answers, NoAnswer};
use super::failure::{self, Verdict};
use super::outbox::Outbox;
use super::status::Report;
use super::window::{Awaited, HasCommands, Window};
use crate::capability::Job;
use crate::connection::{Backoff, RedisAddress, Socket, to_mend};
use crate::delivery::{DeadLetter, DeadLetters};
use crate::telemetry::BrokerMetrics;

/// A connection that parcels go out on: a task that ends when nobody sends any more and everything is settled.
pub(super) struct Pipe<T> {
    parts: PipeParts<T>,
    window: Window<Job<Commands, T>>,
    outbox: Outbox,
    backoff: Backoff,
    /// Connections in a row that were lost before anything was answered on them.
    losses: u32,
    /// Whether commands are sent one at a time, since one of them may be why connections are lost.
    is_suspicious: bool,
    /// Whether something went wrong since the last success.
    is_in_trouble: bool,
    /// Whether nobody sends any more.
    is_closed: bool,
}

/// What a [`Pipe`] is made of.
pub(super) struct PipeParts<T> {
    pub(super) address: RedisAddress,
    pub(super) jobs: mpsc::Receiver<Job<Commands, T>>,
    pub(super) report: Report,
    pub(super) metrics: BrokerMetrics,
    pub(super) dead_letters: DeadLetters,
}

/// Why a connection is given up.
enum End {
    /// Everything is settled, and nobody sends any more.
    Done,
    Lost(io::Error),
    /// The server goes on refusing: there may be a better one at the same address.
    Refused,
}

/// Connections in a row that may be lost without an answer before the first command comes under suspicion and is sent alone.
const SUSPICIOUS: u32 = 3;
/// A command must be larger to be the reason why a server closes a connection: none is configured to take less.
const HARMLESS: usize = 1 << 20;
/// Rounds in a row that may fail on one connection.
const ROUNDS: u32 = 5;
/// Parcels on their way. The lanes that share the connection have fewer, unless there are a great many of them.
const PARCELS: usize = 256;
/// A connection on which nothing comes for so long while something is awaited is given up, after twice the time at the latest.
const SILENCE: Duration = Duration::from_secs(20);
/// Bytes that are read at a time.
const CHUNK: usize = 16 << 10;

impl<T> HasCommands for Job<Commands, T> {
    fn commands(&self) -> &Commands {
        &self.parcel
    }
}

impl<T: Send + 'static> Pipe<T> {
    pub(super) fn new(parts: PipeParts<T>) -> Self {
        Self {
            parts,
            window: Window::new(),
            outbox: Outbox::default(),
            backoff: Backoff::default(),
            losses: 0,
            is_suspicious: false,
            is_in_trouble: true,
            is_closed: false,
        }
    }

    /// Sends until it is done.
    pub(super) async fn run(mut self) {
        loop {
            let end = match self.parts.address.dial().await {
                Ok(socket) => self.serve(socket).await,
                Err(error) => End::Lost(io::Error::other(to_mend(&error).unwrap_or_else(|| error.to_string()))),
            };
            match end {
                End::Done => return,
                End::Refused => {}
                End::Lost(error) => {
                    self.is_in_trouble = true;
                    self.parts.report.away(&error.to_string());
                    self.backoff.wait().await;
                }
            }
        }
    }

    async fn serve(&mut self, socket: Socket) -> End {
        let (mut reader, mut writer) = tokio::io::split(socket);
        let mut answers = Answers::default();
        let mut silence = tokio::time::interval_at(Instant::now() + SILENCE, SILENCE);
        silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_heard = true;
        let (mut rounds, mut is_flushed) = (0, false);
        if !self.is_suspicious && self.losses >= SUSPICIOUS {
            self.is_suspicious = true;
            self.losses = 0;
        }
        self.outbox.clear();
        self.send_again();
        loop {
            if self.window.is_answered() {
                if self.window.is_open() {
                    self.recover();
                    if self.is_closed {
                        return End::Done;
                    }
                } else {
                    if self.window.has_failed() {
                        rounds += 1;
                        self.backoff.wait().await;
                    }
                    if rounds > ROUNDS {
                        return End::Refused;
                    }
                    self.send_again();
                }
            }
            tokio::select! {
                job = self.parts.jobs.recv(), if self.has_room() => match job {
                    Some(job) => self.window.send(job, &mut self.outbox),
                    None => self.is_closed = true,
                },
                written = write(&mut writer, &self.outbox), if !self.outbox.is_empty() || !is_flushed => match written {
                    Ok(count) => {
                        is_flushed = count == 0;
                        self.outbox.advance(count);
                    }
                    // What the server said before it closed the connection may be why.
                    Err(error) => {
                        while let Ok(()) = read(&mut reader, answers.buffer()).await {}
                        let _ = self.take(&mut answers).await;
                        return self.lose(error).await;
                    }
                },
                read = read(&mut reader, answers.buffer()) => {
                    was_heard = true;
                    if let Err(error) = read {
                        return self.lose(error).await;
                    }
                    if self.take(&mut answers).await.is_err() {
                        return End::Lost(io::Error::other("what answers there is no Redis server"));
                    }
                }
                _ = silence.tick() => {
                    if !std::mem::take(&mut was_heard) && !self.window.is_answered() {
                        return End::Lost(io::ErrorKind::TimedOut.into());
                    }
                }
            }
        }
    }

    fn has_room(&self) -> bool {
        !self.is_closed && self.window.is_open() && self.window.len() < PARCELS
    }

    /// Takes all answers that have come.
    async fn take(&mut self, answers: &mut Answers) -> Result<(), NoAnswer> {
        while let Some(answer) = answers.next()? {
            self.losses = 0;
            let is_done = match answer {
                Answer::Done => true,
                Answer::Failed(error) => self.is_given_up(&error).await,
            };
            self.window.settle(is_done);
        }
        if self.window.is_open() {
            self.recover();
        }
        while let Some(job) = self.window.take_done() {
            self.parts.metrics.published(job.parcel.len());
            job.confirm().await;
        }
        Ok(())
    }

    /// Whether the awaited command, which has failed, is not to be sent again. It is kept as a dead letter then.
    async fn is_given_up(&mut self, error: &str) -> bool {
        let Some(awaited) = self.window.awaited() else { return false };
        let key = String::from_utf8_lossy(awaited.commands.key_of(awaited.index)).into_owned();
        let advice = match failure::judge(error) {
            Verdict::Wait { advice } => advice,
            Verdict::Doubt if awaited.failures + 1 >= failure::TRIES => {
                keep(&self.parts, &awaited, error).await;
                return true;
            }
            Verdict::Doubt => "it is tried a few times, and then kept as a dead letter",
        };
        self.parts.report.blocked(&format!("{error} (key {key:?}); {advice}"));
        self.is_in_trouble = true;
        false
    }

    /// After a connection was lost. A command with which alone this happens again and again is given up.
    async fn lose(&mut self, error: io::Error) -> End {
        self.losses = self.losses.saturating_add(1);
        let suspect = self.window.awaited().filter(|awaited| self.is_suspicious && awaited.size() > HARMLESS);
        if let Some(awaited) = suspect.filter(|_| self.losses >= failure::TRIES) {
            keep(&self.parts, &awaited, "the server closes the connection when it gets this").await;
            self.window.settle(true);
            self.losses = 0;
        }
        End::Lost(error)
    }

    fn send_again(&mut self) {
        self.window.resend(&mut self.outbox, self.is_suspicious);
        let again = self.window.awaiting();
        if again > 0 {
            self.parts.metrics.retried(again);
        }
    }

    fn recover(&mut self) {
        self.is_suspicious = false;
        if std::mem::take(&mut self.is_in_trouble) {
            self.backoff.reset();
            self.parts.report.fine();
        }
    }
}

/// Keeps a command that will never work as a dead letter.
pub(super) async fn keep<T>(parts: &PipeParts<T>, awaited: &Awaited<'_>, reason: &str) {
    let target = String::from_utf8_lossy(awaited.commands.key_of(awaited.index)).into_owned();
    parts.metrics.refused_by_broker("never_taken");
    let body = awaited.commands.body_of(awaited.index);
    parts.dead_letters.keep(DeadLetter { broker: "redis", target, reason: reason.to_owned(), body }).await;
}

/// Writes some bytes, or if there are none lets TLS write what it holds back. Cancel safe: what is not reported is not written.
async fn write(writer: &mut WriteHalf<Socket>, outbox: &Outbox) -> io::Result<usize> {
    if outbox.is_empty() {
        writer.flush().await?;
        return Ok(0);
    }
    match writer.write_vectored(&outbox.slices()).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => Ok(count),
    }
}

/// Cancel safe.
async fn read(reader: &mut ReadHalf<Socket>, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.reserve(CHUNK);
    match reader.read_buf(buffer).await? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server has closed the connection")),
        _ => Ok(()),
    }
}
