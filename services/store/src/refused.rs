//! Rows that the database refuses, told apart from those that it takes: no good row waits for a bad one.

use std::ops::Range;
use std::time::Duration;

use tokio::time::timeout;

use crate::batch::tables;
use crate::closed::ClosedTable;
use crate::{Row, Store, StoreError};

/// How long one write may take: longer than the minute that each call of a store may take. A store should always
/// answer; if one does not, all later rows must not wait for it.
const LIMIT: Duration = Duration::from_secs(75);

/// The table without which an attempt can be written all the same.
const TRACES: &str = "traces";

/// A row that the database refuses, although it takes others.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The whole row, to be offered again once the reason is gone.
    pub row: Row,
    /// What the database says.
    pub why: String,
    /// Whether it is written without its trace: only that was refused.
    pub in_part: bool,
}

/// Writes rows. A row whose trace is refused is written without it. Returns what was refused; all else is written.
///
/// # Errors
/// If the database as a whole takes no rows now. Some may be written; all can be offered again.
pub async fn write(store: &dyn Store, rows: &[Row]) -> Result<Vec<Refused>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    match record(store, rows).await {
        Ok(()) => return Ok(Vec::new()),
        Err(StoreError::BadRow(_)) => {}
        Err(error) => return Err(error),
    }
    let closed = store.closed_tables(false).await?;
    let mut sorted: Vec<Sorted> = rows.iter().map(|row| Sorted::by_tables(row, &closed)).collect();
    let open: Vec<usize> = (0..rows.len()).filter(|i| sorted[*i].left.is_some()).collect();
    let failed_before = sorted.iter().all(|row| row.why.is_none());
    sift(store, &mut sorted, &open, failed_before).await?;
    let refused = rows.iter().zip(sorted).filter_map(|(row, Sorted { left, why })| {
        Some(Refused { row: row.clone(), why: why?, in_part: left.is_some() })
    });
    Ok(refused.collect())
}

/// What becomes of a row.
struct Sorted {
    /// What can be written of it; `None` if nothing can.
    left: Option<Row>,
    /// Why that is not all of it.
    why: Option<String>,
}

impl Sorted {
    /// What can be written of a row while these tables are closed.
    fn by_tables(row: &Row, closed: &[ClosedTable]) -> Self {
        let shut = tables(row).into_iter().filter_map(|name| closed.iter().find(|closed| closed.table == name));
        let shut: Vec<&ClosedTable> = shut.collect();
        match shut.iter().find(|closed| closed.table != TRACES).or_else(|| shut.first()) {
            None => Self { left: Some(row.clone()), why: None },
            Some(closed) => {
                let left = (closed.table == TRACES).then(|| row.clone().without_trace());
                Self { left, why: Some(closed.to_string()) }
            }
        }
    }
}

/// Finds the rows that are refused by halving: `which` of them are offered together, then each half, and so on.
async fn sift(
    store: &dyn Store,
    sorted: &mut [Sorted],
    which: &[usize],
    failed_before: bool,
) -> Result<(), StoreError> {
    let mut ranges: Vec<Range<usize>> = std::iter::once(0..which.len()).collect();
    let mut known_to_fail = failed_before && which.len() > 1;
    while let Some(range) = ranges.pop() {
        if range.is_empty() {
            continue;
        }
        let rows: Vec<Row> = which[range.clone()].iter().filter_map(|i| sorted[*i].left.clone()).collect();
        let written = if known_to_fail { Err(StoreError::BadRow(String::new())) } else { record(store, &rows).await };
        known_to_fail = false;
        match written {
            Ok(()) => {}
            Err(StoreError::BadRow(_)) if range.len() > 1 => {
                let middle = range.start + range.len() / 2;
                // The older half comes first.
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            }
            Err(StoreError::BadRow(why)) => {
                let row = &mut sorted[which[range.start]];
                row.left = what_is_left(store, row.left.take()).await?;
                row.why = Some(why);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes a refused row without its trace, if it has one and the database then takes it.
async fn what_is_left(store: &dyn Store, row: Option<Row>) -> Result<Option<Row>, StoreError> {
    let Some(bare) = row.filter(|row| tables(row).contains(&TRACES)).map(Row::without_trace) else { return Ok(None) };
    match record(store, std::slice::from_ref(&bare)).await {
        Ok(()) => Ok(Some(bare)),
        Err(StoreError::BadRow(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn record(store: &dyn Store, rows: &[Row]) -> Result<(), StoreError> {
    match timeout(LIMIT, store.record(rows)).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Unavailable(format!("no answer to a write within {} s", LIMIT.as_secs()))),
    }
}
