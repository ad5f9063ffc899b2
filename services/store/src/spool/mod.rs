//! The spool: the files in which rows wait while the database is away, and what was begun and may never end.
//!
//! A process takes a *slot* below the spool directory, one that no other uses, and has in it
//! - a *journal*: numbered files to which pushes are appended, each with a checksum and on disk before its rows count as
//!   kept. What the database has taken is confirmed, and files of which everything is confirmed vanish.
//! - *announcements*: what each round is about to attempt. What of it has no result when the process is gone becomes rows
//!   with the class `record_lost`.
//!
//! Rows are offered to the database at least once. They carry their identity and the database keeps the first of each,
//! so in every doubt (a confirmation that was not noted, a slot that was moved by half) they are offered again.
//!
//! All of it blocks: call it where that harms nobody.

mod acknowledged;
mod check_shape;
mod clock;
mod error;
mod frame;
mod inspect;
mod journal;
mod oldest;
mod recovered;
mod replay;
mod rounds;
mod segment;
mod shape;
mod slot;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use parsec_measure::{Attempt, Round, RoundId};

pub use error::{Damage, SpoolError};
pub use inspect::{SlotReport, SpoolDepth, inspect};
pub use oldest::{Mark, Oldest};
pub use recovered::{Adopted, Recovered};
pub use replay::{ReplayError, Replayed, replay};

use crate::{Row, StoreConfig};
use clock::Clock;
use journal::Journal;
use rounds::OpenRounds;
use slot::{Identity, MAX_SLOTS, Slot};

/// How many rows are moved at once from a slot that nobody uses.
const MOVED_ROWS: usize = 1_000;

/// A row as it stands in the spool: one line of JSON.
fn spooled(row: &Row) -> String {
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
    /// so it may be more. They stay until they are confirmed.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`] if the oldest cannot be read any more; they are skipped, and the next call goes on behind.
    fn oldest(&mut self, enough: usize) -> Result<Oldest, SpoolError>;
    /// Everything before the mark is done with. Returns how many rows that is news for.
    fn confirm(&mut self, end: Mark) -> Result<usize, SpoolError>;
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
    fn expire(&mut self) -> Result<usize, SpoolError>;
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
    limits: SpoolLimits,
    clock: Clock,
    journal: Journal,
    rounds: OpenRounds,
    /// Keeps others out.
    _slot: Slot,
}

impl Spool {
    /// Takes the first free slot for this database below `directory`, recovers what is in it, and moves there what slots
    /// of the same database hold that nobody uses.
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
                let (mut spool, mut recovered) = Self::recover(slot, limits, clock)?;
                let others = (0..MAX_SLOTS).filter(|other| *other != number);
                for other in others.map(|other| identity.slot(directory, other)).filter(|path| path.is_dir()) {
                    spool.adopt(&other, &identity, &mut recovered);
                }
                recovered.rows = spool.journal.rows();
                return Ok((spool, recovered));
            }
        }
        Err(SpoolError::NoSlot { directory: directory.to_owned(), tried: MAX_SLOTS })
    }

    /// Opens what is in a slot. Rounds that were open become rows, behind those that were pushed before.
    fn recover(slot: Slot, limits: SpoolLimits, clock: Clock) -> Result<(Self, Recovered), SpoolError> {
        let (journal, found) = Journal::open(&slot.path, clock)?;
        let (rounds, left, damage) = OpenRounds::open(&slot.path)?;
        let mut recovered = Recovered { torn_bytes: found.torn, damage: found.damage, ..Recovered::default() };
        recovered.damage.extend(damage);
        let mut spool = Self { limits, clock, journal, rounds, _slot: slot };
        for left in left {
            let round = left.round.id;
            let rows = left.rows(Utc::now());
            // They are few, and their files make room for them.
            spool.append(&rows, u64::MAX)?;
            spool.rounds.forget(round)?;
            recovered.cut_off += rows.len();
        }
        recovered.rows = spool.journal.rows();
        Ok((spool, recovered))
    }

    fn append(&mut self, rows: &[Row], room: u64) -> Result<(), SpoolError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.journal.push(&frame::pack(rows, self.clock.seconds())?, room)
    }

    /// What the journal may take.
    fn room(&self) -> u64 {
        self.limits.bytes.saturating_sub(self.rounds.bytes())
    }

    /// Moves what another slot holds into ours, unless a process uses it.
    fn adopt(&mut self, path: &Path, identity: &Identity, recovered: &mut Recovered) {
        let slot = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut rows = 0;
        let left = match Slot::take(path.to_owned(), identity) {
            Ok(None) => return,
            Ok(Some(taken)) => self.take_over(taken, &mut rows, recovered).err(),
            Err(error) => Some(error),
        };
        if rows > 0 || left.is_some() {
            recovered.adopted.push(Adopted { slot, rows, left });
        }
    }

    fn take_over(&mut self, slot: Slot, moved: &mut usize, recovered: &mut Recovered) -> Result<(), SpoolError> {
        let (mut other, found) = Self::recover(slot, self.limits, self.clock)?;
        recovered.cut_off += found.cut_off;
        recovered.torn_bytes += found.torn_bytes;
        recovered.damage.extend(found.damage);
        loop {
            let (payloads, end) = match other.journal.oldest_payloads(MOVED_ROWS) {
                Err(SpoolError::Damaged(damage)) => {
                    recovered.damage.push(damage);
                    continue;
                }
                oldest => oldest?,
            };
            if payloads.is_empty() {
                return Ok(());
            }
            self.journal.push(&payloads, self.room())?;
            *moved += other.journal.confirm(end);
        }
    }
}

impl Spooling for Spool {
    fn push(&mut self, rows: &[Row]) -> Result<(), SpoolError> {
        let room = self.room();
        self.append(rows, room)
    }

    fn oldest(&mut self, enough: usize) -> Result<Oldest, SpoolError> {
        self.journal.oldest(enough)
    }

    fn confirm(&mut self, end: Mark) -> Result<usize, SpoolError> {
        Ok(self.journal.confirm(end))
    }

    fn announce(&mut self, round: &Round, attempts: &[Attempt], planned: &[Attempt]) -> Result<(), SpoolError> {
        self.rounds.announce(round, attempts, planned, self.clock.seconds())
    }

    fn begin(&mut self, round: &Round, attempts: &[Attempt]) -> Result<(), SpoolError> {
        self.rounds.begin(round, attempts, self.clock.seconds())
    }

    fn forget(&mut self, round: RoundId) -> Result<(), SpoolError> {
        self.rounds.forget(round)
    }

    fn expire(&mut self) -> Result<usize, SpoolError> {
        Ok(self.journal.expire(self.limits.age))
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
