//! Slots: the directory that one process uses for one database, and how it finds a free one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::error::{SpoolError, failed};
use super::journal::sync_directory;
use super::rounds::{FOLDER, is_announcement};
use super::segment::Segment;
use crate::StoreConfig;
use crate::file_id::FileId;

/// How many processes can use one spool directory for one database at the same time: more than a host runs.
pub(super) const MAX_SLOTS: u32 = 256;

/// The file that is locked as long as a process uses the slot.
const LOCK: &str = "lock";

/// The file that says whose rows these are.
const DATABASE: &str = "database";

/// The file by which a disk is tried out, and how much is written to it: what a file takes at least.
const TRIED: &str = "tried";
const BLOCK: usize = 4_096;

/// How much of a name of a database stands in a name of a directory.
const MAX_NAME_CHARS: usize = 64;

/// Which database the rows belong to, whoever connects to it with whatever password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    text: String,
    /// What the names of its directories begin with.
    slug: String,
}

impl Identity {
    pub(crate) fn of(database: &StoreConfig) -> Self {
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
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A file of its own below a spool directory.
    pub(crate) fn file(&self, directory: &Path, ending: &str) -> PathBuf {
        directory.join(format!("{}.{ending}", self.slug))
    }

    /// The directory of one of its slots.
    pub(super) fn slot(&self, directory: &Path, number: u32) -> PathBuf {
        directory.join(format!("{}.{number}", self.slug))
    }

    /// Whether this directory is one of its slots.
    pub(super) fn has(&self, slot: &Path) -> bool {
        slug(slot) == Some(self.slug.as_str())
    }
}

/// What the name of a slot begins with. It says whose the slot is: it ends with a checksum of that.
fn slug(slot: &Path) -> Option<&str> {
    Some(slot.file_name()?.to_str()?.rsplit_once('.')?.0)
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
    lock: File,
}

impl Slot {
    /// Takes the slot, which is made if it is not there. `None` if a process uses it.
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
        let slot = Self { path, lock };
        slot.describe(identity)?;
        Ok(Some(slot))
    }

    /// Writes down for people whose rows these are, unless it is written there.
    fn describe(&self, identity: &Identity) -> Result<(), SpoolError> {
        if database(&self.path)?.is_some() {
            return Ok(());
        }
        let (path, unfinished) = (self.path.join(DATABASE), self.path.join("database.unfinished"));
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(identity.text.as_bytes())?;
            file.sync_data()?;
            fs::rename(&unfinished, &path)
        });
        written.map_err(failed("write", &path))?;
        // A directory that a power failure undoes takes with it whatever was put on disk in it.
        sync_directory(&self.path)?;
        self.path.parent().map_or(Ok(()), sync_directory)
    }

    /// Writes a block and takes it back.
    pub(super) fn try_out(&self) -> Result<(), SpoolError> {
        let path = self.path.join(TRIED);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&[0; BLOCK])?;
            file.sync_all()
        });
        let removed = fs::remove_file(&path);
        written.and(removed).map_err(failed("write", &path))
    }

    /// Whether the directory is still the one that was taken: somebody may have removed it, or moved it away. A disk that does
    /// not tell now has it all the same.
    pub(super) fn is_in_place(&self) -> bool {
        match (FileId::of(&self.lock), FileId::at(&self.path.join(LOCK))) {
            (Ok(ours), Ok(there)) => there == Some(ours),
            _ => true,
        }
    }
}

/// Which database a slot belongs to, in words; `None` if that is not written there, or not as it was.
pub(super) fn database(slot: &Path) -> Result<Option<String>, SpoolError> {
    let path = slot.join(DATABASE);
    match fs::read(&path) {
        Ok(text) => {
            let sum = format!("-{:08x}", crc32fast::hash(&text));
            Ok(String::from_utf8(text).ok().filter(|_| slug(slot).is_some_and(|slug| slug.ends_with(&sum))))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(failed("read", &path)(error)),
        // It is not there, or the disk does not give it: the name of the slot says the same.
        Err(_) => Ok(None),
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

/// Whether there is something in a slot that somebody should look after.
pub(super) fn holds_something(slot: &Path) -> bool {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let has_rows = entries(slot.to_owned()).any(|entry| Segment::number_of(&entry.path()).is_some());
    has_rows || entries(slot.join(FOLDER)).any(|entry| is_announcement(&entry.path()))
}
