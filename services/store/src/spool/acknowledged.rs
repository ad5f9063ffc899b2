//! The note of what is done with: up to which number the database has taken the rows.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::{Damage, SpoolError, failed};

const NAME: &str = "acknowledged";

/// A number and its checksum.
const BYTES: usize = 12;

/// The file with the number. It is overwritten in place by one write: it need not be on disk at once, since rows that are
/// offered again are taken as once, and one that was written by half is recognised and counts as none.
#[derive(Debug)]
pub(super) struct Acknowledged {
    path: PathBuf,
    file: Option<File>,
}

impl Acknowledged {
    pub(super) fn of(directory: &Path) -> Self {
        Self { path: directory.join(NAME), file: None }
    }

    /// The first number that is not done with. Damage costs nothing but rows that are offered again.
    pub(super) fn read(directory: &Path) -> Result<(u64, Option<Damage>), SpoolError> {
        let path = directory.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((0, None)),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let read =
            bytes.split_first_chunk::<8>().filter(|(number, sum)| crc32fast::hash(&number[..]).to_le_bytes() == **sum);
        Ok(match read {
            Some((number, _)) => (u64::from_le_bytes(*number), None),
            None => {
                let what = "what is done with is not known; rows are offered to the database again".to_owned();
                (0, Some(Damage { path, offset: 0, what }))
            }
        })
    }

    /// Notes the number.
    pub(super) fn write(&mut self, number: u64) -> Result<(), SpoolError> {
        let written = self.try_write(number);
        if written.is_err() {
            self.file = None;
        }
        written.map_err(failed("write", &self.path))
    }

    fn try_write(&mut self, number: u64) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let options = OpenOptions::new().create(true).write(true).truncate(false).open(&self.path)?;
                self.file.insert(options)
            }
        };
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..8]);
        bytes[8..].copy_from_slice(&sum.to_le_bytes());
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bytes)
    }

    /// Puts the note on disk: before files vanish that it says are done with.
    pub(super) fn sync(&self) -> Result<(), SpoolError> {
        self.file.as_ref().map_or(Ok(()), File::sync_data).map_err(failed("sync", &self.path))
    }
}
