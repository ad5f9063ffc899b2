//! Slots: the directory that one process uses for one database, and how it finds a free one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::error::{SpoolError, failed};
use super::journal::sync_directory;
use crate::StoreConfig;

/// How many processes can use one spool directory for one database at the same time: more than a host runs.
pub(super) const MAX_SLOTS: u32 = 256;

/// The file that is locked as long as a process uses the slot.
const LOCK: &str = "lock";

/// The file that says whose rows these are.
const DATABASE: &str = "database";

/// How much of a name of a database stands in a name of a directory.
const MAX_NAME_CHARS: usize = 64;

/// Which database the rows belong to, whoever connects to it with whatever password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    text: String,
    /// What the names of its directories begin with.
    slug: String,
}

impl Identity {
    pub(super) fn of(database: &StoreConfig) -> Self {
        let (text, name) = match database {
            StoreConfig::Postgres { host, port, name, .. } => {
                (format!("postgres://{host}:{port}/{name}"), format!("{host}-{port}-{name}"))
            }
            StoreConfig::Sqlite { path } => {
                let path = canonical(path);
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                (format!("sqlite:{}", path.display()), format!("sqlite-{stem}"))
            }
        };
        let plain = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' };
        let name: String = name.chars().map(plain).take(MAX_NAME_CHARS).collect();
        let slug = format!("{name}-{:08x}", crc32fast::hash(text.as_bytes()));
        Self { text, slug }
    }

    /// As one line for people.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The directory of one of its slots.
    pub(super) fn slot(&self, directory: &Path, number: u32) -> PathBuf {
        directory.join(format!("{}.{number}", self.slug))
    }
}

/// The path without links and dots. The file need not exist yet, and if its directory does not either, the path as it is
/// has to do.
fn canonical(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent().and_then(|parent| parent.canonicalize().ok()), absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute,
    }
}

/// A slot that is ours as long as this value lives.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) path: PathBuf,
    /// Unlocked when it is closed, by the operating system too.
    _lock: File,
}

impl Slot {
    /// Takes the slot, which is made if it is not there. `None` if a process uses it, or if it is another database's.
    pub(super) fn take(path: PathBuf, identity: &Identity) -> Result<Option<Self>, SpoolError> {
        fs::create_dir_all(&path).map_err(failed("create", &path))?;
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(failed("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &lock_path)(error)),
        }
        let slot = Self { path, _lock: lock };
        Ok(if slot.belongs_to(identity)? { Some(slot) } else { None })
    }

    fn belongs_to(&self, identity: &Identity) -> Result<bool, SpoolError> {
        let path = self.path.join(DATABASE);
        match database(&self.path)? {
            Some(text) => Ok(text == identity.text),
            None => {
                let unfinished = self.path.join("database.unfinished");
                let written = File::create(&unfinished).and_then(|mut file| {
                    file.write_all(identity.text.as_bytes())?;
                    file.sync_data()?;
                    fs::rename(&unfinished, &path)
                });
                written.map_err(failed("write", &path))?;
                // A directory that a power failure undoes takes with it whatever was put on disk in it.
                sync_directory(&self.path)?;
                self.path.parent().map_or(Ok(()), sync_directory)?;
                Ok(true)
            }
        }
    }
}

/// Which database a slot belongs to, in words; `None` if that was never written.
pub(super) fn database(slot: &Path) -> Result<Option<String>, SpoolError> {
    let path = slot.join(DATABASE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", &path)(error)),
    }
}

/// Whether a directory is a slot: somebody has locked it once.
pub(super) fn is_slot(path: &Path) -> bool {
    path.join(LOCK).is_file()
}

/// Whether a process uses the slot at this moment.
pub(super) fn is_used(slot: &Path) -> Result<bool, SpoolError> {
    let path = slot.join(LOCK);
    let lock = File::open(&path).map_err(failed("open", &path))?;
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
    }
}
