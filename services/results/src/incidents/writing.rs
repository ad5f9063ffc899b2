//! What the rows themselves tell: they came late into the database, or without a result.

use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{AttemptId, History, NotedAttempt, OutcomeClass};

use super::incident::{Incident, MAX_IDS, Place, What, examples};

/// How long a row may wait without anything being wrong. It is written a tenth of a second after its result, and again after at most five
/// seconds if that fails.
const LATE: TimeDelta = TimeDelta::seconds(30);

/// Results that are lost so shortly after each other are lost in the same crash.
const SAME_CRASH: TimeDelta = TimeDelta::minutes(10);

/// What happened to rows.
pub(super) fn find(history: &History) -> Vec<Incident> {
    let mut found = away(&history.attempts);
    found.extend(lost(&history.attempts));
    found
}

/// Times in which rows had to wait: from the first one on that did, until the first one of them was written.
fn away(attempts: &[NotedAttempt]) -> Vec<Incident> {
    // What was lost is found at the next start, and was not kept waiting by the database.
    let mut late: Vec<_> = attempts
        .iter()
        .filter(|noted| noted.written - noted.ended > LATE && noted.operation.class != OutcomeClass::RecordLost)
        .collect();
    late.sort_by_key(|noted| noted.ended);
    let mut outages: Vec<(DateTime<Utc>, Vec<&NotedAttempt>)> = Vec::new();
    for noted in late {
        match outages.last_mut() {
            // It ended before all that waited with it were written, and waited for the same.
            Some((until, rows)) if noted.ended <= *until => {
                *until = noted.written.max(*until);
                rows.push(noted);
            }
            _ => outages.push((noted.written, vec![noted])),
        }
    }
    outages.into_iter().filter_map(|(_, rows)| outage(&rows)).collect()
}

fn outage(rows: &[&NotedAttempt]) -> Option<Incident> {
    let waited = |noted: &&NotedAttempt| noted.written - noted.ended;
    let longest = rows.iter().map(waited).max()?.to_std().unwrap_or_default();
    let mut by_wait = rows.to_vec();
    by_wait.sort_by_key(|noted| (std::cmp::Reverse(waited(noted)), noted.operation.id));
    Some(Incident {
        what: What::DatabaseAway { rows: rows.len(), longest },
        from: rows.iter().map(|noted| noted.ended).min()?,
        to: rows.iter().map(|noted| noted.written).min(),
        place: Place::default(),
        ids: by_wait.iter().take(MAX_IDS).map(|noted| noted.operation.id).collect::<Vec<AttemptId>>(),
    })
}

/// Attempts whose results are lost.
fn lost(attempts: &[NotedAttempt]) -> Vec<Incident> {
    let mut lost: Vec<_> = attempts.iter().filter(|noted| noted.operation.class == OutcomeClass::RecordLost).collect();
    lost.sort_by_key(|noted| noted.operation.started);
    let same =
        |one: &&NotedAttempt, other: &&NotedAttempt| other.operation.started - one.operation.started <= SAME_CRASH;
    let crashes = lost.chunk_by(same).filter_map(|crash| {
        Some(Incident {
            what: What::RecordsLost { attempts: crash.len() },
            from: crash.first()?.operation.started,
            to: crash.iter().map(|noted| noted.written).max(),
            place: Place::default(),
            ids: examples(crash.iter().copied()),
        })
    });
    crashes.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parsec_measure::{ArchivedOperation, NodeId, OperationKind, RoundId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    fn attempt(ended: i64, written: i64) -> NotedAttempt {
        let operation = ArchivedOperation {
            id: AttemptId(Uuid::from_u128(ended.unsigned_abs().into())),
            round: RoundId(Uuid::nil()),
            node: NodeId(1),
            kind: OperationKind::Provide,
            probe: 0,
            class: OutcomeClass::Ok,
            started: at(ended - 1),
            duration: Duration::from_secs(1),
            from_own_records: false,
        };
        NotedAttempt { operation, ended: at(ended), written: at(written) }
    }

    fn found(attempts: &[NotedAttempt]) -> Vec<(What, i64, Option<i64>)> {
        let second = |time: DateTime<Utc>| (time - at(0)).num_seconds();
        let history = History { attempts: attempts.to_vec(), ..History::default() };
        let told = find(&history).into_iter();
        told.map(|incident| (incident.what, second(incident.from), incident.to.map(second))).collect()
    }

    #[test]
    fn rows_that_had_to_wait_tell_when_the_database_was_away() {
        let mut attempts: Vec<_> = (0..100).map(|n| attempt(60 * n, 60 * n + 1)).collect();
        assert_eq!(found(&attempts), []);
        for (index, noted) in attempts.iter_mut().enumerate().skip(20).take(10) {
            noted.written = at(60 * 30 + index as i64);
        }
        let away = What::DatabaseAway { rows: 10, longest: Duration::from_secs(620) };
        assert_eq!(found(&attempts), [(away, 1_200, Some(1_820))]);
    }

    #[test]
    fn results_that_are_lost_in_one_crash_are_one_incident() {
        let lost = |second| {
            let noted = attempt(second, 50_000);
            NotedAttempt {
                operation: ArchivedOperation { class: OutcomeClass::RecordLost, ..noted.operation },
                ..noted
            }
        };
        let told = found(&[lost(100), lost(150), lost(9_000)]);
        assert_eq!(
            told,
            [
                (What::RecordsLost { attempts: 2 }, 99, Some(50_000)),
                (What::RecordsLost { attempts: 1 }, 8_999, Some(50_000))
            ]
        );
    }

    proptest! {
        #[test]
        fn every_row_that_waited_is_in_one_outage(rows in proptest::collection::vec((0..5_000i64, 0..900i64), 0..60)) {
            let attempts: Vec<_> = rows.iter().map(|(ended, wait)| attempt(*ended, ended + wait)).collect();
            let late = rows.iter().filter(|(_, wait)| *wait > 30).count() as u64;
            let outages = away(&attempts);
            prop_assert_eq!(outages.iter().map(|outage| outage.what.count()).sum::<u64>(), late);
            prop_assert!(outages.iter().all(|outage| outage.to.is_some_and(|to| outage.from < to)));
        }
    }
}
