//! What a report is made of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use parsec_measure::{ArchivedRounds, StoredOperation};
use parsec_results::incidents::Incidents;
use parsec_results::{self as results, Group, MeasuredWith, RecordGroup, Spent};

use crate::chart::Times;
use crate::compared::Pairs;

/// What a report is made of.
#[derive(Debug)]
pub struct Measurements {
    /// From when on.
    pub since: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// When the report was made.
    pub made: DateTime<Utc>,
    /// Which version of parsec made it.
    pub version: String,
    /// Where the measurements come from, and which they are.
    pub used: Vec<String>,
    /// How many servers each fleet had in each region, among those that measured.
    pub servers: BTreeMap<(String, String), usize>,
    /// With which versions and configuration, and what changed.
    pub with: MeasuredWith,
    /// Groups by fleet.
    pub by_fleet: Vec<Group>,
    /// By fleet and region.
    pub by_region: Vec<Group>,
    /// By fleet and day.
    pub by_day: Vec<Group>,
    /// What the time of operations went to, by fleet.
    pub spent: Vec<results::Named<Spent>>,
    /// What is left out of that, as [`not_asked`](crate::spent::not_asked) tells it.
    pub spent_without: String,
    /// The slowest operations with their traces.
    pub slowest: Vec<StoredOperation>,
    /// How many of the slowest cannot be read.
    pub slowest_unread: usize,
    /// What became of records, by fleet.
    pub records: Vec<RecordGroup>,
    /// What became of the rounds.
    pub rounds: ArchivedRounds,
    /// What happened, or why that is not known.
    pub incidents: Result<Incidents, String>,
    /// Fleets against the first of them.
    pub fleets: Vec<Pairs>,
    /// The period before against this one, fleet by fleet.
    pub before: Option<Pairs>,
    /// By how much times may differ and still count as equal, and by how much success rates.
    pub margins: (f64, f64),
    /// How the axes of distributions go.
    pub times: Times,
}
