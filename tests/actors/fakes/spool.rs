//! A spool whose disk is a piece of memory that can be full, broken, or hang, and that outlives any process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use parsec_measure::{Attempt, Round, RoundId};
use parsec_store::{Confirmed, Mark, Oldest, Recovered, Row, SpoolError, SpoolState, Spooling};

/// How the disk takes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DiskMood {
    #[default]
    Works,
    /// What is there can be read; nothing can be added.
    Full,
    /// Nothing can be read or written.
    Broken,
    /// It gives no answer until its mood changes.
    Hangs,
}

/// What is on the disk.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    mood: DiskMood,
    pub(crate) rows: VecDeque<Row>,
    first: u64,
    /// What each open round is about to attempt.
    pub(crate) announced: BTreeMap<RoundId, Vec<Attempt>>,
    /// What each plans to attempt after that.
    pub(crate) planned: BTreeMap<RoundId, Vec<Attempt>>,
    /// Rounds whose rows came before the note of what they are about to attempt.
    pub(crate) unannounced: Vec<RoundId>,
    /// How many pushes there were.
    pub(crate) pushes: usize,
    /// How full it says it is, of 1,000 bytes.
    pub(crate) bytes: u64,
    /// How many of its oldest rows are too old.
    pub(crate) too_old: usize,
    /// How many of its oldest rows nobody can read any more.
    pub(crate) lost: usize,
    /// What is found when it is looked after the next time.
    pub(crate) found: Recovered,
}

/// The disk, shared with the recorder's spool.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeDisk(Arc<(Mutex<OnDisk>, Condvar)>);

impl FakeDisk {
    /// A process opens the spool on it.
    pub(crate) fn spool(&self) -> Box<dyn Spooling> {
        Box::new(self.clone())
    }

    /// From now on, every call is taken like this.
    pub(crate) fn is(&self, mood: DiskMood) {
        self.change(|disk| disk.mood = mood);
        self.0.1.notify_all();
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut OnDisk)) {
        change(&mut self.0.0.lock());
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&OnDisk) -> T) -> T {
        read(&self.0.0.lock())
    }

    fn work<T>(&self, adds: bool, work: impl FnOnce(&mut OnDisk) -> T) -> Result<T, SpoolError> {
        let mut disk = self.0.0.lock();
        while disk.mood == DiskMood::Hangs {
            self.0.1.wait(&mut disk);
        }
        let kind = std::io::ErrorKind::Other;
        match disk.mood {
            DiskMood::Broken => {
                Err(SpoolError::Io { doing: "use", path: "disk".into(), reason: "broken, as ordered".to_owned(), kind })
            }
            DiskMood::Full if adds => Err(SpoolError::Full { bytes: 1_000, max_bytes: 1_000, needed: 1 }),
            _ => Ok(work(&mut disk)),
        }
    }
}

impl Spooling for FakeDisk {
    fn push(&mut self, rows: &[Row]) -> Result<(), SpoolError> {
        self.work(true, |disk| {
            let open = rows.iter().filter_map(|row| match row {
                Row::Round(round) if round.ended.is_none() => Some(round.id),
                _ => None,
            });
            disk.unannounced.extend(open.filter(|round| !disk.announced.contains_key(round)));
            disk.rows.extend(rows.iter().cloned());
            disk.pushes += 1;
        })
    }

    fn oldest(&mut self, enough: usize) -> Result<Oldest, SpoolError> {
        self.work(false, |disk| {
            let lost = disk.lost.min(disk.rows.len());
            let rows: Vec<_> = disk.rows.iter().take(lost + enough).skip(lost).cloned().collect();
            let end = Mark(disk.first + (lost + rows.len()) as u64);
            Oldest { rows, end, lost, damage: Vec::new() }
        })
    }

    fn confirm(&mut self, end: Mark) -> Result<Confirmed, SpoolError> {
        self.work(false, |disk| {
            let news = end.0.saturating_sub(disk.first) as usize;
            disk.rows.drain(..news);
            disk.first += news as u64;
            let lost = disk.lost.min(news);
            disk.lost -= lost;
            Confirmed { rows: news - lost, lost }
        })
    }

    fn announce(&mut self, round: &Round, attempts: &[Attempt], planned: &[Attempt]) -> Result<(), SpoolError> {
        self.work(true, |disk| {
            disk.announced.insert(round.id, attempts.to_vec());
            disk.planned.insert(round.id, planned.to_vec());
        })
    }

    fn begin(&mut self, round: &Round, attempts: &[Attempt]) -> Result<(), SpoolError> {
        self.work(true, |disk| {
            disk.planned.remove(&round.id);
            disk.announced.entry(round.id).or_default().extend(attempts.iter().cloned());
        })
    }

    fn forget(&mut self, round: RoundId) -> Result<(), SpoolError> {
        self.work(false, |disk| {
            disk.announced.remove(&round);
            disk.planned.remove(&round);
        })
    }

    fn expire(&mut self) -> Result<Confirmed, SpoolError> {
        self.work(false, |disk| {
            let expired = disk.too_old.min(disk.rows.len());
            disk.rows.drain(..expired);
            disk.first += expired as u64;
            disk.too_old = 0;
            Confirmed { rows: expired, lost: 0 }
        })
    }

    fn look_after(&mut self) -> Result<Recovered, SpoolError> {
        self.work(false, |disk| std::mem::take(&mut disk.found))
    }

    fn try_out(&mut self) -> Result<(), SpoolError> {
        self.work(true, |_| ())
    }

    fn state(&self) -> SpoolState {
        let disk = self.0.0.lock();
        let (rows, bytes, day) = (disk.rows.len(), disk.bytes, Duration::from_secs(24 * 3600));
        SpoolState { rows, bytes, max_bytes: 1_000, oldest: (rows > 0).then_some(Duration::ZERO), max_age: day }
    }
}
