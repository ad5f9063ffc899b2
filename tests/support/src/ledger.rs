//! Two books that have to agree: what the processes said they did, line by line, and what stands in the tables.
//!
//! Whoever writes rows cannot vouch for them. The log lines of the scheduler and of the servers are written at other moments
//! and by other code than the rows are; both name each attempt by its id.

mod said;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parsec_measure::Trace;

pub use said::{Said, SaidAttempt};
pub use tables::{Books, OperationRow, RoundRow};

/// The class of attempts whose result went with a process that was killed.
pub const LOST: &str = "record_lost";

/// Classes of what a server has measured: these alone have rows in the original's tables (`contract.md`, part 2).
const MEASURED: [&str; 9] = [
    "ok",
    "not_found",
    "wrong_provider",
    "timeout",
    "no_peers",
    "dial_failed",
    "no_transport",
    "local_limit",
    "protocol",
];

/// By how much a due time may miss its place on the grid: it is reckoned from two clocks, read one after the other by a
/// process that may have to wait for a processor in between.
const OFF_THE_GRID: f64 = 0.25;

/// What rounds are made of in a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Between two rounds of a loop.
    pub interval: Duration,
    /// How often each node looks up what was published.
    pub probes: usize,
    /// How many rows the processes said a damaged disk has lost: as many may be missing.
    pub lost: usize,
}

/// Everything that the two books do not agree on, one sentence each.
pub fn disagreements(said: &Said, books: &Books, rules: Rules) -> Vec<String> {
    let mut found = Vec::new();
    compare_attempts(said, books, rules, &mut found);
    check_links(books, &mut found);
    check_rounds(books, rules, &mut found);
    check_grids(books, rules, &mut found);
    check_traces(books, &mut found);
    found
}

/// Every attempt that somebody spoke of has one row that says the same, and no row is of an attempt that nobody spoke of,
/// unless its result is said to be lost.
fn compare_attempts(said: &Said, books: &Books, rules: Rules, found: &mut Vec<String>) {
    let mut rows: BTreeMap<&str, &OperationRow> = BTreeMap::new();
    for row in &books.operations {
        if rows.insert(&row.id, row).is_some() {
            found.push(format!("attempt {} has two rows", row.id));
        }
    }
    let due: BTreeSet<_> = said.attempts.keys().chain(&said.measured).collect();
    let missing = due.iter().filter(|id| !rows.contains_key(id.as_str())).count();
    for (id, attempt) in &said.attempts {
        match rows.get(id.as_str()) {
            None if missing <= rules.lost => {}
            None => found.push(format!("attempt {id} ended ({}) and has no row", attempt.outcome)),
            // Killed between saying it and having it kept.
            Some(row) if row.outcome == LOST => {}
            Some(row) if row.outcome != attempt.outcome || row.round != attempt.round => {
                found.push(format!("attempt {id} was said to be {attempt:?}, and its row is {row:?}"));
            }
            Some(_) => {}
        }
    }
    for id in said.measured.iter().filter(|id| missing > rules.lost && !rows.contains_key(id.as_str())) {
        found.push(format!("a server measured attempt {id}, which has no row"));
    }
    for row in &books.operations {
        if !said.attempts.contains_key(&row.id) && row.outcome != LOST {
            found.push(format!("nobody said that attempt {} ended, and its row is {row:?}", row.id));
        }
    }
}

/// What was measured, and nothing else, stands in the original's tables, once.
fn check_links(books: &Books, found: &mut Vec<String>) {
    for (kind, theirs) in [("provide", &books.provides), ("retrieve", &books.retrievals)] {
        let mut linked = BTreeSet::new();
        for row in books.operations.iter().filter(|row| row.kind == kind) {
            let measured = MEASURED.contains(&row.outcome.as_str()) && !row.from_own_records;
            match row.measurement {
                Some(measurement) if !linked.insert(measurement) => {
                    found.push(format!("{kind} {measurement} belongs to two attempts, one of them {}", row.id));
                }
                Some(_) if !measured => found.push(format!("attempt {} was not measured, and has a {kind}", row.id)),
                None if measured => found.push(format!("attempt {} was measured, and has no {kind}", row.id)),
                _ => {}
            }
        }
        for measurement in theirs.difference(&linked) {
            found.push(format!("{kind} {measurement} belongs to no attempt"));
        }
    }
}

/// Each round has an end, and the attempts that its end takes.
fn check_rounds(books: &Books, rules: Rules, found: &mut Vec<String>) {
    let mut attempts: BTreeMap<&str, Vec<&OperationRow>> = BTreeMap::new();
    for row in &books.operations {
        attempts.entry(&row.round).or_default().push(row);
    }
    for round in &books.rounds {
        let attempts = attempts.remove(round.id.as_str()).unwrap_or_default();
        let parts: BTreeSet<_> = attempts.iter().map(|row| (row.node, &row.kind, row.probe)).collect();
        if parts.len() != attempts.len() {
            found.push(format!("in round {} one part was played twice: {attempts:?}", round.id));
        }
        let (count, whole) = (attempts.len(), round.whole(rules.probes));
        let fits = match round.outcome.as_deref() {
            Some("complete") => count <= whole && count + rules.lost >= whole,
            Some("provide_failed") => count <= 1 && count + rules.lost >= 1,
            Some("too_few_nodes") => count == 0,
            Some("interrupted") => count <= whole,
            Some(_) | None => false,
        };
        if !fits {
            found.push(format!("{round:?} has {count} attempts, a complete one would have {whole}"));
        }
        // The rows of its attempts may be lost although it was whole.
        let looks_whole = round.outcome.as_deref() == Some("complete") && rules.lost == 0;
        if looks_whole && attempts.iter().any(|row| [LOST, "cancelled"].contains(&row.outcome.as_str())) {
            found.push(format!("round {} looks whole, and attempts of it were cut off", round.id));
        }
    }
    if attempts.len() > rules.lost {
        let rounds = attempts.into_iter();
        found.extend(
            rounds.map(|(round, attempts)| format!("round {round} has {} attempts and no row", attempts.len())),
        );
    }
}

/// The rounds of each loop, with those that it says it left out, are the grid.
fn check_grids(books: &Books, rules: Rules, found: &mut Vec<String>) {
    let interval = rules.interval;
    for (scheduler, rounds) in books.loops() {
        let Some(first) = rounds.first() else { continue };
        let (mut place, mut lost) = (0, rules.lost);
        for (index, round) in rounds.iter().enumerate() {
            place += if index == 0 { 0 } else { round.skipped + 1 };
            let should = |place| first.due + f64::from(place) * interval.as_secs_f64();
            while lost > 0 && round.due - should(place) > OFF_THE_GRID {
                (place, lost) = (place + 1, lost - 1);
            }
            let should = should(place);
            if (round.due - should).abs() > OFF_THE_GRID {
                found.push(format!(
                    "loop {scheduler}: after {index} rounds and those left out, the next is due {:.3} s off its place: {round:?}",
                    round.due - should
                ));
                // One round that is missing moves all after it.
                break;
            }
        }
    }
}

/// What is kept of an operation can be true: its phases are in order, and nothing is before its cause.
fn check_traces(books: &Books, found: &mut Vec<String>) {
    for (id, document) in &books.traces {
        match serde_json::from_value::<Trace>(document.clone()) {
            Ok(trace) => found.extend(trace.disorder().map(|disorder| format!("trace of attempt {id}: {disorder}"))),
            Err(error) => found.push(format!("trace of attempt {id} is none: {error}")),
        }
    }
}

#[cfg(test)]
mod tests;
