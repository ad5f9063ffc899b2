//! Rows that are not in the database yet: in memory for a moment, then on disk until they are written. If no disk takes
//! them, they stay in memory, up to a limit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use parsec_measure::{Attempt, Round, RoundId};
use parsec_store::{Confirmed, Mark, Oldest, Recovered, Refused, Row, SetAside, SpoolError, SpoolState, Spooling};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::disk::{Disk, DiskError};
use super::memory::{BacklogFull, Memory};
use super::refused::RefusedRows;

/// How many rows are written to disk at once. Each write waits for the disk once; several hundred rows take as long as
/// one.
const PIECE: usize = 500;

/// How full the spool may be before rows go there without their traces. In an outage the first traces tell enough about
/// the failures; it is the rows that must not be lost.
const TRACES_UP_TO: u64 = 2;

/// Rows that are not in the database yet, oldest first. Survives a crash of the recorder; what is on disk survives the
/// process.
#[derive(Debug, Default)]
pub struct Backlog {
    memory: Arc<Mutex<Memory>>,
    traces_lost: Arc<AtomicUsize>,
    disk: Option<Disk>,
    refused: RefusedRows,
    news: Notify,
    /// Whether the disk ends with this process, as the storage of a container may.
    ends_with_us: bool,
}

/// The oldest rows, and what confirms them.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    pub(super) end: End,
    /// How many rows before that position are lost to a damaged disk.
    pub(super) lost: usize,
}

/// The position after the rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Memory(u64),
    Disk(Mark),
}

/// Rows that are lost, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// They were on disk and cannot be read any more.
    pub(super) damaged: usize,
    /// The backlog has no room for them.
    pub(super) no_room: usize,
}

impl Backlog {
    /// Rows wait in this spool; those that it already holds come first.
    pub fn on_disk(spool: Box<dyn Spooling>) -> Self {
        Self { disk: Some(Disk::new(spool)), ..Self::default() }
    }

    /// Its disk ends with this process: rows on it are no safer than rows in memory.
    pub fn ending_with_us(self) -> Self {
        Self { ends_with_us: true, ..self }
    }

    /// Rows that the database refuses go into this file. Without one they are lost.
    pub fn setting_aside(self, file: SetAside) -> Self {
        Self { refused: RefusedRows::into_file(file), ..self }
    }

    /// Where refused rows go.
    pub(super) fn set_aside_at(&self) -> Option<&Path> {
        self.refused.path()
    }

    /// Puts refused rows, and those that could not be put there before, into their file. Returns how many are lost.
    pub(super) async fn set_aside(&self, refused: Vec<Refused>) -> usize {
        if refused.is_empty() && !self.has_refused() { 0 } else { self.refused.keep(refused).await }
    }

    /// How many refused rows have been found to be lost since the last call, later than [`set_aside`](Self::set_aside) could
    /// tell.
    pub(super) fn refused_lost_late(&self) -> usize {
        self.refused.lost_late()
    }

    /// Waits until rows are pushed, if none have been since the last time.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.to_write() + self.refused.waiting()
    }

    /// How many rows wait for the database.
    pub(super) fn to_write(&self) -> usize {
        self.memory.lock().len() + self.spool().map_or(0, |spool| spool.rows)
    }

    /// Whether refused rows wait to be set aside.
    pub(super) fn has_refused(&self) -> bool {
        self.refused.waiting() > 0
    }

    /// Whether the backlog is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last known state of the spool; `None` if there is none.
    pub fn spool(&self) -> Option<SpoolState> {
        self.disk.as_ref().map(Disk::state)
    }

    /// How many of the rows that wait are in memory: for the database, or to be set aside.
    pub fn in_memory(&self) -> usize {
        self.memory.lock().len() + self.refused.waiting()
    }

    /// Whether the spool, if there is one, accepted rows the last time.
    pub fn works(&self) -> bool {
        self.disk.as_ref().is_none_or(|disk| disk.trouble().is_none())
    }

    /// Whether memory holds rows that could be moved to a disk.
    pub(super) fn is_on_its_way(&self) -> bool {
        self.disk.is_some() && self.memory.lock().len() > 0
    }

    /// Whether every row that waits is on a disk that outlives this process.
    pub fn is_safe(&self) -> bool {
        self.disk.is_some() && !self.ends_with_us && self.in_memory() == 0
    }

    /// Keeps all of the rows or none. Returns how many had to be kept without their traces.
    pub(super) fn push(&self, rows: Vec<Row>) -> Result<usize, BacklogFull> {
        let pushed = self.memory.lock().push(rows);
        self.news.notify_one();
        pushed
    }

    /// Moves rows from memory to the disk, if there is one that works.
    pub(super) async fn flush(&self) {
        let Some(disk) = self.disk.as_ref().filter(|_| self.is_on_its_way()) else { return };
        let (memory, traces_lost) = (Arc::clone(&self.memory), Arc::clone(&self.traces_lost));
        let flushed = disk.with(move |spool| spool_rows(spool, &memory, &traces_lost)).await;
        self.note(disk, flushed.err());
    }

    /// How many rows have gone to disk without their traces since the last call.
    pub(super) fn traces_lost(&self) -> usize {
        self.traces_lost.swap(0, Ordering::Relaxed)
    }

    /// Notes on disk what a round is about to attempt, and what it plans to attempt after that.
    pub(super) async fn announce(&self, round: Round, attempts: Vec<Attempt>, planned: Vec<Attempt>) {
        let Some(disk) = self.disk.as_ref().filter(|disk| disk.trouble().is_none()) else { return };
        let announced = disk.with(move |spool| spool.announce(&round, &attempts, &planned)).await;
        self.note(disk, announced.err());
    }

    /// Notes on disk that the planned attempts begin.
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
                Ok(Oldest { rows, end, lost, damage }) => {
                    if let Some(first) = damage.first() {
                        let (places, rows) = (damage.len(), damage.iter().map(|damage| damage.rows).sum::<usize>());
                        error!(%first, places, rows, "rows that wait on disk cannot be read any more");
                    }
                    if !rows.is_empty() || lost > 0 {
                        return Ok(Batch { rows, end: End::Disk(end), lost });
                    }
                }
                Err(error) => unreadable = Some(error),
            }
        }
        let (rows, end) = self.memory.lock().oldest(count);
        match unreadable {
            Some(error) if rows.is_empty() => Err(error),
            _ => Ok(Batch { rows, end: End::Memory(end), lost: 0 }),
        }
    }

    /// Everything before this position is done. Returns how many rows were not yet known to be done, or to be lost.
    pub(super) async fn confirm(&self, end: End) -> Confirmed {
        match (end, &self.disk) {
            (End::Disk(mark), Some(disk)) => {
                disk.with(move |spool| spool.confirm(mark)).await.unwrap_or_else(|error| {
                    // If they are offered again, the store recognises them as written already.
                    warn!(%error, "rows that are written cannot be taken off the disk");
                    Confirmed::default()
                })
            }
            (End::Memory(end), _) => Confirmed { rows: self.memory.lock().confirm(end), lost: 0 },
            (End::Disk(_), None) => Confirmed::default(),
        }
    }

    /// Drops rows that have waited for too long to be worth keeping. Returns how many.
    pub(super) async fn expire(&self) -> Confirmed {
        let Some(disk) = self.disk.as_ref().filter(|disk| disk.state().rows > 0) else { return Confirmed::default() };
        let expired = disk.with(|spool| spool.expire()).await;
        expired.unwrap_or_else(|error| {
            warn!(%error, "rows that are too old cannot be taken off the disk");
            Confirmed::default()
        })
    }

    /// Opens a spool that could not be opened before, finds out whether a disk that took nothing does again, and takes over what
    /// processes have left that are gone.
    pub(super) async fn look_after(&self) -> Losses {
        let Some(disk) = &self.disk else { return Losses::default() };
        let mut found = match disk.with(|spool| spool.look_after()).await {
            Ok(found) => found,
            Err(error) => {
                self.note(disk, Some(error));
                return Losses::default();
            }
        };
        tell(&found);
        if found.opened && !self.works() {
            self.note(disk, None);
        }
        let in_hand = std::mem::take(&mut found.in_hand);
        let rows = in_hand.len();
        let no_room = if self.push(in_hand).is_err() { rows } else { 0 };
        if !self.works() && !self.is_on_its_way() {
            // No row comes that would show it.
            let tried = disk.with(|spool| spool.try_out()).await;
            self.note(disk, tried.err());
        }
        Losses { damaged: found.lost, no_room }
    }

    /// Logs once that the disk accepts no rows, and once that it does again.
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

/// Logs that there was no room for rows.
pub(super) fn tell_no_room(rows: usize) {
    if rows > 0 {
        error!(rows, "no room for rows while the database is away; they are lost");
    }
}

/// Logs that rows which waited on disk cannot be read any more.
pub(super) fn tell_lost(rows: usize) {
    if rows > 0 {
        error!(rows, "rows that waited on disk are damaged; they are lost");
    }
}

/// Logs what an earlier process has left.
fn tell(recovered: &Recovered) {
    if recovered.is_bad() {
        error!(%recovered, rows = recovered.lost, "the spool is damaged");
    } else if !recovered.is_empty() {
        info!(%recovered, "the spool is taken up again");
    }
}

/// Moves rows from memory to the spool, in order, until none is left.
fn spool_rows(spool: &mut dyn Spooling, memory: &Mutex<Memory>, traces_lost: &AtomicUsize) -> Result<(), SpoolError> {
    loop {
        let (mut rows, end) = memory.lock().oldest(PIECE);
        if rows.is_empty() {
            return Ok(());
        }
        let state = spool.state();
        if state.bytes > state.max_bytes / TRACES_UP_TO {
            traces_lost.fetch_add(rows.iter().filter(|row| row.has_trace()).count(), Ordering::Relaxed);
            rows = rows.into_iter().map(Row::without_trace).collect();
        }
        let ended = ended_rounds(&rows);
        match spool.push(&rows) {
            // One row that the spool rejects must not hold up the others. Only its trace can make it that long.
            Err(SpoolError::TooLong { .. }) => {
                spool.push(&rows.into_iter().map(Row::without_trace).collect::<Vec<_>>())?
            }
            pushed => pushed?,
        }
        memory.lock().confirm(end);
        for round in ended {
            spool.forget(round)?;
        }
    }
}

/// The rounds whose ends are among the rows: these are not open any more.
fn ended_rounds(rows: &[Row]) -> Vec<RoundId> {
    let ended = |row: &Row| match row {
        Row::Round(round) => round.ended.map(|_| round.id),
        _ => None,
    };
    rows.iter().filter_map(ended).collect()
}
