//! Rounds that have been announced and have not ended. Files of one frame each, named after the round: what has begun; with
//! the ending `planned`, what begins once the publication has returned; the same with the ending `begun` once it has.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use parsec_measure::{Attempt, Round, RoundId};
use uuid::Uuid;

use super::error::{Damage, SpoolError, failed};
use super::frame::{self, Found, Header, MAX_PAYLOAD};
use super::journal::sync_directory;
use super::segment::DAMAGED;
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

/// How many rounds may be announced at once: several times the loops that one process has.
const MAX_OPEN: usize = 1_000;

/// The folder with the announcements of one slot.
#[derive(Debug)]
pub(super) struct OpenRounds {
    folder: PathBuf,
    /// How long the files of each are together.
    open: Vec<(Uuid, u64)>,
}

/// An announcement that an earlier process has left.
#[derive(Debug)]
pub(super) struct LeftOpen {
    pub(super) round: Round,
    pub(super) attempts: Vec<Attempt>,
}

impl OpenRounds {
    /// The folder, which is made if it is not there, and what is in it.
    pub(super) fn open(slot: &Path) -> Result<(Self, Vec<LeftOpen>, Vec<Damage>), SpoolError> {
        let folder = slot.join(FOLDER);
        if !folder.is_dir() {
            fs::create_dir(&folder).map_err(failed("create", &folder))?;
            sync_directory(slot)?;
        }
        let mut this = Self { folder, open: Vec::new() };
        let (left, damage) = read_all(slot)?;
        for damage in &damage {
            let _ = set_aside(&damage.path);
        }
        this.remove_leftovers()?;
        this.open = left.iter().map(|left| (left.round.id.0, this.length(left.round.id.0))).collect();
        Ok((this, left, damage))
    }

    /// Removes what a crash has left behind of files that mean nothing by themselves.
    fn remove_leftovers(&self) -> Result<(), SpoolError> {
        for entry in fs::read_dir(&self.folder).map_err(failed("list", &self.folder))?.flatten() {
            let path = entry.path();
            let is_left = match path.extension().and_then(|ending| ending.to_str()) {
                Some(UNFINISHED) => true,
                Some(PLANNED | BEGUN) => !path.with_extension("").exists(),
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
        let path = self.path(round);
        let files = [path.with_extension(PLANNED), path.with_extension(BEGUN), path];
        files.iter().filter_map(|file| fs::metadata(file).ok()).map(|metadata| metadata.len()).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.open.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Writes what a round is about to attempt, and what it plans to attempt after that, in place of what was written of it
    /// before.
    pub(super) fn announce(
        &mut self,
        round: &Round,
        attempts: &[Attempt],
        planned: &[Attempt],
        seconds: u64,
    ) -> Result<(), SpoolError> {
        let id = round.id.0;
        let known = self.open.iter().any(|(open, _)| *open == id);
        if !known && self.open.len() >= MAX_OPEN {
            return Err(SpoolError::TooManyRounds { open: self.open.len() });
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
        self.note_length(id);
        sync_directory(&self.folder)
    }

    /// What was planned begins now, as `attempts` say it.
    pub(super) fn begin(&mut self, round: &Round, attempts: &[Attempt], seconds: u64) -> Result<(), SpoolError> {
        let id = round.id.0;
        if !self.open.iter().any(|(open, _)| *open == id) {
            return self.announce(round, attempts, &[], seconds);
        }
        let path = self.path(id);
        let (planned, begun) = (path.with_extension(PLANNED), path.with_extension(BEGUN));
        match fs::rename(&planned, &begun) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("rename", &planned)(error)),
            _ => {}
        }
        write(&begun, &encode(round, attempts, seconds)?)?;
        self.note_length(id);
        sync_directory(&self.folder)
    }

    fn note_length(&mut self, round: Uuid) {
        let length = self.length(round);
        match self.open.iter_mut().find(|(open, _)| *open == round) {
            Some(open) => open.1 = length,
            None => self.open.push((round, length)),
        }
    }

    /// Removes an announcement. If a crash undoes that, the rows made of it come after those with the results, and the
    /// first ones stay.
    pub(super) fn forget(&mut self, round: RoundId) -> Result<(), SpoolError> {
        let path = self.path(round.0);
        // The one without which the others mean nothing goes last.
        for file in [path.with_extension(PLANNED), path.with_extension(BEGUN), path] {
            remove_if_there(&file)?;
        }
        self.open.retain(|(open, _)| *open != round.0);
        Ok(())
    }
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
        std::iter::once(Row::Round(self.round.cut_off(now))).chain(lost).collect()
    }
}

fn encode(round: &Round, attempts: &[Attempt], seconds: u64) -> Result<Vec<u8>, SpoolError> {
    let rows: Vec<Row> =
        std::iter::once(Row::Round(round.clone())).chain(attempts.iter().cloned().map(Row::Attempt)).collect();
    let payload = frame::lines(&rows);
    if payload.len() > MAX_PAYLOAD {
        return Err(SpoolError::TooLong { bytes: payload.len(), max_bytes: MAX_PAYLOAD });
    }
    let rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    frame::encode(&mut bytes, Header { number: 0, seconds, rows, last: true }, &payload);
    Ok(bytes)
}

/// All announcements below a slot, the oldest round first, and those that cannot be read.
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
        let Some(id) = path.file_name().and_then(|name| name.to_str()?.parse::<Uuid>().ok()) else { continue };
        match read(&path, id) {
            Ok(Some((round, attempts))) => left.push(LeftOpen { round, attempts }),
            Ok(None) => continue,
            Err(what) => damage.push(Damage { path: path.clone(), offset: 0, what }),
        }
        let path = path.with_extension(BEGUN);
        match read(&path, id) {
            Ok(Some((round, begun))) => match left.last_mut().filter(|left| left.round.id == round.id) {
                Some(left) => left.attempts.extend(begun),
                None => left.push(LeftOpen { round, attempts: begun }),
            },
            Ok(None) => {}
            Err(what) => damage.push(Damage { path, offset: 0, what }),
        }
    }
    left.sort_unstable_by_key(|left| (left.round.started, left.round.id));
    Ok((left, damage))
}

/// `Ok(None)`: the round has ended meanwhile.
fn read(path: &Path, id: Uuid) -> Result<Option<(Round, Vec<Attempt>)>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let found = frame::read(&mut BufReader::new(file), length).map_err(|error| error.to_string())?;
    let Found::Frame(header, payload) = found else { return Err("its checksum is not what it was".to_owned()) };
    let mut rows = frame::unpack(&payload, header.rows)?.into_iter();
    let round = match rows.next() {
        Some(Row::Round(round)) if round.id.0 == id => round,
        _ => return Err(format!("it does not begin with round {id}")),
    };
    let attempts = rows.map(|row| match row {
        Row::Attempt(attempt) => Ok(attempt),
        _ => Err("it holds more than attempts".to_owned()),
    });
    Ok(Some((round, attempts.collect::<Result<_, _>>()?)))
}

fn set_aside(path: &Path) -> std::io::Result<()> {
    fs::rename(path, path.with_added_extension(DAMAGED))
}
