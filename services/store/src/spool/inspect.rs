//! Looking at a spool directory from outside: nothing is changed, and nobody who uses it is disturbed.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clock::Clock;
use super::error::{Damage, SpoolError, failed};
use super::segment::{self, DAMAGED, Segment};
use super::slot::{Identity, database, is_slot, is_used};
use super::{frame, journal, rounds, shape};
use crate::StoreConfig;

/// What is in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotReport {
    /// Its directory.
    pub path: PathBuf,
    /// Whose rows these are: the database without user and password. `None` if that cannot be read.
    pub database: Option<String>,
    /// Whether a process uses it at this moment. What it says of itself then changes while it is read.
    pub used: bool,
    /// Rows that wait.
    pub rows: usize,
    /// What all files take.
    pub bytes: u64,
    /// For how long the oldest row has waited.
    pub oldest: Option<Duration>,
    /// Rounds that were announced and have not ended.
    pub open_rounds: usize,
    /// Rows that are lost, as far as is known; they count as lost when those before them are written.
    pub lost: usize,
    /// Bytes of a push that did not come to its end; the next one who uses the slot leaves them out.
    pub torn_bytes: u64,
    /// What cannot be read, and what an earlier start has set aside.
    pub damage: Vec<Damage>,
}

impl SlotReport {
    /// Whether these rows are for this database.
    pub fn is_of(&self, database: &StoreConfig) -> bool {
        Identity::of(database).has(&self.path)
    }

    /// Whether something waits here that nobody looks after.
    pub fn is_abandoned(&self) -> bool {
        !self.used && (self.rows > 0 || self.open_rounds > 0)
    }
}

/// How closely a slot is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolDepth {
    /// Checksums.
    Frames,
    /// Each row as well.
    Rows,
}

/// What is in each slot below a spool directory, by name. A directory that does not exist has none.
///
/// # Errors
/// [`SpoolError::Io`] if a directory cannot be read.
pub fn inspect(directory: &Path, depth: SpoolDepth) -> Result<Vec<SlotReport>, SpoolError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", directory)(error)),
    };
    let mut slots = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed("list", directory))?.path();
        if is_slot(&path) {
            slots.push(path);
        }
    }
    slots.sort_unstable();
    slots.into_iter().map(|path| report(path, depth)).collect()
}

fn report(path: PathBuf, depth: SpoolDepth) -> Result<SlotReport, SpoolError> {
    let used = is_used(&path)?;
    let clock = Clock::now();
    let found = journal::survey(&path, !used)?;
    let (open, announcements) = rounds::read_all(&path)?;
    let mut damage = found.damage;
    damage.extend(announcements);
    if depth == SpoolDepth::Rows {
        damage.extend(found.segments.iter().flat_map(unreadable));
    }
    let waiting = || found.segments.iter().flat_map(|segment| &segment.pieces).filter(|piece| piece.rows > 0);
    let report = SlotReport {
        database: database(&path)?,
        used,
        rows: waiting().map(|piece| piece.rows).sum(),
        bytes: bytes(&path),
        oldest: waiting().next().map(|piece| clock.age(piece.seconds)),
        open_rounds: open.iter().filter(|left| !left.ended).count(),
        lost: damage.iter().map(|damage| damage.rows).sum(),
        torn_bytes: found.torn,
        damage: damage.into_iter().chain(set_aside(&path)).collect(),
        path,
    };
    Ok(report)
}

/// The rows that cannot be read although their checksums are right, for instance because a newer version has written them.
fn unreadable(segment: &Segment) -> Vec<Damage> {
    let damage = |offset, rows, what| Damage { path: segment.path.clone(), offset, rows, what };
    let file = match File::open(&segment.path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![damage(0, segment.rows(), error.to_string())],
    };
    let mut found = Vec::new();
    for piece in segment.pieces.iter().filter(|piece| piece.rows > 0) {
        match segment::read(&file, piece, true) {
            Ok(bytes) => {
                let lines = frame::frames(&bytes, piece.numbers.clone()).flat_map(|frame| frame.lines());
                found.extend(lines.filter_map(|line| Some(damage(piece.offset, 1, shape::row(line).err()?))));
            }
            Err(error) => found.push(damage(piece.offset, piece.rows, error.to_string())),
        }
    }
    found
}

/// All files of a slot, the announcements among them.
fn files(slot: &Path) -> impl Iterator<Item = (PathBuf, u64)> {
    let folders = [slot.to_owned(), slot.join(rounds::FOLDER)];
    let entries = folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    entries.filter_map(|entry| {
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((entry.path(), metadata.len()))
    })
}

fn bytes(slot: &Path) -> u64 {
    files(slot).map(|(_, bytes)| bytes).sum()
}

fn set_aside(slot: &Path) -> impl Iterator<Item = Damage> {
    let aside = files(slot).filter(|(path, _)| path.extension().is_some_and(|ending| ending == DAMAGED));
    aside.map(|(path, _)| Damage {
        path,
        offset: 0,
        rows: 0,
        what: "it was set aside; remove it if it cannot be repaired".to_owned(),
    })
}
