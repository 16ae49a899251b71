//! The one writer of STDOUT: a thread of its own, since writing to a pipe blocks.

use std::io::{self, IoSlice, Write};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::capability::{Content, Contents, Gone, Job};

/// Batches of frames that may wait for the thread. More than all lanes may have in flight, so that none waits here: what is on
/// its way is bounded by bytes before.
const QUEUE: usize = 4096;
/// Batches that are written together.
const TOGETHER: usize = 16;
/// Slices in one system call; Linux takes 1024.
const SLICES: usize = 1024;

/// Sends frames to the thread that writes. `T` is what the sender wants back when they are written.
#[derive(Debug)]
pub struct Writer<T> {
    jobs: mpsc::Sender<Job<Contents, T>>,
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone() }
    }
}

/// The other side of the thread: how it ended.
#[derive(Debug)]
pub struct WriterEnd {
    /// `None` when it is known.
    outcome: Option<oneshot::Receiver<io::Result<()>>>,
    failed: bool,
}

impl WriterEnd {
    /// Waits until all [`Writer`]s are dropped and everything is written, or writing has failed. Cancel safe.
    ///
    /// # Errors
    /// What the system said when writing failed; asked again, only that it has.
    pub async fn ended(&mut self) -> io::Result<()> {
        let Some(outcome) = &mut self.outcome else {
            return if self.failed { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) };
        };
        let ended = outcome.await.unwrap_or_else(|_| Err(io::Error::other("the writer of STDOUT crashed")));
        self.outcome = None;
        self.failed = ended.is_err();
        ended
    }
}

impl<T: Send + 'static> Writer<T> {
    /// Starts the thread on any output.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(mut output: impl Write + Send + 'static) -> io::Result<(Self, WriterEnd)> {
        let (jobs, mut queue) = mpsc::channel(QUEUE);
        let (end, outcome) = oneshot::channel();
        thread::Builder::new().name("stdout".into()).spawn(move || {
            let outcome = run(&mut output, &mut queue);
            // Whoever knows of the end finds the queue closed.
            drop(queue);
            // Nobody waits for the outcome when the gateway has been told to end at once.
            let _ = end.send(outcome);
        })?;
        Ok((Self { jobs }, WriterEnd { outcome: Some(outcome), failed: false }))
    }

    /// Queues frames. They are confirmed when they are written.
    ///
    /// # Errors
    /// If writing has failed. The reason is what [`WriterEnd::ended`] says.
    pub async fn write(&self, job: Job<Contents, T>) -> Result<(), Gone> {
        self.jobs.send(job).await.map_err(|_| STDOUT_GONE)
    }

    /// Waits until writing has failed. Cancel safe.
    pub async fn gone(&self) -> Gone {
        self.jobs.closed().await;
        STDOUT_GONE
    }
}

const STDOUT_GONE: Gone = Gone("STDOUT");

fn run<T>(output: &mut impl Write, queue: &mut mpsc::Receiver<Job<Contents, T>>) -> io::Result<()> {
    let mut jobs = Vec::with_capacity(TOGETHER);
    while queue.blocking_recv_many(&mut jobs, TOGETHER) > 0 {
        write_all(output, jobs.iter().flat_map(|job| job.parcel.iter()).flat_map(Content::slices))?;
        output.flush()?;
        jobs.drain(..).for_each(Job::blocking_confirm);
    }
    Ok(())
}

fn write_all<'a>(output: &mut impl Write, slices: impl Iterator<Item = IoSlice<'a>>) -> io::Result<()> {
    let mut slices = slices.filter(|slice| !slice.is_empty()).peekable();
    let mut window = Vec::with_capacity(SLICES);
    while slices.peek().is_some() {
        window.clear();
        window.extend(slices.by_ref().take(SLICES));
        let mut rest = window.as_mut_slice();
        while !rest.is_empty() {
            match output.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The process's STDOUT, without the line buffer of the standard library's own handle, which would copy everything.
///
/// # Errors
/// If STDOUT is not open.
#[cfg(unix)]
pub fn stdout() -> io::Result<impl Write + Send + use<>> {
    use std::os::fd::AsFd as _;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    #[cfg(target_os = "linux")]
    // Fewer turns between this process and the reader. STDOUT may be no pipe, or the system may allow no more: both are fine.
    let _ = rustix::pipe::fcntl_setpipe_size(&output, PIPE);
    Ok(std::fs::File::from(output))
}

/// What a pipe may hold, in bytes: what Linux allows everybody.
#[cfg(target_os = "linux")]
const PIPE: usize = 1 << 20;

/// The process's STDOUT: a console through the standard library, which tells it the encoding, and all else without.
///
/// # Errors
/// If there is no STDOUT, as in a service. The standard library would take what is written for written.
#[cfg(windows)]
pub fn stdout() -> io::Result<impl Write + Send + use<>> {
    use std::io::IsTerminal as _;
    use std::os::windows::io::{AsHandle as _, AsRawHandle as _};
    let output = io::stdout();
    if output.as_raw_handle().is_null() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "STDOUT is not open: redirect it to a file or a pipe"));
    }
    let output: Box<dyn Write + Send> = match output.is_terminal() {
        true => Box::new(output),
        false => Box::new(std::fs::File::from(output.as_handle().try_clone_to_owned()?)),
    };
    // The system takes one slice at a time.
    Ok(io::BufWriter::with_capacity(BUFFER, output))
}

/// Bytes that go to the system together.
#[cfg(windows)]
const BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;

    use super::*;
    use crate::capability::PayloadForm;

    /// Takes a few bytes at a time, and fails beyond its capacity.
    #[derive(Clone)]
    struct Trickle {
        taken: Arc<Mutex<Vec<u8>>>,
        capacity: usize,
    }

    impl Write for Trickle {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut taken = self.taken.lock().unwrap();
            if taken.len() >= self.capacity {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let count = bytes.len().min(7);
            taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn frames(text: &'static str, count: usize) -> Contents {
        let mut frames = Contents::default();
        for _ in 0..count {
            frames.push(0, b"<", Bytes::from_static(text.as_bytes()), PayloadForm::Verbatim, b">");
        }
        frames
    }

    #[tokio::test]
    async fn frames_are_written_whole_and_confirmed_in_order() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (writer, mut end) = Writer::start(Trickle { taken: Arc::clone(&taken), capacity: usize::MAX }).unwrap();
        let (reply, mut confirmed) = mpsc::channel(64);
        for ticket in 0..20 {
            writer.write(Job::new(frames("a payload", 100), ticket, reply.clone())).await.unwrap();
        }
        drop((writer, reply));
        for ticket in 0..20 {
            let confirmation = confirmed.recv().await.unwrap();
            assert_eq!(confirmation.ticket, ticket);
        }
        end.ended().await.unwrap();
        assert_eq!(*taken.lock().unwrap(), "<a payload>".repeat(2000).as_bytes());
    }

    #[tokio::test]
    async fn a_closed_output_is_reported_and_confirms_nothing() {
        let (writer, mut end) = Writer::start(Trickle { taken: Arc::default(), capacity: 0 }).unwrap();
        let (reply, mut confirmed) = mpsc::channel(1);
        writer.write(Job::new(frames("lost", 1), (), reply)).await.unwrap();
        assert_eq!(end.ended().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(end.ended().await.is_err(), "it stays failed");
        assert!(confirmed.recv().await.is_none());
        // Only behind its outcome does the thread take no more.
        writer.jobs.closed().await;
        assert!(writer.write(Job::new(Contents::default(), (), mpsc::channel(1).0)).await.is_err());
    }
}
