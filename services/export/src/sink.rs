//! The files of an export. Until one is whole it has another name, so that nobody takes a part for all of it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What the name of a file ends with that is not whole.
const PARTIAL: &str = ".partial";

/// A file, with the hash of what was written to it.
pub(crate) struct Sink {
    file: BufWriter<File>,
    path: PathBuf,
    partial: Partial,
    hash: Sha256,
    bytes: u64,
}

/// The name of a file that is not whole, which goes if it never will be.
struct Partial {
    path: PathBuf,
    is_whole: bool,
}

/// A file that is whole and on the disk, and does not have its name yet.
pub(crate) struct Draft {
    path: PathBuf,
    partial: Partial,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_whole {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Sink {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(PARTIAL);
        let partial = PathBuf::from(name);
        let file = BufWriter::new(File::create(&partial)?);
        let partial = Partial { path: partial, is_whole: false };
        Ok(Self { file, path: path.to_owned(), partial, hash: Sha256::new(), bytes: 0 })
    }

    /// Waits until all of it is on the disk.
    pub(crate) fn close(mut self) -> io::Result<Draft> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let Self { path, partial, bytes, hash, .. } = self;
        Ok(Draft { path, partial, bytes, sha256: hex::encode(hash.finalize()) })
    }
}

impl Draft {
    /// Gives the file its name, which it has after a power failure too.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        fs::rename(&self.partial.path, &self.path)?;
        self.partial.is_whole = true;
        sync_names(&self.path)
    }
}

/// Removes a file if it is there. It stays away after a power failure too.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_names(path)),
    }
}

/// Waits until the names in the directory of this file are on the disk.
fn sync_names(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
