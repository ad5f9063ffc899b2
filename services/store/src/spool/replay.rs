//! Writing by hand, in order, what processes have left that are gone.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Handle;

use super::{Adopted, Damage, Oldest, Recovered, Spool, SpoolError, SpoolLimits, Spooling, spooled};
use crate::{Row, Store, StoreConfig, StoreError};

/// How many rows are written in one transaction, as the recorder does it.
const BATCH: usize = 500;

/// Whoever replays by hand wants everything, however old it is.
const NO_LIMITS: SpoolLimits = SpoolLimits { bytes: u64::MAX, age: Duration::MAX };

/// Where the rows go that the database refuses, below the spool directory: one line of JSON each.
const REFUSED: &str = "refused.jsonl";

/// What became of the rows that waited.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Rows that the database has now.
    pub rows: usize,
    /// Rows that it will never take, kept in the file [`refused_at`](Self::refused_at).
    pub refused: usize,
    /// Where they are, if there are any.
    pub refused_at: Option<PathBuf>,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// How many rows are lost by that.
    pub lost: usize,
}

/// Why not everything was written that waits.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The spool cannot be read or written.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// What a process has left cannot be moved from its slot.
    #[error("rows are left in {slot}")]
    Left {
        /// The slot.
        slot: String,
        /// Why.
        #[source]
        error: SpoolError,
    },
    /// The database takes no more.
    #[error("{written} rows have been written, the others go on waiting")]
    Store {
        /// How many it has taken.
        written: usize,
        /// What it says.
        #[source]
        error: StoreError,
    },
    /// There is no place for what the database refuses.
    #[error("refused rows cannot be kept in {}", path.display())]
    Keep {
        /// Their file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        error: io::Error,
    },
    /// Nobody hears why a row is refused.
    #[error("cannot say why a row is refused")]
    Told(#[source] io::Error),
    /// A panic.
    #[error("the replay has crashed")]
    Crashed(#[from] tokio::task::JoinError),
}

/// Writes what waits for `database` in slots below `directory` that no process uses. `tell` hears why a row is refused.
///
/// # Errors
/// [`ReplayError`]; what has been written until then is done with.
pub async fn replay(
    directory: &Path,
    database: &StoreConfig,
    store: Arc<dyn Store>,
    tell: fn(&str) -> io::Result<()>,
) -> Result<Replayed, ReplayError> {
    let (directory, database, runtime) = (directory.to_owned(), database.clone(), Handle::current());
    let replaying = tokio::task::spawn_blocking(move || {
        let (mut spool, mut found) = Spool::open(&directory, &database, NO_LIMITS)?;
        let mut replayed = Replayed::default();
        loop {
            let Recovered { damage, lost, adopted, .. } = found;
            replayed.damage.extend(damage);
            replayed.lost += lost;
            replayed = drain(&mut spool, replayed, &directory, tell, |rows| runtime.block_on(store.record(rows)))?;
            if adopted.is_empty() {
                return Ok(replayed);
            }
            if let Some((slot, error)) = adopted.into_iter().find_map(|Adopted { slot, left, .. }| Some((slot, left?)))
            {
                return Err(ReplayError::Left { slot, error });
            }
            found = spool.look_after()?;
        }
    });
    replaying.await?
}

/// Writes everything that waits in `spool`. What has been written is done with, whatever happens afterwards.
fn drain(
    spool: &mut impl Spooling,
    mut replayed: Replayed,
    directory: &Path,
    tell: fn(&str) -> io::Result<()>,
    record: impl Fn(&[Row]) -> Result<(), StoreError>,
) -> Result<Replayed, ReplayError> {
    loop {
        let Oldest { rows, end, lost, damage } = spool.oldest(BATCH)?;
        replayed.damage.extend(damage);
        if rows.is_empty() && lost == 0 {
            return Ok(replayed);
        }
        let refused = match record(&rows) {
            Ok(()) => Ok(Vec::new()),
            // One bad row must not hold up all others.
            Err(StoreError::BadRow(_)) => each(&rows, &record),
            Err(error) => Err(error),
        };
        let refused = refused.map_err(|error| ReplayError::Store { written: replayed.rows, error })?;
        if !refused.is_empty() {
            replayed.refused_at = Some(keep(directory, &refused, tell)?);
        }
        replayed.rows += rows.len() - refused.len();
        replayed.refused += refused.len();
        replayed.lost += spool.confirm(end)?.lost;
    }
}

/// Writes the rows one by one. Returns those that can never be written, with the reason.
fn each(rows: &[Row], record: impl Fn(&[Row]) -> Result<(), StoreError>) -> Result<Vec<(&Row, String)>, StoreError> {
    let mut refused = Vec::new();
    for row in rows {
        match record(std::slice::from_ref(row)) {
            Ok(()) => {}
            Err(StoreError::BadRow(reason)) => refused.push((row, reason)),
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

/// Puts refused rows where somebody can look at them, before the spool forgets them.
fn keep(
    directory: &Path,
    refused: &[(&Row, String)],
    tell: fn(&str) -> io::Result<()>,
) -> Result<PathBuf, ReplayError> {
    let path = directory.join(REFUSED);
    let failed = |error| ReplayError::Keep { path: path.clone(), error };
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    for (row, reason) in refused {
        tell(reason).map_err(ReplayError::Told)?;
        file.write_all(format!("{}\n", spooled(row)).as_bytes()).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use chrono::Utc;
    use parsec_measure::{Round, RoundId, SchedulerId};

    use super::*;

    fn round(scheduler: i32) -> Row {
        let now = Utc::now();
        Row::Round(Round {
            id: RoundId::fresh(),
            scheduler: SchedulerId(scheduler),
            fleets: "default".parse().unwrap(),
            provider: None,
            nodes_listed: 0,
            nodes_ready: 0,
            skipped_before: 0,
            due: now,
            started: now,
            ended: None,
        })
    }

    fn number(row: &Row) -> i32 {
        let Row::Round(round) = row else { panic!("{row:?}") };
        round.scheduler.0
    }

    /// A spool with rounds of these numbers, each pushed alone, in a directory of its own.
    fn spool(numbers: impl IntoIterator<Item = i32>) -> (tempfile::TempDir, Spool) {
        let directory = tempfile::tempdir().unwrap();
        let database = StoreConfig::Sqlite { path: directory.path().join("parsec.db") };
        let (mut spool, _) = Spool::open(directory.path(), &database, NO_LIMITS).unwrap();
        for number in numbers {
            spool.push(&[round(number)]).unwrap();
        }
        (directory, spool)
    }

    #[test]
    fn rows_that_the_database_refuses_are_kept_beside_and_hold_up_no_other() {
        let (directory, mut spool) = spool(0..5);
        let written = RefCell::new(Vec::new());
        let record = |rows: &[Row]| match rows.iter().find(|row| number(row) % 2 == 1) {
            Some(bad) => Err(StoreError::BadRow(format!("{} is odd", number(bad)))),
            None => {
                written.borrow_mut().extend(rows.iter().map(number));
                Ok(())
            }
        };
        let replayed = drain(&mut spool, Replayed::default(), directory.path(), |_| Ok(()), record).unwrap();
        let path = directory.path().join("refused.jsonl");
        assert_eq!(replayed, Replayed { rows: 3, refused: 2, refused_at: Some(path.clone()), ..Replayed::default() });
        assert_eq!(written.into_inner(), [0, 2, 4]);
        let kept = std::fs::read_to_string(path).unwrap();
        let kept: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(kept.iter().map(|row| row["round"]["scheduler"].as_i64()).collect::<Vec<_>>(), [Some(1), Some(3)]);
    }

    #[test]
    fn a_database_that_goes_away_in_the_middle_ends_it_and_the_rest_goes_on_waiting() {
        let (directory, mut spool) = spool(0..=BATCH as i32);
        let record = |rows: &[Row]| match rows.len() {
            BATCH => Ok(()),
            _ => Err(StoreError::Unavailable("gone".to_owned())),
        };
        let error = drain(&mut spool, Replayed::default(), directory.path(), |_| Ok(()), record).unwrap_err();
        drop(spool);
        let expected = "500 rows have been written, the others go on waiting: database is unavailable: gone";
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert_eq!(format!("{error}: {source}"), expected);
        let database = StoreConfig::Sqlite { path: directory.path().join("parsec.db") };
        let (mut spool, recovered) = Spool::open(directory.path(), &database, NO_LIMITS).unwrap();
        assert_eq!(recovered.rows, 1);
        assert_eq!(spool.oldest(9).unwrap().rows.iter().map(number).collect::<Vec<_>>(), [500]);
    }
}
