//! The file of the rows that a database refuses. Whoever is refused appends to it, `parsec spool list` shows it, and
//! `parsec spool replay` offers its rows again.
//!
//! It lies beside the slots of a spool directory, one file for each database and all processes. A line is a row, with the
//! reason and the time.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::file_id::FileId;
use crate::refused::Refused;
use crate::spool::{Identity, SpoolError, failed, read_line, so_many_rows, spooled, sync_directory};
use crate::{Row, StoreConfig};

/// What its name ends with,
const ENDING: &str = "refused.jsonl";

/// and while its rows are offered again.
const TAKEN: &str = "refused.taken";

/// How often a file may be taken away in the moment in which it is opened.
const OPEN_TRIES: u32 = 8;

/// How many different reasons are listed.
const MAX_REASONS: usize = 10;

/// Where the rows go that one database refuses.
#[derive(Debug)]
pub struct SetAside {
    path: PathBuf,
    taken: PathBuf,
    /// The database, without user and password.
    database: String,
    max_bytes: u64,
}

/// A line, but for its row.
#[derive(Debug, Deserialize)]
struct Line<R> {
    database: String,
    at: DateTime<Utc>,
    why: String,
    in_part: bool,
    row: R,
}

impl SetAside {
    /// The file for this database in this directory, which is that of the spool if there is one. It is made when it is needed, and may take so much.
    pub fn of(directory: &Path, database: &StoreConfig, max_bytes: u64) -> Self {
        let identity = Identity::of(database);
        let [path, taken] = [ENDING, TAKEN].map(|ending| identity.file(directory, ending));
        Self { path, taken, database: identity.text().to_owned(), max_bytes }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends these rows. They are on disk when it returns.
    ///
    /// # Errors
    /// With [`is_full`](SpoolError::is_full) if there is no room; nothing is appended then, or after any error.
    pub fn keep(&self, refused: &[Refused]) -> Result<(), SpoolError> {
        let at = Utc::now();
        let lines: String = refused.iter().map(|refused| self.line(refused, at)).collect();
        self.append(lines.as_bytes())
    }

    fn line(&self, Refused { row, why, in_part }: &Refused, at: DateTime<Utc>) -> String {
        let (database, why, at) = (Value::from(self.database.as_str()), Value::from(why.as_str()), at.to_rfc3339());
        let row = spooled(row);
        format!("{{\"database\":{database},\"at\":\"{at}\",\"why\":{why},\"in_part\":{in_part},\"row\":{row}}}\n")
    }

    fn append(&self, bytes: &[u8]) -> Result<(), SpoolError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let directory = directory_of(&self.path);
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
        let mut file = self.locked()?;
        let length = file.metadata().map_err(failed("read", &self.path))?.len();
        let needed = bytes.len() as u64 + 1;
        if length + needed > self.max_bytes {
            return Err(SpoolError::Full { bytes: length, max_bytes: self.max_bytes, needed });
        }
        let written = end_of_line(&file, length).and_then(|end| {
            file.write_all(end)?;
            file.write_all(bytes)?;
            file.sync_all()
        });
        let written = written.map_err(failed("write", &self.path));
        // A file without a name on disk is gone after a power failure.
        let written = if length == 0 { written.and_then(|()| sync_directory(directory)) } else { written };
        if written.is_err() {
            let _ = file.set_len(length);
        }
        written
    }

    /// The file, which nobody else appends to or takes away meanwhile.
    fn locked(&self) -> Result<File, SpoolError> {
        for _ in 0..OPEN_TRIES {
            let file = OpenOptions::new().create(true).read(true).append(true).open(&self.path);
            let file = file.map_err(failed("open", &self.path))?;
            file.lock().map_err(failed("lock", &self.path))?;
            if is_at(&file, &self.path)? {
                return Ok(file);
            }
        }
        Err(failed("open", &self.path)(io::Error::other("it is taken away again and again")))
    }

    /// Takes what is in the file, to be offered again. `None` if there is nothing.
    ///
    /// # Errors
    /// If somebody else does the same at this moment, or the file cannot be read.
    pub(crate) fn take(&self) -> Result<Option<Aside>, SpoolError> {
        if !self.taken.exists() && !self.path.exists() {
            return Ok(None);
        }
        let file = OpenOptions::new().create(true).read(true).append(true).open(&self.taken);
        let mut file = file.map_err(failed("open", &self.taken))?;
        let ours = match file.try_lock() {
            Ok(()) => is_at(&file, &self.taken)?,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(failed("lock", &self.taken)(error)),
        };
        if !ours {
            let error = io::Error::other("another `parsec spool replay` is at work on it");
            return Err(failed("take", &self.taken)(error));
        }
        if self.path.exists() {
            let mut fresh = self.locked()?;
            move_behind(&mut fresh, &mut file).map_err(failed("write", &self.taken))?;
            sync_directory(directory_of(&self.taken))?;
            fs::remove_file(&self.path).map_err(failed("remove", &self.path))?;
        }
        let lines = File::open(&self.taken).map_err(failed("open", &self.taken))?;
        Ok(Some(Aside { path: self.taken.clone(), lines: BufReader::new(lines), _lock: file }))
    }

    /// Puts lines back that cannot be read.
    pub(crate) fn put_back(&self, lines: &[Vec<u8>]) -> Result<(), SpoolError> {
        self.append(&lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect::<Vec<u8>>())
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether this file is still the one at this path.
fn is_at(file: &File, path: &Path) -> Result<bool, SpoolError> {
    let there = FileId::at(path).and_then(|there| Ok(there == Some(FileId::of(file)?)));
    there.map_err(failed("read", path))
}

/// Appends rows to those that a replay has left which did not come to its end.
fn move_behind(fresh: &mut File, left: &mut File) -> io::Result<()> {
    let end = end_of_line(left, left.metadata()?.len())?;
    left.write_all(end)?;
    io::copy(fresh, left)?;
    left.sync_all()
}

/// What is missing at the end of a file that somebody was killed over.
fn end_of_line(file: &File, length: u64) -> io::Result<&'static [u8]> {
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    Ok(if last == *b"\n" { b"" } else { b"\n" })
}

/// Rows that were set aside, and are offered again.
#[derive(Debug)]
pub struct Aside {
    path: PathBuf,
    lines: BufReader<File>,
    /// Keeps others out.
    _lock: File,
}

impl Aside {
    /// The next rows, at most so many, and the lines among them that cannot be read. Neither if there are no more.
    pub(crate) fn next(&mut self, count: usize) -> Result<(Vec<Row>, Vec<Vec<u8>>), SpoolError> {
        let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
        for line in (&mut self.lines).split(b'\n').take(count) {
            let line = line.map_err(failed("read", &self.path))?;
            match row_of(&line) {
                Some(row) => rows.push(row),
                None => unreadable.push(line),
            }
        }
        Ok((rows, unreadable))
    }

    /// All rows are written, or set aside again.
    pub(crate) fn done(self) -> Result<(), SpoolError> {
        fs::remove_file(&self.path).map_err(failed("remove", &self.path))
    }
}

fn row_of(line: &[u8]) -> Option<Row> {
    let line: Line<Value> = serde_json::from_slice(line).ok()?;
    read_line(line.row.to_string().as_bytes()).ok()
}

/// What is in a file of rows that were set aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetAsideReport {
    /// The file.
    pub path: PathBuf,
    /// Which database has refused them, without user and password.
    pub database: Option<String>,
    /// How many rows; one that was refused twice counts twice.
    pub rows: usize,
    /// Those of them that are in the database but for their trace.
    pub in_part: usize,
    /// Lines that cannot be read.
    pub unreadable: usize,
    /// What the file takes.
    pub bytes: u64,
    /// How long ago the first one was refused.
    pub oldest: Option<Duration>,
    /// Why, and how many for each reason.
    pub reasons: BTreeMap<String, usize>,
}

impl SetAsideReport {
    /// Whether this database has refused them.
    pub fn is_of(&self, database: &StoreConfig) -> bool {
        self.database.as_deref() == Some(Identity::of(database).text())
    }
}

impl SetAsideReport {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "path": self.path,
            "database": self.database,
            "refused": true,
            "used": false,
            "rows": self.rows,
            "in_part": self.in_part,
            "unreadable": self.unreadable,
            "bytes": self.bytes,
            "oldest_seconds": self.oldest.map(|age| age.as_secs()),
            "reasons": self.reasons,
        })
    }
}

/// For people: what was refused and why, a line for each reason, and what to do.
impl fmt::Display for SetAsideReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.database.as_deref().unwrap_or("a database");
        write!(f, "{}: {} that {database} has refused", self.path.display(), so_many_rows(self.rows))?;
        if self.in_part > 0 {
            write!(f, ", {} of them only the trace", self.in_part)?;
        }
        write!(f, "\n  once the reason is gone, `parsec spool replay` writes them")?;
        for (why, count) in &self.reasons {
            write!(f, "\n  {}: {why}", so_many_rows(*count))?;
        }
        if self.unreadable > 0 {
            write!(f, "\n  {} of the lines cannot be read", self.unreadable)?;
        }
        Ok(())
    }
}

/// What was set aside below a spool directory, by name. A directory that does not exist has nothing.
///
/// # Errors
/// [`SpoolError::Io`] if it cannot be read.
pub fn set_aside(directory: &Path) -> Result<Vec<SetAsideReport>, SpoolError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", directory)(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed("list", directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [ENDING, TAKEN].into_iter().any(|ending| name.ends_with(&format!(".{ending}"))) {
            files.push(path);
        }
    }
    files.sort_unstable();
    files.into_iter().map(report).collect()
}

fn report(path: PathBuf) -> Result<SetAsideReport, SpoolError> {
    let file = File::open(&path).map_err(failed("open", &path))?;
    let bytes = file.metadata().map_err(failed("read", &path))?.len();
    let mut report = SetAsideReport { bytes, ..SetAsideReport::default() };
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(failed("read", &path))?;
        let Ok(line) = serde_json::from_slice::<Line<IgnoredAny>>(&line) else {
            report.unreadable += 1;
            continue;
        };
        report.rows += 1;
        report.in_part += usize::from(line.in_part);
        report.database.get_or_insert(line.database);
        report.oldest = report.oldest.max((Utc::now() - line.at).to_std().ok());
        if report.reasons.len() < MAX_REASONS || report.reasons.contains_key(&line.why) {
            *report.reasons.entry(line.why).or_default() += 1;
        }
    }
    Ok(SetAsideReport { path, ..report })
}

#[cfg(test)]
mod tests;
