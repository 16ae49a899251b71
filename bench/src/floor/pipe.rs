//! The floor into a pipe.

use std::cell::RefCell;
use std::io::{BufWriter, Stdout, Write as _};
use std::rc::Rc;

use super::feed::Feed;

/// The gateway's own buffer size, so that both make the same system calls.
const WRITE_BUFFER: usize = 64 << 10;

/// When what was read is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffering {
    /// Each payload at once: what a loop does that reads, inflates and writes.
    Each,
    /// When nothing more is to be read, or the buffer is full: the least that is possible.
    Full,
}

/// STDOUT, for all connections.
pub(super) type Output = Rc<RefCell<BufWriter<Stdout>>>;

pub(super) fn output() -> Output {
    Rc::new(RefCell::new(BufWriter::with_capacity(WRITE_BUFFER, std::io::stdout())))
}

/// Writes what one connection brings.
pub(super) async fn pump(
    flood: String,
    shard: u32,
    shards: u32,
    output: Output,
    buffering: Buffering,
) -> anyhow::Result<()> {
    let mut feed = Feed::connect(&flood, shard, shards).await?;
    loop {
        // What is buffered goes out before waiting.
        if !feed.try_next().await? {
            output.borrow_mut().flush()?;
            feed.next().await?;
        }
        let mut output = output.borrow_mut();
        output.write_all(feed.payload())?;
        output.write_all(b"\n")?;
        if buffering == Buffering::Each {
            output.flush()?;
        }
    }
}
