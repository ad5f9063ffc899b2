//! Anything in any order, beside a model: what comes back after a crash is exactly what was committed before it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};

use parsec_measure::{OutcomeClass, RoundOutcome};
use proptest::prelude::*;
use proptest::sample::Index;

use super::support::*;
use crate::spool::*;

const LIMITS: SpoolLimits = SpoolLimits { age: Duration::from_secs(60), ..WIDE };

/// From one start to the next the clock goes on by this: rows are dropped after two of them.
const STEP: u64 = 40;

#[derive(Debug, Clone)]
enum Op {
    Push(usize),
    /// Reads until there are so many rows, and confirms them.
    Confirm(usize),
    /// So many attempts, and so many that are planned.
    Announce(u128, usize, usize),
    /// What was planned begins.
    Begin(u128),
    Forget(u128),
    Expire,
    /// The process dies, and another comes up some time later.
    Crash,
    /// It dies in a push, of which this part is on disk, its last bytes perhaps as something else.
    CrashInPush(usize, Index, bool),
    /// It dies in an announcement that never got its name.
    CrashInAnnouncement,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1..4_usize).prop_map(Op::Push),
        3 => (1..6_usize).prop_map(Op::Confirm),
        2 => (0..3_u128, 0..3_usize, 0..3_usize).prop_map(|(round, now, then)| Op::Announce(round, now, then)),
        2 => (0..3_u128).prop_map(Op::Begin),
        1 => (0..3_u128).prop_map(Op::Forget),
        1 => Just(Op::Expire),
        2 => Just(Op::Crash),
        2 => (1..4_usize, any::<Index>(), any::<bool>()).prop_map(|(n, cut, garbled)| Op::CrashInPush(n, cut, garbled)),
        1 => Just(Op::CrashInAnnouncement),
    ]
}

/// What should be there.
#[derive(Default)]
struct Model {
    /// Each push with the second it was made in.
    waiting: Vec<(u64, Vec<Row>)>,
    open: BTreeMap<u128, Vec<u128>>,
    planned: BTreeMap<u128, Vec<u128>>,
    /// The identity of the newest round with each number. A round that has ended never comes again.
    identities: BTreeMap<u128, u128>,
    begun: u128,
    now: u64,
    next: u128,
}

impl Model {
    fn fresh(&mut self, count: usize) -> Vec<Row> {
        let first = self.next;
        self.next += count as u128;
        rows(first..self.next)
    }

    /// The round with this number that is open, or a new one.
    fn round(&mut self, number: u128) -> u128 {
        match self.identities.get(&number) {
            Some(id) if self.open.contains_key(id) => *id,
            _ => {
                self.begun += 1;
                self.identities.insert(number, self.begun);
                self.begun
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        self.waiting.iter().flat_map(|(_, rows)| rows.clone()).collect()
    }

    /// How many pushes hold so many rows.
    fn pushes(&self, enough: usize) -> usize {
        let mut rows = 0;
        let short = self.waiting.iter().take_while(|(_, push)| {
            let short = rows < enough;
            rows += push.len();
            short
        });
        short.count()
    }

    /// What the open rounds become, but for the time of their end.
    fn cut_off(&mut self) -> Vec<Vec<Row>> {
        let lost = |(round_id, attempts): (u128, Vec<u128>)| {
            let round = Row::Round(Round { ended: Some((at(0), RoundOutcome::Interrupted)), ..round(round_id) });
            let attempts = attempts.into_iter().map(|id| Row::Attempt(announced(id, round_id)));
            std::iter::once(round).chain(attempts).collect()
        };
        self.planned.clear();
        std::mem::take(&mut self.open).into_iter().map(lost).collect()
    }
}

fn of_round(round: u128, ids: &[u128]) -> Vec<Attempt> {
    ids.iter().map(|id| announced(*id, round)).collect()
}

/// A row without what only the moment of a recovery decides.
fn timeless(rows: &[Row]) -> Vec<Row> {
    let timeless = |row: &Row| match row.clone() {
        Row::Round(mut round) => {
            round.ended = round.ended.map(|(_, outcome)| (at(0), outcome));
            Row::Round(round)
        }
        Row::Attempt(mut attempt) if attempt.result.class == OutcomeClass::RecordLost => {
            attempt.ended = at(0);
            attempt.result.error = None;
            Row::Attempt(attempt)
        }
        row => row,
    };
    rows.iter().map(timeless).collect()
}

struct Run {
    place: Place,
    spool: Option<Spool>,
    model: Model,
}

impl Run {
    fn new() -> Self {
        let place = Place::new();
        let (spool, _) = place.open_with(LIMITS, NOON);
        Self { place, spool: Some(spool), model: Model { now: NOON, ..Model::default() } }
    }

    fn spool(&mut self) -> &mut Spool {
        self.spool.as_mut().expect("it is open between two steps")
    }

    fn step(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Push(count) => {
                let rows = self.model.fresh(*count);
                self.spool().push(&rows).unwrap();
                self.model.waiting.push((self.model.now, rows));
            }
            Op::Confirm(enough) => {
                let pushes = self.model.pushes(*enough);
                let expected: Vec<_> = self.model.waiting.drain(..pushes).flat_map(|(_, rows)| rows).collect();
                let oldest = self.spool().oldest(*enough).unwrap();
                prop_assert_eq!(timeless(&oldest.rows), timeless(&expected));
                prop_assert_eq!(self.spool().confirm(oldest.end), kept(expected.len()));
            }
            Op::Announce(number, now, then) => {
                let id = self.model.round(*number);
                let ids =
                    |first: u128, count: usize| (0..count as u128).map(|i| first + 10 * id + i).collect::<Vec<_>>();
                let (attempts, planned) = (ids(1_000, *now), ids(2_000, *then));
                self.spool().announce(&round(id), &of_round(id, &attempts), &of_round(id, &planned)).unwrap();
                self.model.open.insert(id, attempts);
                self.model.planned.insert(id, planned);
            }
            Op::Begin(number) => {
                let Some(id) = self.model.identities.get(number).copied() else { return Ok(()) };
                let Some(planned) = self.model.planned.remove(&id) else { return Ok(()) };
                self.spool().begin(&round(id), &of_round(id, &planned)).unwrap();
                self.model.open.entry(id).or_default().extend(planned);
            }
            Op::Forget(number) => {
                let Some(id) = self.model.identities.get(number).copied() else { return Ok(()) };
                self.spool().forget(round(id).id).unwrap();
                self.model.open.remove(&id);
                self.model.planned.remove(&id);
            }
            Op::Expire => {
                let now = self.model.now;
                let old =
                    self.model.waiting.iter().take_while(|(second, _)| now - second > LIMITS.age.as_secs()).count();
                let dropped: usize = self.model.waiting.drain(..old).map(|(_, rows)| rows.len()).sum();
                prop_assert_eq!(self.spool().expire(), kept(dropped));
            }
            Op::Crash => self.crash(),
            Op::CrashInPush(count, cut, garbled) => {
                let before: Vec<_> = self.place.files();
                let length = |path| fs::metadata(path).map_or(0, |metadata| metadata.len());
                let old = before.last().map_or(0, length);
                let rows = self.model.fresh(*count);
                let note = fs::read(self.place.note()).unwrap_or_default();
                self.spool().push(&rows).unwrap();
                self.spool = None;
                // Nobody has heard that it was kept.
                fs::write(self.place.note(), &note).unwrap();
                if note.is_empty() {
                    fs::remove_file(self.place.note()).unwrap();
                }
                let file = self.place.files().pop().expect("it has been written to");
                let old = if before.contains(&file) { old } else { 0 };
                let written = length(&file) - old;
                let kept = old + cut.index(written as usize) as u64;
                OpenOptions::new().write(true).open(&file).unwrap().set_len(kept).unwrap();
                if *garbled {
                    let mut bytes = fs::read(&file).unwrap();
                    bytes[old as usize..].iter_mut().rev().take(9).for_each(|byte| *byte = 0);
                    fs::write(&file, bytes).unwrap();
                }
                self.crash();
            }
            Op::CrashInAnnouncement => {
                let folder = self.place.slot(0).join("open");
                fs::write(folder.join(format!("{}.unfinished", uuid::Uuid::from_u128(1))), "half").unwrap();
                self.crash();
            }
        }
        let (rows, open) = (self.model.rows().len(), !self.model.open.is_empty());
        let state = self.spool().state();
        prop_assert_eq!(state.rows, rows);
        prop_assert_eq!(state.oldest.is_some(), rows > 0);
        prop_assert!(state.bytes > 0 || (rows == 0 && !open));
        Ok(())
    }

    fn crash(&mut self) {
        self.spool = None;
        self.model.now += STEP;
        let cut_off = self.model.cut_off();
        let (spool, recovered) = self.place.open_with(LIMITS, self.model.now);
        assert_eq!(recovered.damage, []);
        assert_eq!(recovered.cut_off, cut_off.iter().map(Vec::len).sum::<usize>());
        let now = self.model.now;
        self.model.waiting.extend(cut_off.into_iter().map(|rows| (now, rows)));
        self.spool = Some(spool);
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let expected = self.model.rows();
        let found = self.spool().oldest(usize::MAX).unwrap().rows;
        prop_assert_eq!(timeless(&found), timeless(&expected));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_writes_and_crashes_replays_to_exactly_what_was_committed(
        history in prop::collection::vec(op(), 1..16)
    ) {
        let mut run = Run::new();
        for op in &history {
            run.step(op)?;
            run.check()?;
        }
        run.step(&Op::Crash)?;
        run.check()?;
    }
}
