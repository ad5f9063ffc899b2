//! Rows, and a place for them, for the tests of the spool.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parsec_measure::{
    Attempt, AttemptId, Effort, FollowUp, FoundProvider, Measured, Measurement, NodeId, OperationKind, OutcomeClass,
    RequestEnd, RequestKind, Round, RoundId, SchedulerId, StrategyKind, Trace, TracedRequest, WhyKept,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::spool::clock::Clock;
use crate::spool::*;
use crate::{NodeFollowUp, StoreConfig};

/// Wide enough to be in nobody's way.
pub(super) const WIDE: SpoolLimits = SpoolLimits { bytes: 1 << 30, age: Duration::from_secs(1_000_000) };

/// A time as good as any other.
pub(super) const NOON: u64 = 1_800_000_000;

pub(super) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 123_456_789).unwrap()
}

pub(super) fn round(id: u128) -> Round {
    Round {
        id: RoundId(Uuid::from_u128(id)),
        scheduler: SchedulerId(1),
        fleets: "default+fullrt".parse().unwrap(),
        provider: Some(NodeId(3)),
        nodes_listed: 7,
        nodes_ready: 6,
        nodes_without_heartbeat: 0,
        skipped_before: 1,
        due: at(1),
        started: at(2),
        ended: None,
    }
}

/// What is announced of an attempt.
pub(super) fn announced(id: u128, round: u128) -> Attempt {
    Attempt {
        id: AttemptId(Uuid::from_u128(id)),
        round: RoundId(Uuid::from_u128(round)),
        scheduler: SchedulerId(1),
        node: NodeId(2),
        kind: OperationKind::Retrieve,
        probe: 0,
        cid: "Qm".to_owned(),
        due: at(1),
        started: at(2),
        ended: at(2),
        result: Measured::unmeasured(OutcomeClass::RecordLost, Duration::ZERO, "not recorded"),
        why_kept: None,
    }
}

/// A row that takes about 400 bytes.
pub(super) fn row(id: u128) -> Row {
    Row::Attempt(announced(id, 9))
}

pub(super) fn rows(ids: impl IntoIterator<Item = u128>) -> Vec<Row> {
    ids.into_iter().map(row).collect()
}

/// An attempt with everything that one can have.
pub(super) fn traced(id: u128) -> Attempt {
    let provider = FoundProvider {
        peer: "QmStranger".to_owned(),
        addresses: vec!["/ip4/1.2.3.4/tcp/4001".to_owned()],
        named_by: None,
    };
    let request = TracedRequest {
        peer: "12D3KooW".to_owned(),
        agent: Some("kubo\0\n".to_owned()),
        kind: RequestKind::GetProviders,
        named_by: Some(0),
        hop: 1,
        common_prefix: 12,
        asked: Duration::from_micros(1),
        dialled: Some(Duration::from_micros(2)),
        connected: None,
        opened: None,
        written: None,
        ended: Some(Duration::from_micros(3)),
        end: RequestEnd::DialFailed,
        error: Some("refused".to_owned()),
        closer: 0,
        providers: 1,
        named: vec![provider],
        confirmed: Some(Duration::from_micros(5)),
        unconfirmed: Some("reset".to_owned()),
    };
    let trace = Trace {
        strategy: StrategyKind::Optprov,
        returned: Duration::from_micros(4),
        requests: vec![request],
        left_out: 2,
    };
    let result = Measured {
        class: OutcomeClass::Timeout,
        duration: Duration::from_nanos(1_500_000_001),
        error: Some("line\nbreak and \u{1F980}".to_owned()),
        routing_table_size: 200,
        steps: vec![Measurement { step: "provide".to_owned(), duration: Duration::MAX, error: Some(String::new()) }],
        effort: Effort { rpcs: Some(3), holders_confirmed: Some(0), holders_pending: Some(0), ..Effort::default() },
        network_size: Some(15_000),
        fallback: Some("no estimate".to_owned()),
        from_own_records: true,
        providers: vec![],
        found_publisher: Some(false),
        trace: Some(Arc::new(trace)),
    };
    Attempt { result, why_kept: Some(WhyKept::Slow), ..announced(id, 9) }
}

pub(super) fn follow_up(id: u128, attempt: Option<u128>) -> Row {
    Row::FollowUp(NodeFollowUp {
        id: Uuid::from_u128(id),
        node: NodeId(2),
        ended: at(5),
        follow_up: FollowUp {
            attempt: attempt.map(|id| AttemptId(Uuid::from_u128(id))),
            cid: "Qm".to_owned(),
            stored: 18,
            confirmed: Some(17),
            failed: 2,
            pending: Some(0),
            duration: Duration::from_secs(9),
            confirming: Duration::from_millis(100),
        },
    })
}

/// A spool directory that vanishes.
pub(super) struct Place {
    pub(super) directory: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn database(&self) -> StoreConfig {
        StoreConfig::Sqlite { path: self.path().join("parsec.db") }
    }

    pub(super) fn open(&self) -> (Spool, Recovered) {
        self.open_with(WIDE, NOON)
    }

    pub(super) fn open_with(&self, limits: SpoolLimits, seconds: u64) -> (Spool, Recovered) {
        let (spool, mut recovered) = Spool::open_at(self.path(), &self.database(), limits, Clock::at(seconds)).unwrap();
        assert!(std::mem::take(&mut recovered.opened));
        (spool, recovered)
    }

    /// The file that notes how far things are.
    pub(super) fn note(&self) -> PathBuf {
        self.slot(0).join("acknowledged")
    }

    pub(super) fn slot(&self, number: u32) -> PathBuf {
        Identity::of(&self.database()).slot(self.path(), number)
    }

    /// The files of frames of the first slot, in order.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = std::fs::read_dir(self.slot(0)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "entries"));
        files.sort_unstable();
        files
    }
}

/// What confirming so many rows says, if none is lost.
pub(super) fn kept(rows: usize) -> Result<Confirmed, SpoolError> {
    Ok(Confirmed { rows, lost: 0 })
}

/// All rows that wait, confirmed one reading after the other, how many are lost, and what was found damaged meanwhile.
pub(super) fn drain_damaged(spool: &mut Spool) -> (Vec<Row>, usize, Vec<Damage>) {
    let (mut all, mut all_lost, mut all_damage) = (Vec::new(), 0, Vec::new());
    loop {
        let Oldest { rows, end, lost, damage } = spool.oldest(3).unwrap();
        all_damage.extend(damage);
        if rows.is_empty() && lost == 0 {
            return (all, all_lost, all_damage);
        }
        assert_eq!(spool.confirm(end), Ok(Confirmed { rows: rows.len(), lost }));
        all.extend(rows);
        all_lost += lost;
    }
}

/// The same where none is lost.
pub(super) fn drain(spool: &mut Spool) -> Vec<Row> {
    let (rows, lost, damage) = drain_damaged(spool);
    assert_eq!((lost, damage), (0, vec![]));
    rows
}
