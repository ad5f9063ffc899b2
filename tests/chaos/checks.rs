//! What else must hold at the end of a run, beside the books.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use parsec_test_support::ledger::{Books, LOST, Said};
use serde_json::Value;

use crate::plan::{Blow, Mishap, Plan};
use crate::slot::{End, Growth};
use crate::world::RULES;

/// What a scheduler said until when.
pub(crate) type Life = (Vec<Value>, SystemTime);

/// By how much a process may have grown in the second half of its life. An allocator does not give back what a burst took (a backlog,
/// answers of megabytes), and connections come and go with the peers that were asked last: a few MB were seen, and three
/// files. What is looked for is more: of the 3,000 attempts of five minutes, traces that nobody lets go of would take 150 MB,
/// and sockets a file each.
const MORE_MEMORY: f64 = 1.25;
const MORE_MEMORY_KB: f64 = 16_384.0;
const MORE_FILES: usize = 32;

/// A loop's first round is due when it has registered, and one that is stopped in order has played until then: by how
/// many intervals either may be off. A round that waits for a bad server takes some.
const LATE_INTERVALS: f64 = 8.0;

/// How long a process that is told to stop may take: its default, and a second for its end.
const STOP_SECONDS: u64 = 31;

/// What it may end with: in good order, or without having told a database that is away.
const STOPPED: [i32; 2] = [0, 75];

/// What a process may end with that was not told to: it could not start, because the database was away for too long. Nothing
/// may crash, and nothing may give up.
const BY_ITSELF: i32 = 1;

/// Whether each loop of a scheduler had rounds from when it registered until it was stopped.
pub(crate) fn lifetimes(lives: &[Life], books: &Books) -> Vec<String> {
    let loops = books.loops();
    let mut found = Vec::new();
    for (index, (lines, ended)) in lives.iter().enumerate() {
        for line in lines.iter().filter(|line| line["message"] == "round loop registered") {
            let number = line["scheduler"].as_i64().and_then(|number| i32::try_from(number).ok()).unwrap();
            let Some(rounds) = loops.get(&number) else {
                // One that was killed at once may have had none.
                if index + 1 == lives.len() {
                    found.push(format!("loop {number} registered and had no rounds"));
                }
                continue;
            };
            let registered = DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).unwrap();
            let registered = registered.timestamp_micros() as f64 / 1e6;
            let ended = ended.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            let may_be_off = LATE_INTERVALS * RULES.interval.as_secs_f64();
            let (first, last) = (rounds[0].due, rounds[rounds.len() - 1].due);
            if (first - registered).abs() > may_be_off {
                found.push(format!(
                    "loop {number} registered at {registered:.3}, its first round was due at {first:.3}"
                ));
            }
            // One that was killed may have been about to begin the next.
            if index + 1 == lives.len() && ended - last > may_be_off {
                found.push(format!("loop {number} ended at {ended:.3}, its last round was due at {last:.3}"));
            }
        }
    }
    found
}

/// How many rows the schedulers said a damaged disk has lost.
pub(crate) fn rows_lost(lives: &[Life]) -> usize {
    let lines = lives.iter().flat_map(|(lines, _)| lines);
    let lost = lines.filter(|line| line["message"] == "rows that waited on disk are damaged; they are lost");
    lost.filter_map(|line| usize::try_from(line["rows"].as_u64()?).ok()).sum()
}

/// A changed byte costs a row at most, and no row is lost that is not counted: each attempt that ended and is recorded as lost is
/// one of them. Those that a scheduler took with it when it was killed cannot be told from them.
pub(crate) fn damage(plan: &Plan, said: &Said, books: &Books, lost: usize, flipped: usize) -> Vec<String> {
    let mut found = Vec::new();
    if lost > flipped {
        found.push(format!("{flipped} bytes of the spool were changed, and {lost} rows are counted as lost"));
    }
    let was_said = |id: &String| said.attempts.contains_key(id);
    let gone = books.operations.iter().filter(|row| row.outcome == LOST && was_said(&row.id)).count();
    let killed = plan.strikes.iter().any(|strike| strike.blow == Blow::Scheduler(Mishap::Killed));
    // A byte may be one of the row of a round: then the attempts of it stay as they were.
    if gone > lost && !killed {
        found.push(format!("{gone} attempts ended and are recorded as lost, and {lost} rows are counted as lost"));
    }
    found
}

/// Whether memory and files are where they were.
pub(crate) fn growth(of: &[(String, Growth)]) -> Vec<String> {
    let has_grown = |growth: &Growth| {
        let (early, late) = (growth.early, growth.late);
        let memory = early.memory_kb as f64 * MORE_MEMORY + MORE_MEMORY_KB;
        late.memory_kb as f64 > memory || late.files > early.files + MORE_FILES
    };
    of.iter()
        .filter(|(_, growth)| has_grown(growth))
        .map(|(name, growth)| format!("{name} has grown: {growth:?}"))
        .collect()
}

/// Whether everybody who was told to stop did, and nobody crashed.
pub(crate) fn ends(of: &[(String, End)]) -> Vec<String> {
    let is_bad = |end: &End| match end.mishap {
        Some(Mishap::Stopped) => end.took.as_secs() > STOP_SECONDS || !STOPPED.contains(&end.code),
        Some(_) => false,
        None => end.code != BY_ITSELF,
    };
    of.iter().filter(|(_, end)| is_bad(end)).map(|(name, end)| format!("{name} ended badly: {end:?}")).collect()
}

/// Whether a server shows what it measured under the name of the scheduler that it measured for.
pub(crate) fn labels(name: &str, metrics: &str) -> Option<String> {
    let of_others = |line: &&str| line.starts_with("parsec_durations") && line.contains("scheduler=\"other\"");
    let line = metrics.lines().find(of_others)?;
    Some(format!("{name} has measured for a scheduler without a name of its own: {line}"))
}
