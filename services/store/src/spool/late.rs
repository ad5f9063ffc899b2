//! A spool that need not be there from the beginning: its disk may be full, read-only or away when a process starts.

use std::path::{Path, PathBuf};

use parsec_measure::{Attempt, Round, RoundId};

use super::error::SpoolError;
use super::{Confirmed, Mark, Oldest, Recovered, Spool, SpoolLimits, SpoolState, Spooling};
use crate::{Row, StoreConfig};

/// A spool that is opened as soon as its directory lets it be, and again if its directory is replaced. Until then every call
/// says why it is not there. [`look_after`](Spooling::look_after) opens it.
#[derive(Debug)]
pub struct LateSpool {
    directory: PathBuf,
    database: StoreConfig,
    limits: SpoolLimits,
    spool: Result<Spool, SpoolError>,
    /// What opening it has found, until somebody asks.
    news: Option<Recovered>,
    /// Rows that waited in a directory that is not there any more.
    lost: usize,
}

impl LateSpool {
    /// Opens the spool if that is possible now.
    pub fn open(directory: &Path, database: &StoreConfig, limits: SpoolLimits) -> Self {
        let (directory, database) = (directory.to_owned(), database.clone());
        let not_yet = SpoolError::NoSlot { directory: directory.clone(), tried: 0 };
        let mut this = Self { directory, database, limits, spool: Err(not_yet), news: None, lost: 0 };
        this.try_open();
        this
    }

    /// Why it cannot be used, if it cannot.
    pub fn trouble(&self) -> Option<&SpoolError> {
        self.spool.as_ref().err()
    }

    fn try_open(&mut self) {
        match Spool::open(&self.directory, &self.database, self.limits) {
            Ok((spool, mut recovered)) => {
                recovered.lost += std::mem::take(&mut self.lost);
                (self.spool, self.news) = (Ok(spool), Some(recovered));
            }
            Err(error) => self.spool = Err(error),
        }
    }

    fn spool(&mut self) -> Result<&mut Spool, SpoolError> {
        self.spool.as_mut().map_err(|error| error.clone())
    }
}

impl Spooling for LateSpool {
    fn push(&mut self, rows: &[Row]) -> Result<(), SpoolError> {
        self.spool()?.push(rows)
    }

    fn oldest(&mut self, enough: usize) -> Result<Oldest, SpoolError> {
        self.spool()?.oldest(enough)
    }

    fn confirm(&mut self, end: Mark) -> Result<Confirmed, SpoolError> {
        self.spool()?.confirm(end)
    }

    fn announce(&mut self, round: &Round, attempts: &[Attempt], planned: &[Attempt]) -> Result<(), SpoolError> {
        self.spool()?.announce(round, attempts, planned)
    }

    fn begin(&mut self, round: &Round, attempts: &[Attempt]) -> Result<(), SpoolError> {
        self.spool()?.begin(round, attempts)
    }

    fn forget(&mut self, round: RoundId) -> Result<(), SpoolError> {
        self.spool()?.forget(round)
    }

    fn expire(&mut self) -> Result<Confirmed, SpoolError> {
        self.spool()?.expire()
    }

    fn look_after(&mut self) -> Result<Recovered, SpoolError> {
        if self.spool.as_ref().is_ok_and(|spool| !spool.slot.is_in_place()) {
            self.lost += self.state().rows;
            self.try_open();
        } else if self.spool.is_err() {
            self.try_open();
        }
        match self.news.take() {
            Some(news) => Ok(news),
            None => self.spool()?.look_after(),
        }
    }

    fn try_out(&mut self) -> Result<(), SpoolError> {
        self.spool()?.try_out()
    }

    fn state(&self) -> SpoolState {
        match &self.spool {
            Ok(spool) => spool.state(),
            Err(_) => {
                SpoolState { rows: 0, bytes: 0, max_bytes: self.limits.bytes, oldest: None, max_age: self.limits.age }
            }
        }
    }
}
