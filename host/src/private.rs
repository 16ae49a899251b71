//! Files that are their owner's alone: with the token, what they hold opens a session, or is what people wrote.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Makes the directory and those above it, as far as they are missing.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file that only its owner can read if this makes it.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

/// Replaces the file as a whole. Whatever interrupts this, it holds the old or the new.
///
/// The new one is on the disk before it takes the old one's place, so a power cut leaves no empty file. It may leave the old one.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("tmp");
    let mut file = open(&beside, OpenOptions::new().write(true).create(true).truncate(true))?;
    file.write_all(contents)?;
    file.sync_data()?;
    drop(file);
    fs::rename(&beside, path)
}

/// Whether the last line has no end: the disk was full, or the power went.
pub(crate) fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
