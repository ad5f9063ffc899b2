//! How a row is written into the spool: one line of JSON, which the version that reads it need not have written.
//!
//! Rounds, follow-ups and checks stand there as the domain has them, and the tests of the spool have a line of each, letter by
//! letter. An attempt has a shape of its own: files hold its figures among its other members, and its trace but not whom it found.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{
    Attempt, AttemptId, Measured, Measurement, NodeId, RecordCheck, Round, RoundId, SchedulerId, Trace,
};
use serde::{Deserialize, Serialize};

use crate::figures::SpooledFigures;
use crate::{NodeFollowUp, Row};

/// A row as a line.
pub(super) fn line(row: &Row) -> Vec<u8> {
    serde_json::to_vec(&StoredRow::from(row)).expect("texts and numbers are always JSON")
}

/// The row of a line.
///
/// # Errors
/// In words, what is wrong with the line.
pub(crate) fn row(line: &[u8]) -> Result<Row, String> {
    let stored: StoredRow<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    stored.read()
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredRow<'r> {
    Round(Cow<'r, Round>),
    #[serde(borrow)]
    Attempt(Box<StoredAttempt<'r>>),
    FollowUp(Cow<'r, NodeFollowUp>),
    Check(Cow<'r, RecordCheck>),
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredAttempt<'r> {
    id: AttemptId,
    round: RoundId,
    scheduler: SchedulerId,
    node: NodeId,
    kind: Cow<'r, str>,
    probe: u32,
    cid: Cow<'r, str>,
    due: DateTime<Utc>,
    started: DateTime<Utc>,
    ended: DateTime<Utc>,
    class: Cow<'r, str>,
    duration: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'r, str>>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    steps: Cow<'r, [Measurement]>,
    #[serde(flatten)]
    figures: SpooledFigures,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why_kept: Option<Cow<'r, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Cow<'r, Trace>>,
}

impl<'r> From<&'r Row> for StoredRow<'r> {
    fn from(row: &'r Row) -> Self {
        match row {
            Row::Round(round) => Self::Round(Cow::Borrowed(round)),
            Row::Attempt(attempt) => Self::Attempt(Box::new(attempt.into())),
            Row::FollowUp(follow_up) => Self::FollowUp(Cow::Borrowed(follow_up)),
            Row::Check(check) => Self::Check(Cow::Borrowed(check)),
        }
    }
}

impl StoredRow<'_> {
    fn read(self) -> Result<Row, String> {
        Ok(match self {
            Self::Round(round) => Row::Round(round.into_owned()),
            Self::Attempt(attempt) => Row::Attempt(attempt.read()?),
            Self::FollowUp(follow_up) => Row::FollowUp(follow_up.into_owned()),
            Self::Check(check) => Row::Check(check.into_owned()),
        })
    }
}

impl<'r> From<&'r Attempt> for StoredAttempt<'r> {
    fn from(attempt: &'r Attempt) -> Self {
        let Attempt { id, round, scheduler, node, kind, probe, cid, due, started, ended, result, why_kept } = attempt;
        Self {
            id: *id,
            round: *round,
            scheduler: *scheduler,
            node: *node,
            kind: kind.as_str().into(),
            probe: *probe,
            cid: cid.into(),
            due: *due,
            started: *started,
            ended: *ended,
            class: result.class.as_str().into(),
            duration: result.duration,
            error: result.error.as_deref().map(Cow::Borrowed),
            steps: (&result.steps).into(),
            figures: result.into(),
            why_kept: why_kept.map(|why| why.as_str().into()),
            trace: result.trace.as_deref().map(Cow::Borrowed),
        }
    }
}

impl StoredAttempt<'_> {
    fn read(self) -> Result<Attempt, String> {
        // Providers stand in no table.
        let result = Measured {
            error: self.error.map(Cow::into_owned),
            steps: self.steps.into_owned(),
            trace: self.trace.map(|trace| Arc::new(trace.into_owned())),
            ..Measured::unmeasured(name(&self.class)?, self.duration, "")
        };
        Ok(Attempt {
            id: self.id,
            round: self.round,
            scheduler: self.scheduler,
            node: self.node,
            kind: name(&self.kind)?,
            probe: self.probe,
            cid: self.cid.into_owned(),
            due: self.due,
            started: self.started,
            ended: self.ended,
            result: self.figures.of(result),
            why_kept: self.why_kept.map(|why| name(&why)).transpose()?,
        })
    }
}

fn name<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
