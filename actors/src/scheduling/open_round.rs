//! Notes what a fleet is about to do before it does it. If the fleet's actor or its process dies, each attempt that had
//! begun still gets its row.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use parsec_measure::{Attempt, AttemptId, Node, Round, clock};
use parsec_store::Row;

use crate::recording::recorder::RecorderHandle;

/// The round that a fleet is running, if any. Shared, so that it survives a crash of the fleet's actor.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenRound(Arc<Mutex<Option<Open>>>);

/// An unfinished round.
#[derive(Debug)]
struct Open {
    round: Round,
    attempts: BTreeMap<AttemptId, Noted>,
}

#[derive(Debug)]
struct Noted {
    node: Node,
    /// The row to record if nobody is left to record a result.
    attempt: Attempt,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Has not begun, and may never begin.
    Planned,
    Begun,
    /// It has its result, which is on its way to the recorder.
    Ended,
    /// Its result is with the recorder.
    Recorded,
}

/// What a crash left behind.
#[derive(Debug)]
pub(crate) struct Abandoned {
    /// The round, marked as ended.
    pub(crate) round: Round,
    /// The attempts that had begun and have no result.
    pub(crate) lost: Vec<(Node, Attempt)>,
    /// The attempts that have a result which has not been recorded.
    pub(crate) unrecorded: Vec<(Node, Attempt)>,
}

impl Abandoned {
    /// The rows that the round still gets.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let attempts = self.unrecorded.iter().chain(&self.lost).map(|(_, attempt)| Row::Attempt(attempt.clone()));
        attempts.chain([Row::Round(self.round.clone())]).collect()
    }
}

fn noted(attempts: Vec<(Node, Attempt)>, stage: Stage) -> impl Iterator<Item = (AttemptId, Noted)> {
    attempts.into_iter().map(move |(node, attempt)| (attempt.id, Noted { node, attempt, stage }))
}

fn of(attempts: &[(Node, Attempt)]) -> Vec<Attempt> {
    attempts.iter().map(|(_, attempt)| attempt.clone()).collect()
}

impl OpenRound {
    /// Notes what the round is going to attempt: what begins now, and what begins once that has succeeded. When this
    /// returns, the note is on disk as well, if the recorder has a disk that works and is quick enough.
    pub(crate) async fn announce(
        &self,
        round: &Round,
        recorder: &RecorderHandle,
        now: Vec<(Node, Attempt)>,
        then: Vec<(Node, Attempt)>,
    ) {
        let (attempts, planned) = (of(&now), of(&then));
        let all = noted(now, Stage::Begun).chain(noted(then, Stage::Planned)).collect();
        *self.0.lock() = Some(Open { round: round.clone(), attempts: all });
        recorder.announce(round.clone(), attempts, planned).await;
    }

    /// The planned attempts begin, as given here.
    pub(crate) fn begun(&self, attempts: &[Attempt]) {
        let Some(open) = &mut *self.0.lock() else { return };
        for attempt in attempts {
            if let Some(noted) = open.attempts.get_mut(&attempt.id) {
                (noted.attempt, noted.stage) = (attempt.clone(), Stage::Begun);
            }
        }
    }

    /// An attempt has ended.
    pub(crate) fn ended(&self, node: &Node, attempt: &Attempt) {
        let Some(open) = &mut *self.0.lock() else { return };
        open.attempts.extend(noted(vec![(node.clone(), attempt.clone())], Stage::Ended));
    }

    /// The result of this attempt is with the recorder.
    pub(crate) fn recorded(&self, id: AttemptId) {
        let Some(open) = &mut *self.0.lock() else { return };
        if let Some(noted) = open.attempts.get_mut(&id) {
            noted.stage = Stage::Recorded;
        }
    }

    /// The end of the round is with the recorder.
    pub(crate) fn close(&self) {
        *self.0.lock() = None;
    }

    /// Takes what a crash has left behind, if anything.
    pub(crate) fn take(&self) -> Option<Abandoned> {
        let Open { round, attempts } = self.0.lock().take()?;
        let now = clock::now();
        let (mut lost, mut unrecorded) = (Vec::new(), Vec::new());
        for Noted { node, attempt, stage } in attempts.into_values() {
            match stage {
                Stage::Begun => lost.push((node, attempt.lost(now))),
                Stage::Ended => unrecorded.push((node, attempt)),
                Stage::Planned | Stage::Recorded => {}
            }
        }
        Some(Abandoned { round: round.cut_off(now), lost, unrecorded })
    }
}
