//! Writing by hand, in order, what processes have left that are gone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Handle;

use super::{Adopted, Damage, Oldest, Recovered, Spool, SpoolError, SpoolLimits, Spooling};
use crate::aside::{Aside, SetAside};
use crate::refused::{Refused, write};
use crate::{Row, Store, StoreConfig, StoreError};

/// How many rows are written in one transaction, as the recorder does it.
const BATCH: usize = 500;

/// Whoever replays by hand wants everything, however old it is.
const NO_LIMITS: SpoolLimits = SpoolLimits { bytes: u64::MAX, age: Duration::MAX };

/// What became of the rows that waited.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Rows that the database has now.
    pub rows: usize,
    /// Rows that it refuses, or whose traces it refuses, kept in the file [`refused_at`](Self::refused_at).
    pub refused: usize,
    /// Lines of that file that cannot be read. They stay there.
    pub unreadable: usize,
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
    #[error("refused rows cannot be kept")]
    Keep(#[source] SpoolError),
    /// Nobody hears why a row is refused.
    #[error("cannot say why a row is refused")]
    Told(#[source] io::Error),
    /// A panic.
    #[error("the replay has crashed")]
    Crashed(#[from] tokio::task::JoinError),
}

/// Writes what `database` has refused before, and what waits for it in slots below `directory` that no process uses.
/// `tell` hears why a row is refused.
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
        let file = SetAside::of(&directory, &database, u64::MAX);
        let taken = file.take()?;
        let mut replay = Replay {
            file,
            tell,
            replayed: Replayed::default(),
            write: |rows: &[Row]| runtime.block_on(write(store.as_ref(), rows)),
        };
        if let Some(aside) = taken {
            replay.offer_again(aside)?;
        }
        let (mut spool, mut found) = Spool::open(&directory, &database, NO_LIMITS)?;
        loop {
            let Recovered { damage, lost, adopted, .. } = found;
            replay.replayed.damage.extend(damage);
            replay.replayed.lost += lost;
            replay.drain(&mut spool)?;
            if adopted.is_empty() {
                return Ok(replay.replayed);
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

/// A replay under way. What has been written is done with, whatever happens afterwards.
struct Replay<W> {
    file: SetAside,
    tell: fn(&str) -> io::Result<()>,
    replayed: Replayed,
    write: W,
}

impl<W: Fn(&[Row]) -> Result<Vec<Refused>, StoreError>> Replay<W> {
    /// Writes what was set aside.
    fn offer_again(&mut self, mut aside: Aside) -> Result<(), ReplayError> {
        loop {
            let (rows, unreadable) = aside.next(BATCH)?;
            if rows.is_empty() && unreadable.is_empty() {
                return Ok(aside.done()?);
            }
            self.file.put_back(&unreadable).map_err(ReplayError::Keep)?;
            self.replayed.unreadable += unreadable.len();
            self.write(&rows)?;
        }
    }

    /// Writes everything that waits in `spool`.
    fn drain(&mut self, spool: &mut impl Spooling) -> Result<(), ReplayError> {
        loop {
            let Oldest { rows, end, lost, damage } = spool.oldest(BATCH)?;
            self.replayed.damage.extend(damage);
            if rows.is_empty() && lost == 0 {
                return Ok(());
            }
            self.write(&rows)?;
            self.replayed.lost += spool.confirm(end)?.lost;
        }
    }

    /// Writes rows, and puts those that are refused where somebody can look at them, before anybody forgets them.
    fn write(&mut self, rows: &[Row]) -> Result<(), ReplayError> {
        let written = self.replayed.rows;
        let refused = (self.write)(rows).map_err(|error| ReplayError::Store { written, error })?;
        for Refused { why, .. } in &refused {
            (self.tell)(why).map_err(ReplayError::Told)?;
        }
        self.file.keep(&refused).map_err(ReplayError::Keep)?;
        let unwritten = refused.iter().filter(|refused| !refused.in_part).count();
        self.replayed.rows += rows.len() - unwritten;
        self.replayed.refused += refused.len();
        if !refused.is_empty() {
            self.replayed.refused_at = Some(self.file.path().to_owned());
        }
        Ok(())
    }
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
            nodes_without_heartbeat: 0,
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

    fn replay<W>(directory: &Path, write: W) -> Replay<W> {
        let database = StoreConfig::Sqlite { path: directory.join("parsec.db") };
        let file = SetAside::of(directory, &database, u64::MAX);
        Replay { file, tell: |_| Ok(()), replayed: Replayed::default(), write }
    }

    #[test]
    fn rows_that_the_database_refuses_are_set_aside_and_offered_again_by_the_next_replay() {
        let (directory, mut spool) = spool(0..5);
        let written = RefCell::new(Vec::new());
        let odd = |rows: &[Row]| {
            let (odd, even): (Vec<_>, Vec<_>) = rows.iter().partition(|row| number(row) % 2 == 1);
            written.borrow_mut().extend(even.into_iter().map(number));
            let refused = |row: &Row| Refused { row: row.clone(), why: "odd".to_owned(), in_part: false };
            Ok(odd.into_iter().map(refused).collect())
        };
        let mut first = replay(directory.path(), odd);
        first.drain(&mut spool).unwrap();
        let path = first.file.path().to_owned();
        let expected = Replayed { rows: 3, refused: 2, refused_at: Some(path), ..Replayed::default() };
        assert_eq!((&first.replayed, &written.take()[..]), (&expected, &[0, 2, 4][..]));

        // Still refused, and then no more.
        let mut second = replay(directory.path(), odd);
        second.offer_again(second.file.take().unwrap().unwrap()).unwrap();
        assert_eq!((second.replayed.rows, second.replayed.refused), (0, 2));
        let mut third = replay(directory.path(), |rows: &[Row]| {
            written.borrow_mut().extend(rows.iter().map(number));
            Ok(Vec::new())
        });
        third.offer_again(third.file.take().unwrap().unwrap()).unwrap();
        assert_eq!((third.replayed.rows, third.replayed.refused, &written.take()[..]), (2, 0, &[1, 3][..]));
        assert!(third.file.take().unwrap().is_none());
    }

    #[test]
    fn a_database_that_goes_away_in_the_middle_ends_it_and_the_rest_goes_on_waiting() {
        let (directory, mut spool) = spool(0..=BATCH as i32);
        let write = |rows: &[Row]| match rows.len() {
            BATCH => Ok(Vec::new()),
            _ => Err(StoreError::Unavailable("gone".to_owned())),
        };
        let error = replay(directory.path(), write).drain(&mut spool).unwrap_err();
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
