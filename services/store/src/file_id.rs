//! Which file has a name, now and when it was opened.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file at this path; `None` if there is none.
    ///
    /// # Errors
    /// If nobody can tell.
    pub(crate) fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::from(&metadata))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file that is open.
    ///
    /// # Errors
    /// If the system does not tell.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from(&metadata))
    }
}

/// How a file is, as far as the system tells without reading it: whoever writes to it changes this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    id: FileId,
    bytes: u64,
    /// When it was written to last, in seconds and nanoseconds.
    written: (i64, i64),
}

impl FileState {
    /// That of the file at this path; `None` if nobody can tell.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let written = (metadata.mtime(), metadata.mtime_nsec());
        Some(Self { id: FileId::from(&metadata), bytes: metadata.len(), written })
    }
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}
