//! Measurements as rows, before any database is involved: each once, in one order, with values that the tables hold.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use parsec_measure::{Attempt, Measured, OperationKind, OutcomeClass, Round};
use serde_json::Value;

use crate::checks::CheckRow;
use crate::columns::{Key, count, document, micros, text};
use crate::figures::FigureColumns;
use crate::{NodeFollowUp, Row};

/// What one call of `record` writes.
///
/// The lists are ordered by key: two programs that write the same rows at once then wait for each other in the same
/// order, and never both.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    pub(crate) rounds: Vec<RoundRow>,
    pub(crate) attempts: Vec<AttemptRow>,
    pub(crate) follow_ups: Vec<FollowUpRow>,
    pub(crate) checks: Vec<CheckRow>,
    /// When all this was handed over.
    pub(crate) written: DateTime<Utc>,
}

/// One row of `rounds`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RoundRow {
    pub(crate) id: Key,
    pub(crate) scheduler: i32,
    pub(crate) fleets: String,
    pub(crate) provider: Option<i32>,
    pub(crate) nodes_listed: i32,
    pub(crate) nodes_ready: i32,
    pub(crate) nodes_without_heartbeat: i32,
    pub(crate) skipped_before: i32,
    pub(crate) due: DateTime<Utc>,
    pub(crate) started: DateTime<Utc>,
    pub(crate) ended: Option<DateTime<Utc>>,
    pub(crate) outcome: Option<&'static str>,
}

/// One row of `operations`, and what belongs into the original's tables.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AttemptRow {
    pub(crate) id: Key,
    pub(crate) round: Key,
    pub(crate) scheduler: i32,
    pub(crate) node: i32,
    pub(crate) kind: &'static str,
    pub(crate) probe: i32,
    pub(crate) cid: String,
    pub(crate) outcome: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) due: DateTime<Utc>,
    pub(crate) started: DateTime<Utc>,
    pub(crate) ended: DateTime<Utc>,
    pub(crate) seconds: f64,
    pub(crate) figures: FigureColumns,
    pub(crate) trace: Option<TraceRow>,
    /// Rows of `provides_ecs`.
    pub(crate) provides: Vec<StepRow>,
    /// The row of `retrievals_ecs`.
    pub(crate) retrieval: Option<StepRow>,
}

/// What a row of `traces` says of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TraceRow {
    pub(crate) why_kept: &'static str,
    pub(crate) document: Value,
}

/// One row of `follow_ups`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FollowUpRow {
    pub(crate) id: Key,
    pub(crate) operation: Option<Key>,
    pub(crate) node: i32,
    pub(crate) cid: String,
    pub(crate) stored: i32,
    pub(crate) confirmed: Option<i32>,
    pub(crate) failed: i32,
    pub(crate) pending: Option<i32>,
    pub(crate) seconds: f64,
    pub(crate) ended: DateTime<Utc>,
}

/// What a row of `provides_ecs` or `retrievals_ecs` says of its own; the rest it shares with the attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepRow {
    pub(crate) step: String,
    pub(crate) seconds: f64,
    pub(crate) error: Option<String>,
}

/// The rows of the original's tables that belong to an attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// The last step of a publication: the one that tells when it was done.
    pub(crate) provide: Option<i32>,
    pub(crate) retrieval: Option<i32>,
}

/// The attempts that are in the database, each with the number of its trace if it has one.
pub(crate) type Recorded = HashMap<Key, Option<Key>>;

impl Batch {
    /// Takes each round, each attempt, each follow-up and each check once: of a round or a check the first end, or else the
    /// last that is known of it.
    pub(crate) fn new(rows: &[Row], written: DateTime<Utc>) -> Self {
        let mut rounds: BTreeMap<Key, RoundRow> = BTreeMap::new();
        let mut attempts: BTreeMap<Key, AttemptRow> = BTreeMap::new();
        let mut follow_ups: BTreeMap<Key, FollowUpRow> = BTreeMap::new();
        let mut checks: BTreeMap<Key, CheckRow> = BTreeMap::new();
        for row in rows {
            match row {
                Row::Round(round) => {
                    let row = RoundRow::from(round);
                    if rounds.get(&row.id).is_none_or(|earlier| earlier.ended.is_none()) {
                        rounds.insert(row.id, row);
                    }
                }
                Row::Attempt(attempt) => {
                    attempts.entry(Key(attempt.id.0)).or_insert_with(|| AttemptRow::from(attempt));
                }
                Row::FollowUp(follow_up) => {
                    follow_ups.insert(Key(follow_up.id), FollowUpRow::from(follow_up));
                }
                Row::Check(check) => {
                    let row = CheckRow::from(check);
                    if checks.get(&row.id).is_none_or(|earlier| earlier.done.is_none()) {
                        checks.insert(row.id, row);
                    }
                }
            }
        }
        Self {
            rounds: rounds.into_values().collect(),
            attempts: attempts.into_values().collect(),
            follow_ups: follow_ups.into_values().collect(),
            checks: checks.into_values().collect(),
            written: micros(written),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rounds.is_empty() && self.attempts.is_empty() && self.follow_ups.is_empty() && self.checks.is_empty()
    }
}

/// The tables that a row is written to.
pub(crate) fn tables(row: &Row) -> Vec<&'static str> {
    match row {
        Row::Round(_) => vec!["rounds"],
        Row::Attempt(attempt) => {
            let (provides, retrieval) = upstream_rows(attempt.kind, &attempt.result);
            let kept = attempt.why_kept.is_some() && attempt.result.trace.is_some();
            let tables = [
                ("operations", true),
                ("provides_ecs", !provides.is_empty()),
                ("retrievals_ecs", retrieval.is_some()),
                ("traces", kept),
            ];
            tables.into_iter().filter_map(|(table, used)| used.then_some(table)).collect()
        }
        Row::FollowUp(_) => vec!["follow_ups"],
        Row::Check(check) if check.done.is_none() => vec!["planned_checks"],
        Row::Check(_) => vec!["planned_checks", "record_checks"],
    }
}

/// The attempts that are not among the recorded ones.
pub(crate) fn unrecorded<'a>(attempts: &'a [AttemptRow], recorded: &Recorded) -> Vec<&'a AttemptRow> {
    attempts.iter().filter(|attempt| !recorded.contains_key(&attempt.id)).collect()
}

/// The attempts that were recorded without the trace that they have.
pub(crate) fn untraced<'a>(attempts: &'a [AttemptRow], recorded: &Recorded) -> Vec<&'a AttemptRow> {
    let is_untraced = |attempt: &&AttemptRow| attempt.trace.is_some() && recorded.get(&attempt.id) == Some(&None);
    attempts.iter().filter(is_untraced).collect()
}

/// The rows of `provides_ecs` that these attempts need, in their order.
pub(crate) fn provide_steps<'a>(attempts: &[&'a AttemptRow]) -> Vec<(&'a AttemptRow, &'a StepRow)> {
    attempts.iter().flat_map(|attempt| attempt.provides.iter().map(|step| (*attempt, step))).collect()
}

/// The rows of `retrievals_ecs` that these attempts need, in their order.
pub(crate) fn lookups<'a>(attempts: &[&'a AttemptRow]) -> Vec<(&'a AttemptRow, &'a StepRow)> {
    attempts.iter().filter_map(|attempt| Some((*attempt, attempt.retrieval.as_ref()?))).collect()
}

/// The rows of `traces` that these attempts need.
pub(crate) fn kept_traces<'a>(attempts: &[&'a AttemptRow]) -> Vec<(Key, &'a TraceRow)> {
    attempts.iter().filter_map(|attempt| Some((attempt.id, attempt.trace.as_ref()?))).collect()
}

/// Hands out the numbers of freshly inserted rows to the attempts they were inserted for.
///
/// A statement numbers its rows in the order in which it was given them, whatever order it returns them in: so the
/// numbers are sorted, and go to the attempts in turn. `None` if there are not exactly as many as there should be.
pub(crate) fn link(attempts: &[&AttemptRow], provides: Vec<i32>, retrievals: Vec<i32>) -> Option<Vec<Links>> {
    let in_order = |mut ids: Vec<i32>| {
        ids.sort_unstable();
        ids.into_iter()
    };
    let (mut provides, mut retrievals) = (in_order(provides), in_order(retrievals));
    let mut links = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        let mut of_this = Links::default();
        for _ in &attempt.provides {
            of_this.provide = Some(provides.next()?);
        }
        if attempt.retrieval.is_some() {
            of_this.retrieval = Some(retrievals.next()?);
        }
        links.push(of_this);
    }
    (provides.next().is_none() && retrievals.next().is_none()).then_some(links)
}

impl From<&Round> for RoundRow {
    fn from(round: &Round) -> Self {
        Self {
            id: Key(round.id.0),
            scheduler: round.scheduler.0,
            fleets: round.fleets.to_string(),
            provider: round.provider.map(|node| node.0),
            nodes_listed: count(round.nodes_listed),
            nodes_ready: count(round.nodes_ready),
            nodes_without_heartbeat: count(round.nodes_without_heartbeat),
            skipped_before: count(round.skipped_before),
            due: micros(round.due),
            started: micros(round.started),
            ended: round.ended.map(|(at, _)| micros(at)),
            outcome: round.ended.map(|(_, outcome)| outcome.as_str()),
        }
    }
}

impl From<&Attempt> for AttemptRow {
    fn from(attempt: &Attempt) -> Self {
        let Attempt { id, round, scheduler, node, kind, probe, cid, due, started, ended, result, why_kept } = attempt;
        let Measured { class, duration, .. } = result;
        let (provides, retrieval) = upstream_rows(*kind, result);
        let trace = why_kept.zip(result.trace.as_deref());
        Self {
            id: Key(id.0),
            round: Key(round.0),
            scheduler: scheduler.0,
            node: node.0,
            kind: kind.as_str(),
            probe: count(*probe),
            cid: text(cid),
            outcome: class.as_str(),
            error: error_text(*class, result.error.as_deref()),
            due: micros(*due),
            started: micros(*started),
            ended: micros(*ended),
            seconds: duration.as_secs_f64(),
            figures: result.into(),
            trace: trace.map(|(why, trace)| TraceRow { why_kept: why.as_str(), document: document(trace) }),
            provides,
            retrieval,
        }
    }
}

impl From<&NodeFollowUp> for FollowUpRow {
    fn from(NodeFollowUp { id, node, ended, follow_up }: &NodeFollowUp) -> Self {
        Self {
            id: Key(*id),
            operation: follow_up.attempt.map(|attempt| Key(attempt.0)),
            node: node.0,
            cid: text(&follow_up.cid),
            stored: count(follow_up.stored),
            confirmed: follow_up.confirmed.map(count),
            failed: count(follow_up.failed),
            pending: follow_up.pending.map(count),
            seconds: follow_up.duration.as_secs_f64(),
            ended: micros(*ended),
        }
    }
}

/// What the original's tables get to see: nothing of an attempt that no server measured, and nothing of a lookup that a
/// server answered from its own records. They have no column to tell it from a lookup in the DHT.
fn upstream_rows(kind: OperationKind, result: &Measured) -> (Vec<StepRow>, Option<StepRow>) {
    let whole = StepRow {
        step: kind.wire_step().to_owned(),
        seconds: result.duration.as_secs_f64(),
        // The original does not look at whom a lookup found: to it, and to all SQL on its tables, this is a success.
        error: error_text(result.class, result.error.as_deref())
            .filter(|_| result.class != OutcomeClass::WrongProvider),
    };
    match kind {
        _ if !result.class.is_measured() => (Vec::new(), None),
        OperationKind::Retrieve if result.from_own_records => (Vec::new(), None),
        OperationKind::Retrieve => (Vec::new(), Some(whole)),
        OperationKind::Provide if result.steps.is_empty() => (vec![whole], None),
        OperationKind::Provide => {
            let rows = result.steps.iter().map(|step| StepRow {
                step: text(&step.step),
                seconds: step.duration.as_secs_f64(),
                error: step.error.as_deref().map(text),
            });
            let mut rows: Vec<_> = rows.collect();
            // A failure that no step admits would be a success in every report.
            let silent = rows.iter().all(|row| row.error.is_none());
            if let Some(last) = rows.last_mut().filter(|_| silent) {
                last.error = whole.error;
            }
            (rows, None)
        }
    }
}

/// In the tables an error of NULL is success, for every report there is: so a failure always has a text.
fn error_text(class: OutcomeClass, error: Option<&str>) -> Option<String> {
    (class != OutcomeClass::Ok).then(|| text(error.unwrap_or(class.as_str())))
}

#[cfg(test)]
mod tests;
