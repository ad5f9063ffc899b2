//! The note of how far things are: up to which number the database has taken the rows, and up to which they were kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::{Damage, SpoolError, failed};

const NAME: &str = "acknowledged";

/// What the note says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    /// The first number that is not done with.
    pub(super) done: u64,
    /// The first number that no push has been told is kept. Earlier versions did not note it.
    pub(super) written: Option<u64>,
}

/// The file with the two numbers and their checksum. It is overwritten in place by one write and is not put on disk at once:
/// a killed process leaves it as it was written, and after a power failure an older one costs nothing but rows that are
/// offered again.
#[derive(Debug)]
pub(super) struct Note {
    path: PathBuf,
    file: Option<File>,
    /// Whether the file says what it was last told to.
    is_true: bool,
}

impl Note {
    pub(super) fn of(directory: &Path) -> Self {
        Self { path: directory.join(NAME), file: None, is_true: true }
    }

    /// What is noted; `None` if nothing is, or nothing that can be read.
    pub(super) fn read(directory: &Path) -> Result<(Option<Noted>, Option<Damage>), SpoolError> {
        let path = directory.join(NAME);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, None)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(failed("read", &path)(error)),
            // A sector that the disk does not give must not keep back all the rows beside it.
            Err(_) => Vec::new(),
        };
        let noted = decode(&bytes);
        let what = "what is done with is not known; rows are offered to the database again".to_owned();
        let damage = noted.is_none().then_some(Damage { path, offset: 0, rows: 0, what });
        Ok((noted, damage))
    }

    /// Notes both numbers, as far as the disk lets it.
    pub(super) fn write(&mut self, done: u64, written: u64) {
        let result = self.try_write(done, written);
        if result.is_err() {
            self.file = None;
        }
        self.is_true = result.is_ok();
    }

    fn try_write(&mut self, done: u64, written: u64) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(OpenOptions::new().create(true).write(true).truncate(false).open(&self.path)?),
        };
        let mut bytes = [done.to_le_bytes(), written.to_le_bytes()].concat();
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        file.write_all_at(&bytes, 0)
    }

    /// Puts the note on disk: before files vanish that it says are done with, which would look lost otherwise. Without a
    /// note nothing is expected to be there.
    pub(super) fn settle(&mut self) {
        let settled = self.is_true && self.file.as_ref().is_none_or(|file| file.sync_data().is_ok());
        if !settled {
            self.file = None;
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Noted> {
    let (numbers, sum) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(numbers).to_le_bytes() != *sum {
        return None;
    }
    let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    match numbers.len() {
        8 => Some(Noted { done: number(numbers)?, written: None }),
        16 => Some(Noted { done: number(&numbers[..8])?, written: number(&numbers[8..]) }),
        _ => None,
    }
}
