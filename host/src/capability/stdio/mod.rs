//! The capability `stdio` (wit/stdio.wit): frames go out on STDOUT, values come in from STDIN.

mod frames;
mod host;
mod writer;

pub use frames::{Frames, PayloadForm};
pub use host::link;
pub use writer::{Confirmation, Writer, WriterClosed, WriterEnd};
