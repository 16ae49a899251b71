//! The folder of compiled code, and proof that it still holds what was put there.
//!
//! The engine runs what it finds in its cache as machine code, and looks at nothing but its size: one flipped bit on the disk
//! could crash the process. So the digests of all entries are kept beside them, and an entry that does not match its own is removed
//! before the engine can find it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

/// The file with a line for each entry: its digest, and its path in the folder.
const DIGESTS: &str = "digests";

/// The folder, with the digests of its entries.
#[derive(Debug)]
pub(super) struct CodeCache {
    folder: PathBuf,
    digests: Mutex<Digests>,
}

type Digests = BTreeMap<PathBuf, String>;

impl CodeCache {
    /// Makes the folder if it is missing, and removes entries that are damaged, or of which nothing is known.
    ///
    /// # Errors
    /// If the folder cannot be read and written.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut digests = read_digests(&folder);
        for entry in entries(&folder)? {
            let path = folder.join(&entry);
            let digest = fs::read(&path).map(|bytes| digest(&bytes));
            if digests.get(&entry).is_none_or(|expected| digest.as_ref().ok() != Some(expected)) {
                digests.remove(&entry);
                remove(&path)?;
            }
        }
        Ok(Self { folder, digests: Mutex::new(digests) })
    }

    /// Takes down the digests of entries that the engine has just written. A failure costs no more than compiling them again.
    pub(super) fn note_new_entries(&self) {
        if let Err(error) = self.try_note() {
            tracing::info!("compiled components are not kept in {}: {error}", self.folder.display());
        }
    }

    fn try_note(&self) -> io::Result<()> {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Digests::new();
        for entry in entries(&self.folder)?.into_iter().filter(|entry| !digests.contains_key(entry)) {
            let digest = digest(&fs::read(self.folder.join(&entry))?);
            new.insert(entry, digest);
        }
        if new.is_empty() {
            return Ok(());
        }
        // Another gateway may have added some meanwhile.
        digests.extend(read_digests(&self.folder));
        digests.extend(new);
        digests.retain(|entry, _| self.folder.join(entry).exists());
        write_digests(&self.folder, &digests)
    }
}

/// What the file says; nothing if it is not there or cannot be understood.
fn read_digests(folder: &Path) -> Digests {
    let text = fs::read_to_string(folder.join(DIGESTS)).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(' ')).map(|(digest, entry)| (entry.into(), digest.into())).collect()
}

fn write_digests(folder: &Path, digests: &Digests) -> io::Result<()> {
    let text: String = digests.iter().map(|(entry, digest)| format!("{digest} {}\n", entry.display())).collect();
    let unfinished = folder.join(format!("{DIGESTS}.{}", std::process::id()));
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, folder.join(DIGESTS))
}

/// Paths of the engine's entries, in `folder`. They lie in folders of their own and have no extension, unlike the notes about
/// their use.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = subfolders(folder)?;
    while let Some(inner) = open.pop() {
        open.extend(subfolders(&inner)?);
        for file in files(&inner)?.into_iter().filter(|file| file.extension().is_none()) {
            found.extend(file.strip_prefix(folder).map(Path::to_owned));
        }
    }
    Ok(found)
}

fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    listing(folder, fs::FileType::is_dir)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    listing(folder, fs::FileType::is_file)
}

/// What is gone by now, as another gateway may tidy up, is left out.
fn listing(folder: &Path, wanted: fn(&fs::FileType) -> bool) -> io::Result<Vec<PathBuf>> {
    let listing = match folder.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing?,
    };
    let entries = listing.filter_map(Result::ok);
    Ok(entries.filter(|entry| entry.file_type().is_ok_and(|kind| wanted(&kind))).map(|entry| entry.path()).collect())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A folder with two entries and a note, as the engine leaves it, opened and noted.
    fn filled() -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let inner = folder.path().join("modules").join("engine");
        let cache = CodeCache::open(folder.path().to_owned()).unwrap();
        fs::create_dir_all(&inner).unwrap();
        for name in ["one", "two", "one.stats"] {
            fs::write(inner.join(name), name).unwrap();
        }
        cache.note_new_entries();
        (folder, inner)
    }

    #[test]
    fn entries_stay_as_long_as_they_are_what_they_were() {
        let (folder, inner) = filled();
        CodeCache::open(folder.path().to_owned()).unwrap();
        assert!(inner.join("one").exists() && inner.join("two").exists());

        fs::write(inner.join("two"), "twp").unwrap();
        CodeCache::open(folder.path().to_owned()).unwrap();
        assert!(inner.join("one").exists() && !inner.join("two").exists() && inner.join("one.stats").exists());
    }

    #[test]
    fn entries_that_nobody_noted_are_removed() {
        let (folder, inner) = filled();
        fs::write(inner.join("three"), "three").unwrap();
        CodeCache::open(folder.path().to_owned()).unwrap();
        assert!(!inner.join("three").exists());

        fs::write(folder.path().join(DIGESTS), [0xff, 0, b'\n']).unwrap();
        CodeCache::open(folder.path().to_owned()).unwrap();
        assert!(!inner.join("one").exists());
    }
}
