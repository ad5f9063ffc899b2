//! How a row is written into the spool: one line of JSON, which the version that reads it need not have written.
//!
//! Neither the domain's types nor the database's rows: both may change, while files of this shape lie on disks.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{Attempt, AttemptId, FollowUp, Measured, Measurement, NodeId, Round, RoundId, SchedulerId, Trace};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::check_shape::StoredCheck;
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
    Round(StoredRound),
    #[serde(borrow)]
    Attempt(Box<StoredAttempt<'r>>),
    FollowUp(StoredFollowUp),
    Check(StoredCheck),
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredRound {
    id: Uuid,
    scheduler: i32,
    fleets: String,
    provider: Option<i32>,
    nodes_listed: u32,
    nodes_ready: u32,
    #[serde(default)]
    nodes_without_heartbeat: u32,
    skipped_before: u32,
    due: DateTime<Utc>,
    started: DateTime<Utc>,
    ended: Option<(DateTime<Utc>, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredAttempt<'r> {
    id: Uuid,
    round: Uuid,
    scheduler: i32,
    node: i32,
    kind: String,
    probe: u32,
    cid: String,
    due: DateTime<Utc>,
    started: DateTime<Utc>,
    ended: DateTime<Utc>,
    class: String,
    duration: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StoredStep>,
    #[serde(flatten)]
    figures: SpooledFigures,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why_kept: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Cow<'r, Trace>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredStep {
    step: String,
    duration: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredFollowUp {
    id: Uuid,
    node: i32,
    ended: DateTime<Utc>,
    attempt: Option<Uuid>,
    cid: String,
    stored: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed: Option<u32>,
    failed: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<u32>,
    duration: Duration,
    #[serde(default)]
    confirming: Duration,
}

impl<'r> From<&'r Row> for StoredRow<'r> {
    fn from(row: &'r Row) -> Self {
        match row {
            Row::Round(round) => Self::Round(round.into()),
            Row::Attempt(attempt) => Self::Attempt(Box::new(attempt.into())),
            Row::FollowUp(follow_up) => Self::FollowUp(follow_up.into()),
            Row::Check(check) => Self::Check(check.into()),
        }
    }
}

impl StoredRow<'_> {
    fn read(self) -> Result<Row, String> {
        Ok(match self {
            Self::Round(round) => Row::Round(round.read()?),
            Self::Attempt(attempt) => Row::Attempt(attempt.read()?),
            Self::FollowUp(follow_up) => Row::FollowUp(follow_up.read()),
            Self::Check(check) => Row::Check(check.read()?),
        })
    }
}

impl From<&Round> for StoredRound {
    fn from(round: &Round) -> Self {
        Self {
            id: round.id.0,
            scheduler: round.scheduler.0,
            fleets: round.fleets.to_string(),
            provider: round.provider.map(|node| node.0),
            nodes_listed: round.nodes_listed,
            nodes_ready: round.nodes_ready,
            nodes_without_heartbeat: round.nodes_without_heartbeat,
            skipped_before: round.skipped_before,
            due: round.due,
            started: round.started,
            ended: round.ended.map(|(at, outcome)| (at, outcome.as_str().to_owned())),
        }
    }
}

impl StoredRound {
    fn read(self) -> Result<Round, String> {
        Ok(Round {
            id: RoundId(self.id),
            scheduler: SchedulerId(self.scheduler),
            fleets: name(&self.fleets)?,
            provider: self.provider.map(NodeId),
            nodes_listed: self.nodes_listed,
            nodes_ready: self.nodes_ready,
            nodes_without_heartbeat: self.nodes_without_heartbeat,
            skipped_before: self.skipped_before,
            due: self.due,
            started: self.started,
            ended: self.ended.map(|(at, outcome)| Ok::<_, String>((at, name(&outcome)?))).transpose()?,
        })
    }
}

impl<'r> From<&'r Attempt> for StoredAttempt<'r> {
    fn from(attempt: &'r Attempt) -> Self {
        let Attempt { id, round, scheduler, node, kind, probe, cid, due, started, ended, result, why_kept } = attempt;
        Self {
            id: id.0,
            round: round.0,
            scheduler: scheduler.0,
            node: node.0,
            kind: kind.as_str().to_owned(),
            probe: *probe,
            cid: cid.clone(),
            due: *due,
            started: *started,
            ended: *ended,
            class: result.class.as_str().to_owned(),
            duration: result.duration,
            error: result.error.clone(),
            steps: result.steps.iter().map(StoredStep::from).collect(),
            figures: result.into(),
            why_kept: why_kept.map(|why| why.as_str().to_owned()),
            trace: result.trace.as_deref().map(Cow::Borrowed),
        }
    }
}

impl StoredAttempt<'_> {
    fn read(self) -> Result<Attempt, String> {
        let steps =
            self.steps.into_iter().map(|StoredStep { step, duration, error }| Measurement { step, duration, error });
        // Providers stand in no table.
        let result = Measured {
            error: self.error,
            steps: steps.collect(),
            trace: self.trace.map(|trace| Arc::new(trace.into_owned())),
            ..Measured::unmeasured(name(&self.class)?, self.duration, "")
        };
        Ok(Attempt {
            id: AttemptId(self.id),
            round: RoundId(self.round),
            scheduler: SchedulerId(self.scheduler),
            node: NodeId(self.node),
            kind: name(&self.kind)?,
            probe: self.probe,
            cid: self.cid,
            due: self.due,
            started: self.started,
            ended: self.ended,
            result: self.figures.of(result),
            why_kept: self.why_kept.map(|why| name(&why)).transpose()?,
        })
    }
}

impl From<&Measurement> for StoredStep {
    fn from(Measurement { step, duration, error }: &Measurement) -> Self {
        Self { step: step.clone(), duration: *duration, error: error.clone() }
    }
}

impl From<&NodeFollowUp> for StoredFollowUp {
    fn from(NodeFollowUp { id, node, ended, follow_up }: &NodeFollowUp) -> Self {
        Self {
            id: *id,
            node: node.0,
            ended: *ended,
            attempt: follow_up.attempt.map(|attempt| attempt.0),
            cid: follow_up.cid.clone(),
            stored: follow_up.stored,
            confirmed: follow_up.confirmed,
            failed: follow_up.failed,
            pending: follow_up.pending,
            duration: follow_up.duration,
            confirming: follow_up.confirming,
        }
    }
}

impl StoredFollowUp {
    fn read(self) -> NodeFollowUp {
        let follow_up = FollowUp {
            attempt: self.attempt.map(AttemptId),
            cid: self.cid,
            stored: self.stored,
            confirmed: self.confirmed,
            failed: self.failed,
            pending: self.pending,
            duration: self.duration,
            confirming: self.confirming,
        };
        NodeFollowUp { id: self.id, node: NodeId(self.node), ended: self.ended, follow_up }
    }
}

fn name<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
