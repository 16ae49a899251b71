//! The capability `stdio` (wit/stdio.wit): frames go out on STDOUT, values come in from STDIN.

mod extent;
mod host;
mod reader;
mod splitter;
mod writer;

pub use host::link;
pub use reader::{GREATEST_VALUE, read, read_stdin};
pub use splitter::{Item, Skipped, Splitter};
pub use writer::{Writer, WriterEnd, stdout};
