//! The spool: the files in which rows wait while the database is away, and what was begun and may never end.
//!
//! A process takes a *slot* below the spool directory, one that no other uses, and has in it
//! - a *journal*: numbered files to which pushes are appended, each row with a checksum and a number, and on disk before it
//!   counts as kept. What the database has taken is confirmed, and files of which everything is confirmed vanish. A damaged
//!   byte costs the row that it belongs to: the numbers say which rows are missing.
//! - *announcements*: what each round is about to attempt. What of it has no result when the process is gone, or when the
//!   journal has lost rows, becomes rows with the class `record_lost`.
//!
//! Rows are offered to the database at least once. They carry their identity and the database keeps the first of each,
//! so in every doubt (a confirmation that was not noted, a slot that was moved by half) they are offered again.
//!
//! All of it blocks: call it where that harms nobody.

mod clock;
mod error;
mod frame;
mod inspect;
mod journal;
mod late;
mod note;
mod oldest;
mod recovered;
mod replay;
mod rounds;
mod segment;
mod shape;
mod slot;
#[cfg(test)]
pub(crate) mod synced;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use parsec_measure::{Attempt, Round, RoundId};

pub(crate) use error::failed;
pub use error::{Damage, SpoolError};
pub use inspect::{SlotReport, SpoolDepth, inspect};
pub use late::LateSpool;
pub use oldest::{Confirmed, Mark, Oldest};
pub use recovered::{Adopted, Recovered};
pub use replay::{ReplayError, Replayed, replay};

use crate::{Row, StoreConfig};
use clock::Clock;
use frame::MAX_PAYLOAD;
pub(crate) use journal::sync_directory;
use journal::{Journal, Line, Taken};
use rounds::OpenRounds;
pub(crate) use segment::rows as so_many_rows;
pub(crate) use shape::row as read_line;
pub(crate) use slot::Identity;
use slot::{MAX_SLOTS, Slot, holds_something};

/// How many rows are moved at once from a slot that nobody uses.
const MOVED_ROWS: usize = 1_000;

/// How many of them are moved before others have their turn; the rest follows when the spool is looked after again.
const MOVED_PER_TURN: usize = 10_000;

/// A row as it stands in the spool: one line of JSON.
pub(crate) fn spooled(row: &Row) -> String {
    String::from_utf8_lossy(&shape::line(row)).into_owned()
}

/// What the recorder needs of a place where rows outlive the process.
pub trait Spooling: Send + 'static {
    /// Appends all rows or none. They are on disk when it returns.
    ///
    /// # Errors
    /// With [`is_full`](SpoolError::is_full) if there is no room; nothing of the rows is kept then, or after any error.
    fn push(&mut self, rows: &[Row]) -> Result<(), SpoolError>;
    /// The oldest rows, in the order in which they came, until there are `enough` or no more; whole writes at a time,
    /// so it may be more. They stay until they are confirmed. What is damaged is passed over.
    fn oldest(&mut self, enough: usize) -> Result<Oldest, SpoolError>;
    /// Everything before the mark is done with. Returns for how many rows that is news. If some are lost, the attempts of
    /// their rounds are pushed as lost, as far as these are known: rows that are recorded already stay as they are.
    fn confirm(&mut self, end: Mark) -> Result<Confirmed, SpoolError>;
    /// Notes what a round is about to attempt, in place of what was noted of it before, and what it plans to attempt after
    /// that: each attempt with the class `record_lost`. On disk when it returns, however full the spool is. What is planned
    /// becomes rows only if it [begins](Self::begin).
    fn announce(&mut self, round: &Round, attempts: &[Attempt], planned: &[Attempt]) -> Result<(), SpoolError>;
    /// What was planned begins, as `attempts` say it now. A process that is killed right after the call has begun leaves them
    /// as they were planned.
    fn begin(&mut self, round: &Round, attempts: &[Attempt]) -> Result<(), SpoolError>;
    /// The round has ended and its rows were pushed: nothing of it is open any more.
    fn forget(&mut self, round: RoundId) -> Result<(), SpoolError>;
    /// Drops the oldest rows that have waited for longer than they may. Returns how many.
    fn expire(&mut self) -> Result<Confirmed, SpoolError>;
    /// Takes over what processes have left that are gone, a part at a time, and does what could not be done before. Call it
    /// again and again.
    fn look_after(&mut self) -> Result<Recovered, SpoolError>;
    /// Whether the disk takes something: for whoever has nothing to write, and would not find out that it does again.
    fn try_out(&mut self) -> Result<(), SpoolError>;
    /// How much waits; asks no disk.
    fn state(&self) -> SpoolState;
}

/// How much may wait, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// What all files of a slot may take.
    pub bytes: u64,
    /// For how long a row may wait.
    pub age: Duration,
}

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolState {
    /// Rows that are not confirmed.
    pub rows: usize,
    /// What the files take.
    pub bytes: u64,
    /// What they may take.
    pub max_bytes: u64,
    /// For how long the oldest row has waited.
    pub oldest: Option<Duration>,
    /// For how long it may.
    pub max_age: Duration,
}

/// A slot of a spool directory.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    identity: Identity,
    limits: SpoolLimits,
    clock: Clock,
    journal: Journal,
    rounds: OpenRounds,
    /// Keeps others out.
    slot: Slot,
}

impl Spool {
    /// Takes the first free slot for this database below `directory`, recovers what is in it, and moves there what slots
    /// of the same database hold that nobody uses, as [`look_after`](Spooling::look_after) goes on to do.
    ///
    /// # Errors
    /// [`SpoolError::Io`] if there can be no files, [`SpoolError::NoSlot`] if all are in use.
    pub fn open(
        directory: &Path,
        database: &StoreConfig,
        limits: SpoolLimits,
    ) -> Result<(Self, Recovered), SpoolError> {
        Self::open_at(directory, database, limits, Clock::now())
    }

    fn open_at(
        directory: &Path,
        database: &StoreConfig,
        limits: SpoolLimits,
        clock: Clock,
    ) -> Result<(Self, Recovered), SpoolError> {
        let identity = Identity::of(database);
        for number in 0..MAX_SLOTS {
            if let Some(slot) = Slot::take(identity.slot(directory, number), &identity)? {
                let (mut spool, mut recovered) = Self::recover(slot, directory, &identity, limits, clock)?;
                spool.adopt_others(&mut recovered);
                recovered.rows = spool.journal.rows();
                return Ok((spool, recovered));
            }
        }
        Err(SpoolError::NoSlot { directory: directory.to_owned(), tried: MAX_SLOTS })
    }

    /// Opens what is in a slot. Rounds that were open become rows, behind those that were pushed before.
    fn recover(
        slot: Slot,
        directory: &Path,
        identity: &Identity,
        limits: SpoolLimits,
        clock: Clock,
    ) -> Result<(Self, Recovered), SpoolError> {
        let (journal, found) = Journal::open(&slot.path, clock)?;
        let (rounds, left, damage) = OpenRounds::open(&slot.path, journal.next())?;
        let lost = damage.iter().map(|damage| damage.rows).sum();
        let mut recovered =
            Recovered { torn_bytes: found.torn, damage: found.damage, lost, opened: true, ..Recovered::default() };
        recovered.damage.extend(damage);
        let (directory, identity) = (directory.to_owned(), identity.clone());
        let mut spool = Self { directory, identity, limits, clock, journal, rounds, slot };
        for left in left {
            let round = RoundId(left.id);
            let rows = left.rows(Utc::now());
            recovered.cut_off += rows.len();
            // They are few, and their files make room for them.
            match spool.append(&rows, u64::MAX) {
                Ok(()) => spool.rounds.end(round, spool.journal.next())?,
                // Their round stays open until somebody has pushed them.
                Err(_) => recovered.in_hand.extend(rows),
            }
        }
        spool.rounds.done(spool.journal.done());
        recovered.rows = spool.journal.rows();
        Ok((spool, recovered))
    }

    fn append(&mut self, rows: &[Row], room: u64) -> Result<(), SpoolError> {
        let line = |row| {
            let line = Line { seconds: self.clock.seconds(), bytes: shape::line(row) };
            let bytes = line.bytes.len();
            if bytes > MAX_PAYLOAD { Err(SpoolError::TooLong { bytes, max_bytes: MAX_PAYLOAD }) } else { Ok(line) }
        };
        self.journal.push(&rows.iter().map(line).collect::<Result<Vec<_>, _>>()?, room)
    }

    /// What the journal may take.
    fn room(&self) -> u64 {
        self.limits.bytes.saturating_sub(self.rounds.bytes())
    }

    /// Records the attempts of rounds as lost that have lost rows, behind all rows that are there.
    fn make_good(&mut self) -> Result<(), SpoolError> {
        let hits = self.rounds.hits();
        let rounds: Vec<_> = hits.iter().map(|hit| hit.id).collect();
        let now = Utc::now();
        let rows: Vec<_> = hits.into_iter().flat_map(|hit| hit.rows(now)).collect();
        let from = self.journal.next();
        self.append(&rows, u64::MAX)?;
        self.rounds.made_good(&rounds, &(from..self.journal.next()));
        Ok(())
    }

    /// Moves what other slots hold into ours, unless processes use them, until it has been enough for one turn.
    fn adopt_others(&mut self, recovered: &mut Recovered) {
        let others = (0..MAX_SLOTS).map(|number| self.identity.slot(&self.directory, number));
        let others: Vec<_> = others.filter(|other| *other != self.slot.path && holds_something(other)).collect();
        let mut moved = 0;
        for other in others {
            if moved < MOVED_PER_TURN {
                moved += self.adopt(other, MOVED_PER_TURN - moved, recovered);
            }
        }
    }

    fn adopt(&mut self, path: PathBuf, enough: usize, recovered: &mut Recovered) -> usize {
        let slot = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut rows = 0;
        let left = match Slot::take(path, &self.identity) {
            Ok(None) => return 0,
            Ok(Some(taken)) => self.take_over(taken, enough, &mut rows, recovered).err(),
            Err(error) => Some(error),
        };
        if rows > 0 || left.is_some() {
            recovered.adopted.push(Adopted { slot, rows, left });
        }
        rows
    }

    fn take_over(
        &mut self,
        slot: Slot,
        enough: usize,
        moved: &mut usize,
        recovered: &mut Recovered,
    ) -> Result<(), SpoolError> {
        let (mut other, found) = Self::recover(slot, &self.directory, &self.identity, self.limits, self.clock)?;
        recovered.cut_off += found.cut_off;
        recovered.torn_bytes += found.torn_bytes;
        recovered.lost += found.lost;
        recovered.damage.extend(found.damage);
        while *moved < enough {
            let taken = other.journal.oldest(MOVED_ROWS.min(enough - *moved), Ok)?;
            recovered.damage.extend(taken.damage);
            if taken.rows.is_empty() && taken.lost == 0 {
                break;
            }
            self.journal.push(&taken.rows, self.room())?;
            let confirmed = other.confirm(taken.end)?;
            *moved += confirmed.rows;
            recovered.lost += confirmed.lost;
        }
        if found.in_hand.is_empty() { Ok(()) } else { other.append(&found.in_hand, u64::MAX) }
    }
}

impl Spooling for Spool {
    fn push(&mut self, rows: &[Row]) -> Result<(), SpoolError> {
        let room = self.room();
        self.append(rows, room)
    }

    fn oldest(&mut self, enough: usize) -> Result<Oldest, SpoolError> {
        let Taken { rows, end, lost, damage } = self.journal.oldest(enough, |line| shape::row(&line.bytes))?;
        Ok(Oldest { rows, end, lost, damage })
    }

    fn confirm(&mut self, end: Mark) -> Result<Confirmed, SpoolError> {
        for lost in self.journal.lost_before(end) {
            self.rounds.hit(&lost);
        }
        // If the disk takes nothing now, it is done when the spool is looked after.
        let _ = self.make_good();
        let confirmed = self.journal.confirm(end);
        self.rounds.done(self.journal.done());
        Ok(confirmed)
    }

    fn announce(&mut self, round: &Round, attempts: &[Attempt], planned: &[Attempt]) -> Result<(), SpoolError> {
        self.rounds.announce(round, attempts, planned, self.clock.seconds(), self.journal.next())
    }

    fn begin(&mut self, round: &Round, attempts: &[Attempt]) -> Result<(), SpoolError> {
        self.rounds.begin(round, attempts, self.clock.seconds(), self.journal.next())
    }

    fn forget(&mut self, round: RoundId) -> Result<(), SpoolError> {
        self.rounds.end(round, self.journal.next())?;
        self.make_good()?;
        self.rounds.done(self.journal.done());
        Ok(())
    }

    fn expire(&mut self) -> Result<Confirmed, SpoolError> {
        self.journal.older_than(self.limits.age).map_or(Ok(Confirmed::default()), |end| self.confirm(end))
    }

    fn look_after(&mut self) -> Result<Recovered, SpoolError> {
        let mut recovered = Recovered::default();
        self.make_good()?;
        self.adopt_others(&mut recovered);
        if self.journal.rows() == 0 {
            // Nobody reads on where no row waits: what is missing there counts now.
            recovered.lost += self.confirm(Mark(self.journal.next()))?.lost;
        }
        if !recovered.is_empty() {
            recovered.rows = self.journal.rows();
        }
        Ok(recovered)
    }

    fn try_out(&mut self) -> Result<(), SpoolError> {
        self.slot.try_out()
    }

    fn state(&self) -> SpoolState {
        SpoolState {
            rows: self.journal.rows(),
            bytes: self.journal.bytes() + self.rounds.bytes(),
            max_bytes: self.limits.bytes,
            oldest: self.journal.oldest_age(),
            max_age: self.limits.age,
        }
    }
}
