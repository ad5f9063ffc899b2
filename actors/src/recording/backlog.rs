//! Rows that are not in the database yet: in memory for a moment, on disk until they are written, and in memory alone, up
//! to a bound, if there is no disk that takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use parsec_measure::{Attempt, Round, RoundId};
use parsec_store::{Mark, Oldest, Row, SpoolError, SpoolState, Spooling};
use tracing::{error, info, warn};

use super::disk::{Disk, DiskError};
use super::memory::{BacklogFull, Memory, bare, has_trace};

/// How many rows go to the disk in one piece. Each piece costs one wait for the disk; several hundred take as long as one.
const PIECE: usize = 500;

/// From which part of the spool's bytes on rows go there without their traces: of an outage's failures the first ones say
/// enough, and rows are what must not be lost.
const TRACES_UP_TO: u64 = 2;

/// Rows that are not in the database yet, in the order in which they came. Outlives a crash of the recorder; what is on
/// disk outlives the process.
#[derive(Debug, Default)]
pub struct Backlog {
    memory: Arc<Mutex<Memory>>,
    traces_lost: Arc<AtomicUsize>,
    disk: Option<Disk>,
}

/// The oldest rows, and what confirms them.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    pub(super) end: End,
}

/// The place behind the rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Memory(u64),
    Disk(Mark),
}

impl Backlog {
    /// Rows wait in this spool, beginning with those that it holds already.
    pub fn on_disk(spool: Box<dyn Spooling>) -> Self {
        Self { disk: Some(Disk::new(spool)), ..Self::default() }
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.memory.lock().len() + self.spool().map_or(0, |spool| spool.rows)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was last heard of the spool; `None` if there is none.
    pub fn spool(&self) -> Option<SpoolState> {
        self.disk.as_ref().map(Disk::state)
    }

    /// How many of the rows that wait are in memory.
    pub fn in_memory(&self) -> usize {
        self.memory.lock().len()
    }

    /// Whether the spool, if there is one, took rows when it was last given some.
    pub fn works(&self) -> bool {
        self.disk.as_ref().is_none_or(|disk| disk.trouble().is_none())
    }

    /// Whether rows are in memory that a disk could take.
    pub(super) fn is_on_its_way(&self) -> bool {
        self.disk.is_some() && self.memory.lock().len() > 0
    }

    /// Whether every row that waits is on disk.
    pub(super) fn is_safe(&self) -> bool {
        self.disk.is_some() && self.memory.lock().len() == 0
    }

    /// Keeps all of the rows or none. Returns how many had to go without their trace.
    pub(super) fn push(&self, rows: Vec<Row>) -> Result<usize, BacklogFull> {
        self.memory.lock().push(rows)
    }

    /// Takes what is in memory to the disk, if there is one that works.
    pub(super) async fn flush(&self) {
        let Some(disk) = self.disk.as_ref().filter(|_| self.is_on_its_way()) else { return };
        let (memory, traces_lost) = (Arc::clone(&self.memory), Arc::clone(&self.traces_lost));
        let flushed = disk.with(move |spool| spool_rows(spool, &memory, &traces_lost)).await;
        self.note(disk, flushed.err());
    }

    /// How many rows have gone to the disk without their trace since this was asked last.
    pub(super) fn traces_lost(&self) -> usize {
        self.traces_lost.swap(0, Ordering::Relaxed)
    }

    /// Notes on disk what a round is about to attempt, and what it plans to attempt after that.
    pub(super) async fn announce(&self, round: Round, attempts: Vec<Attempt>, planned: Vec<Attempt>) {
        let Some(disk) = self.disk.as_ref().filter(|disk| disk.trouble().is_none()) else { return };
        let announced = disk.with(move |spool| spool.announce(&round, &attempts, &planned)).await;
        self.note(disk, announced.err());
    }

    /// Notes on disk that what was planned begins.
    pub(super) async fn begin(&self, round: Round, attempts: Vec<Attempt>) {
        let Some(disk) = self.disk.as_ref().filter(|disk| disk.trouble().is_none()) else { return };
        let begun = disk.with(move |spool| spool.begin(&round, &attempts)).await;
        self.note(disk, begun.err());
    }

    /// The oldest rows: those on disk, which came before those in memory.
    ///
    /// # Errors
    /// If those on disk cannot be read, and none are in memory.
    pub(super) async fn oldest(&self, count: usize) -> Result<Batch, DiskError> {
        let mut unreadable = None;
        if let Some(disk) = &self.disk {
            self.flush().await;
            match disk.with(move |spool| spool.oldest(count)).await {
                Ok(Oldest { rows, .. }) if rows.is_empty() => {}
                Ok(Oldest { rows, end }) => return Ok(Batch { rows, end: End::Disk(end) }),
                Err(error) => unreadable = Some(error),
            }
        }
        let (rows, end) = self.memory.lock().oldest(count);
        match unreadable {
            Some(error) if rows.is_empty() => Err(error),
            _ => Ok(Batch { rows, end: End::Memory(end) }),
        }
    }

    /// Everything up to this end is done with. Returns how many rows that is news for.
    pub(super) async fn confirm(&self, end: End) -> usize {
        match (end, &self.disk) {
            (End::Disk(mark), Some(disk)) => {
                disk.with(move |spool| spool.confirm(mark)).await.unwrap_or_else(|error| {
                    // Offered again, they are recognised as written already.
                    warn!(%error, "rows that are written cannot be taken off the disk");
                    0
                })
            }
            (End::Memory(end), _) => self.memory.lock().confirm(end),
            (End::Disk(_), None) => 0,
        }
    }

    /// Lets go of rows that have waited for longer than is worth while. Returns how many.
    pub(super) async fn expire(&self) -> usize {
        let Some(disk) = &self.disk else { return 0 };
        let expired = disk.with(|spool| spool.expire()).await;
        expired.unwrap_or_else(|error| {
            warn!(%error, "rows that are too old cannot be taken off the disk");
            0
        })
    }

    /// Says once that the disk takes no rows, and once that it does again.
    fn note(&self, disk: &Disk, trouble: Option<DiskError>) {
        let rows_in_memory = self.memory.lock().len();
        let reason = trouble.as_ref().map(ToString::to_string);
        if !disk.note(trouble) {
            return;
        }
        match reason {
            Some(reason) => error!(reason, rows_in_memory, "the spool takes no rows; they are kept in memory only"),
            None => info!("the spool takes rows again"),
        }
    }
}

/// Takes rows from memory to the spool, in order, until none is left.
fn spool_rows(spool: &mut dyn Spooling, memory: &Mutex<Memory>, traces_lost: &AtomicUsize) -> Result<(), SpoolError> {
    loop {
        let (mut rows, end) = memory.lock().oldest(PIECE);
        if rows.is_empty() {
            return Ok(());
        }
        let state = spool.state();
        if state.bytes > state.max_bytes / TRACES_UP_TO {
            traces_lost.fetch_add(rows.iter().filter(|row| has_trace(row)).count(), Ordering::Relaxed);
            rows = rows.into_iter().map(bare).collect();
        }
        let ended = ended_rounds(&rows);
        match spool.push(&rows) {
            // One row that no spool takes must not hold up the others; nothing but its trace can be so long.
            Err(SpoolError::TooLong { .. }) => spool.push(&rows.into_iter().map(bare).collect::<Vec<_>>())?,
            pushed => pushed?,
        }
        memory.lock().confirm(end);
        for round in ended {
            spool.forget(round)?;
        }
    }
}

/// The rounds whose end is among the rows: nothing of them is open any more.
fn ended_rounds(rows: &[Row]) -> Vec<RoundId> {
    let ended = |row: &Row| match row {
        Row::Round(round) => round.ended.map(|_| round.id),
        _ => None,
    };
    rows.iter().filter_map(ended).collect()
}
