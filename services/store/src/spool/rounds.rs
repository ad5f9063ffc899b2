//! What rounds attempt, noted before they do, so that each attempt has a row whatever happens. A few files for each round,
//! named after it:
//! - without an ending: the round and what has begun first; `ended` once the end of the round is in the journal. It stays
//!   until the database has taken all rows of the round, because the journal may lose some to a damaged disk
//! - `planned`: what begins once the publication has returned; `begun` once it has.
//!
//! Each is a row of the round and the rows of its attempts as they are if their results are lost, a frame for each.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use parsec_measure::{Attempt, Round, RoundId};
use uuid::Uuid;

use super::error::{Damage, SpoolError, failed};
use super::frame::{self, Header, MAX_PAYLOAD, frames};
use super::journal::sync_directory;
use super::segment::DAMAGED;
use super::shape;
use crate::Row;

/// Where announcements lie, below the slot.
pub(super) const FOLDER: &str = "open";

/// The ending of a file that is still being written.
const UNFINISHED: &str = "unfinished";

/// The ending of a file with attempts that have not begun. It is renamed when they do, which takes microseconds and holds
/// whatever becomes of the process: they begin without waiting for a disk.
const PLANNED: &str = "planned";

/// The ending of such a file from then on.
const BEGUN: &str = "begun";

/// The ending that the first file of a round has once the round has ended.
const ENDED: &str = "ended";

/// How many rounds may be announced at once: several times the loops that one process has.
const MAX_OPEN: usize = 1_000;

/// How many rounds that have ended are kept: half a day at one round a minute. In a longer outage the attempts of older ones
/// are known by their rows alone.
const MAX_ENDED: usize = 1_000;

/// The folder with the announcements of one slot.
#[derive(Debug)]
pub(super) struct OpenRounds {
    folder: PathBuf,
    known: Vec<Known>,
}

/// A round whose files are there.
#[derive(Debug)]
struct Known {
    round: Uuid,
    /// How long its files are together.
    bytes: u64,
    /// The numbers in the journal between which its rows stand; up to the last one while it has not ended.
    rows: Range<u64>,
    ended: bool,
    /// Whether some of its rows may be lost.
    hit: bool,
}

/// A round whose rows may be lost, and its attempts.
#[derive(Debug)]
pub(super) struct LeftOpen {
    pub(super) id: Uuid,
    pub(super) ended: bool,
    /// `None` if it cannot be read any more.
    round: Option<Round>,
    attempts: Vec<Attempt>,
}

impl OpenRounds {
    /// The folder, which is made if it is not there, and what is in it. Those that have ended have rows somewhere before
    /// `next`.
    pub(super) fn open(slot: &Path, next: u64) -> Result<(Self, Vec<LeftOpen>, Vec<Damage>), SpoolError> {
        let folder = slot.join(FOLDER);
        if !folder.is_dir() {
            fs::create_dir(&folder).map_err(failed("create", &folder))?;
            sync_directory(slot)?;
        }
        let mut this = Self { folder, known: Vec::new() };
        let (left, damage) = read_all(slot)?;
        for damage in &damage {
            let _ = fs::copy(&damage.path, damage.path.with_added_extension(DAMAGED));
        }
        this.remove_leftovers()?;
        for LeftOpen { id, ended, .. } in &left {
            let bytes = this.length(*id);
            let rows = 0..if *ended { next } else { u64::MAX };
            this.known.push(Known { round: *id, bytes, rows, ended: *ended, hit: false });
        }
        Ok((this, left.into_iter().filter(|left| !left.ended).collect(), damage))
    }

    /// Removes what a crash has left behind of files that mean nothing by themselves.
    fn remove_leftovers(&self) -> Result<(), SpoolError> {
        for entry in fs::read_dir(&self.folder).map_err(failed("list", &self.folder))?.flatten() {
            let path = entry.path();
            let is_alone = || !path.with_extension("").exists() && !path.with_extension(ENDED).exists();
            let is_left = match path.extension().and_then(|ending| ending.to_str()) {
                Some(UNFINISHED) => true,
                Some(PLANNED | BEGUN) => is_alone(),
                _ => false,
            };
            if is_left {
                remove_if_there(&path)?;
            }
        }
        Ok(())
    }

    fn path(&self, round: Uuid) -> PathBuf {
        self.folder.join(round.to_string())
    }

    /// How long the files of a round are together.
    fn length(&self, round: Uuid) -> u64 {
        files(&self.path(round)).iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.known.iter().map(|known| known.bytes).sum()
    }

    /// How many rounds have not ended.
    fn open_rounds(&self) -> usize {
        self.known.iter().filter(|known| !known.ended).count()
    }

    /// Writes what a round is about to attempt, and what it plans to attempt after that, in place of what was written of it
    /// before. Its rows come into the journal from the number `next` on.
    pub(super) fn announce(
        &mut self,
        round: &Round,
        attempts: &[Attempt],
        planned: &[Attempt],
        seconds: u64,
        next: u64,
    ) -> Result<(), SpoolError> {
        let id = round.id.0;
        if self.open_rounds() >= MAX_OPEN && !self.known.iter().any(|known| known.round == id) {
            return Err(SpoolError::TooManyRounds { open: self.open_rounds() });
        }
        let bytes = encode(round, attempts, seconds)?;
        let path = self.path(id);
        remove_if_there(&path.with_extension(BEGUN))?;
        if planned.is_empty() {
            remove_if_there(&path.with_extension(PLANNED))?;
        } else {
            write(&path.with_extension(PLANNED), &encode(round, planned, seconds)?)?;
        }
        write(&path, &bytes)?;
        self.note(id, next);
        sync_directory(&self.folder)
    }

    /// What was planned begins now, as `attempts` say it.
    pub(super) fn begin(
        &mut self,
        round: &Round,
        attempts: &[Attempt],
        seconds: u64,
        next: u64,
    ) -> Result<(), SpoolError> {
        let id = round.id.0;
        if !self.known.iter().any(|known| known.round == id) {
            return self.announce(round, attempts, &[], seconds, next);
        }
        let path = self.path(id);
        let (planned, begun) = (path.with_extension(PLANNED), path.with_extension(BEGUN));
        match fs::rename(&planned, &begun) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("rename", &planned)(error)),
            _ => {}
        }
        write(&begun, &encode(round, attempts, seconds)?)?;
        self.note(id, next);
        sync_directory(&self.folder)
    }

    fn note(&mut self, round: Uuid, next: u64) {
        let bytes = self.length(round);
        match self.known.iter_mut().find(|known| known.round == round) {
            Some(known) => known.bytes = bytes,
            None => self.known.push(Known { round, bytes, rows: next..u64::MAX, ended: false, hit: false }),
        }
    }

    /// The round has ended, and all of its rows stand before the number `next`.
    pub(super) fn end(&mut self, RoundId(round): RoundId, next: u64) -> Result<(), SpoolError> {
        let path = self.path(round);
        remove_if_there(&path.with_extension(PLANNED))?;
        match fs::rename(&path, path.with_extension(ENDED)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("rename", &path)(error)),
            _ => {}
        }
        let bytes = self.length(round);
        if let Some(known) = self.known.iter_mut().find(|known| known.round == round) {
            (known.ended, known.rows.end, known.bytes) = (true, next, bytes);
        }
        let too_many = (self.known.len() - self.open_rounds()).saturating_sub(MAX_ENDED);
        let oldest = self.known.iter().filter(|known| known.ended && !known.hit).take(too_many);
        let oldest: Vec<_> = oldest.map(|known| known.round).collect();
        oldest.into_iter().for_each(|round| self.remove(round));
        Ok(())
    }

    /// Everything before the number `done` is in the database, or counted as lost.
    pub(super) fn done(&mut self, done: u64) {
        let is_done = |known: &&Known| known.ended && !known.hit && known.rows.end <= done;
        let done: Vec<_> = self.known.iter().filter(is_done).map(|known| known.round).collect();
        done.into_iter().for_each(|round| self.remove(round));
    }

    /// Rows with these numbers are lost.
    pub(super) fn hit(&mut self, lost: &Range<u64>) {
        for known in &mut self.known {
            known.hit |= known.rows.start < lost.end && lost.start < known.rows.end;
        }
    }

    /// The rounds that have ended and may have lost rows.
    pub(super) fn hits(&self) -> Vec<LeftOpen> {
        let hits = self.known.iter().filter(|known| known.ended && known.hit);
        hits.map(|hit| read_round(hit.round, &self.path(hit.round).with_extension(ENDED), true, &mut Vec::new()))
            .collect()
    }

    /// The rows that may have been lost have been written again, with these numbers.
    pub(super) fn made_good(&mut self, rounds: &[Uuid], rows: &Range<u64>) {
        for known in self.known.iter_mut().filter(|known| rounds.contains(&known.round)) {
            (known.hit, known.rows) = (false, rows.clone());
        }
    }

    /// Removes the files of a round, as far as the disk lets it. If a crash undoes that, the rows made of it come after those
    /// with the results, and the first ones stay.
    fn remove(&mut self, round: Uuid) {
        // The one without which the others mean nothing goes last.
        let removed = files(&self.path(round)).iter().try_for_each(|file| remove_if_there(file));
        if removed.is_ok() {
            self.known.retain(|known| known.round != round);
        }
    }
}

fn files(path: &Path) -> [PathBuf; 4] {
    [path.with_extension(PLANNED), path.with_extension(BEGUN), path.to_owned(), path.with_extension(ENDED)]
}

/// Puts a file in place of what was there. Whoever dies meanwhile leaves one or the other.
fn write(path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
    let unfinished = path.with_added_extension(UNFINISHED);
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&unfinished, path)
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        failed("write", path)(error)
    })
}

fn remove_if_there(path: &Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

impl LeftOpen {
    /// The rows that are true of it now: the round was cut off, and what it attempted is lost, unless rows that were
    /// recorded earlier say otherwise.
    pub(super) fn rows(self, now: DateTime<Utc>) -> Vec<Row> {
        let lost = self.attempts.into_iter().map(|attempt| Row::Attempt(attempt.lost(now)));
        self.round.map(|round| Row::Round(round.cut_off(now))).into_iter().chain(lost).collect()
    }
}

fn encode(round: &Round, attempts: &[Attempt], seconds: u64) -> Result<Vec<u8>, SpoolError> {
    let rows = std::iter::once(Row::Round(round.clone())).chain(attempts.iter().cloned().map(Row::Attempt));
    let mut bytes = Vec::new();
    for (number, row) in (0..).zip(rows) {
        let header = Header { number, seconds, rows: 1, last: number as usize == attempts.len() };
        frame::encode(&mut bytes, header, &shape::line(&row));
        if bytes.len() > MAX_PAYLOAD {
            return Err(SpoolError::TooLong { bytes: bytes.len(), max_bytes: MAX_PAYLOAD });
        }
    }
    Ok(bytes)
}

/// All announcements below a slot, the oldest round first, and what of them cannot be read.
pub(super) fn read_all(slot: &Path) -> Result<(Vec<LeftOpen>, Vec<Damage>), SpoolError> {
    let folder = slot.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(error) => return Err(failed("list", &folder)(error)),
    };
    let (mut left, mut damage) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry.map_err(failed("list", &folder))?.path();
        // Its name is the id of its round, and nothing else that lies here is an announcement.
        let Some((id, ended)) = name_of(&path) else { continue };
        left.push(read_round(id, &path, ended, &mut damage));
    }
    left.sort_unstable_by_key(|left| (left.round.as_ref().map(|round| round.started), left.id));
    Ok((left, damage))
}

/// Whether a file is the first one of a round.
pub(super) fn is_announcement(path: &Path) -> bool {
    name_of(path).is_some()
}

fn name_of(path: &Path) -> Option<(Uuid, bool)> {
    let id = path.file_stem()?.to_str()?.parse().ok()?;
    match path.extension() {
        None => Some((id, false)),
        Some(ending) if ending == ENDED => Some((id, true)),
        Some(_) => None,
    }
}

/// What the files of a round say, the first of which is this one.
fn read_round(id: Uuid, path: &Path, ended: bool, damage: &mut Vec<Damage>) -> LeftOpen {
    let mut left = LeftOpen { id, ended, round: None, attempts: Vec::new() };
    for path in [path.to_owned(), path.with_extension(BEGUN)] {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // It has ended meanwhile, or nothing else has begun.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                damage.push(Damage { path, offset: 0, rows: 1, what: error.to_string() });
                continue;
            }
        };
        let (rows, lost) = rows_in(&bytes);
        for row in rows {
            match row {
                Row::Round(round) if round.id.0 == id => left.round = Some(round),
                Row::Attempt(attempt) if attempt.round.0 == id => left.attempts.push(attempt),
                _ => {}
            }
        }
        if lost > 0 {
            let what = "some of what a round was about to attempt cannot be read".to_owned();
            damage.push(Damage { path, offset: 0, rows: lost, what });
        }
    }
    left
}

/// The rows of an announcement, and how many of it cannot be read.
fn rows_in(bytes: &[u8]) -> (Vec<Row>, usize) {
    let (mut rows, mut lost, mut next, mut last) = (Vec::new(), 0, 0, false);
    for frame in frames(bytes, 0..u64::MAX) {
        lost += usize::try_from(frame.header.number - next).unwrap_or(usize::MAX);
        (next, last) = (frame.header.number + 1, frame.header.last);
        for line in frame.lines() {
            match shape::row(line) {
                Ok(row) => rows.push(row),
                Err(_) => lost += 1,
            }
        }
    }
    (rows, lost + usize::from(!last))
}
