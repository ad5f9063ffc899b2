//! Rows in memory: on their way to the disk, or because there is no disk.

use std::collections::VecDeque;

use parsec_store::Row;
use thiserror::Error;

/// How many rows may wait: half a day for three fleets of seven at one round a minute; about 100 MB.
pub(super) const MAX_ROWS: usize = 100_000;

/// The database has been away for so long that no more rows can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{} rows already wait in memory for the database", MAX_ROWS)]
pub(super) struct BacklogFull;

/// How many of them may have a trace. A trace has 50 kB, so these traces take as much memory as all rows without them.
/// In an outage the first traces tell enough about the failures.
const MAX_TRACES: usize = 2_000;

/// Rows in the order in which they came, numbered from the first one that ever came.
#[derive(Debug, Default)]
pub(super) struct Memory {
    rows: VecDeque<Row>,
    /// How many rows have left: the number of the first row that is still here.
    first: u64,
    /// How many of the rows have a trace.
    traces: usize,
}

impl Memory {
    /// Keeps all of the rows or none. Returns how many had to be kept without their traces.
    pub(super) fn push(&mut self, rows: Vec<Row>) -> Result<usize, BacklogFull> {
        if self.rows.len() + rows.len() > MAX_ROWS {
            return Err(BacklogFull);
        }
        let mut without = 0;
        for row in rows {
            let traced = row.has_trace();
            let room = self.traces < MAX_TRACES;
            self.traces += usize::from(traced && room);
            without += usize::from(traced && !room);
            self.rows.push_back(if room { row } else { row.without_trace() });
        }
        Ok(without)
    }

    /// The oldest rows, which stay until they are [confirmed](Self::confirm), and the number of the first row after
    /// them.
    pub(super) fn oldest(&self, count: usize) -> (Vec<Row>, u64) {
        let rows: Vec<_> = self.rows.iter().take(count).cloned().collect();
        let end = self.first + rows.len() as u64;
        (rows, end)
    }

    /// Every row before this number is done. Returns how many rows were not yet known to be done.
    pub(super) fn confirm(&mut self, end: u64) -> usize {
        let mut news = 0;
        while self.first < end
            && let Some(row) = self.rows.pop_front()
        {
            self.first += 1;
            self.traces -= usize::from(row.has_trace());
            news += 1;
        }
        news
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}
