//! What a fleet is about to do, noted before it does it: should the fleet's actor or its process die, each attempt that
//! had begun still gets its row.

use std::sync::Arc;

use chrono::Utc;
use parking_lot::Mutex;
use parsec_measure::{Attempt, AttemptId, Node, Round, RoundOutcome};
use parsec_store::Row;

use crate::recorder::RecorderHandle;

/// The round that a fleet plays, if it plays one. Shared, so that it outlives a crash of the fleet's actor.
#[derive(Debug, Clone, Default)]
pub struct OpenRound(Arc<Mutex<Option<Open>>>);

/// An unfinished round.
#[derive(Debug)]
struct Open {
    round: Round,
    attempts: Vec<Noted>,
}

#[derive(Debug)]
struct Noted {
    node: Node,
    /// As it is recorded if nobody is left to record its result.
    attempt: Attempt,
    /// Its result has been handed to the recorder.
    recorded: bool,
}

/// What a crash left behind.
#[derive(Debug)]
pub(crate) struct Abandoned {
    /// The round, with its end.
    pub(crate) round: Round,
    /// The attempts that had begun and have no result.
    pub(crate) attempts: Vec<(Node, Attempt)>,
}

impl Abandoned {
    /// The rows that it still gets.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let attempts = self.attempts.iter().map(|(_, attempt)| Row::Attempt(attempt.clone()));
        attempts.chain([Row::Round(self.round.clone())]).collect()
    }
}

impl OpenRound {
    /// The round begins.
    pub(crate) fn begin(&self, round: &Round) {
        *self.0.lock() = Some(Open { round: round.clone(), attempts: Vec::new() });
    }

    /// Notes attempts of the round before they begin. On disk, too, when it returns, if the recorder has one that works.
    pub(crate) async fn announce(&self, recorder: &RecorderHandle, attempts: &[(&Node, &Attempt)]) {
        let (round, attempts) = {
            let mut open = self.0.lock();
            let Some(open) = open.as_mut() else { return };
            let noted = |(node, attempt): &(&Node, &Attempt)| Noted {
                node: (*node).clone(),
                attempt: (*attempt).clone(),
                recorded: false,
            };
            open.attempts.extend(attempts.iter().map(noted));
            (open.round.clone(), open.attempts.iter().map(|noted| noted.attempt.clone()).collect())
        };
        recorder.announce(round, attempts).await;
    }

    /// The result of this attempt is with the recorder.
    pub(crate) fn recorded(&self, id: AttemptId) {
        if let Some(open) = self.0.lock().as_mut() {
            open.attempts.iter_mut().filter(|noted| noted.attempt.id == id).for_each(|noted| noted.recorded = true);
        }
    }

    /// The end of the round is with the recorder.
    pub(crate) fn close(&self) {
        *self.0.lock() = None;
    }

    /// Takes what a crash has left behind, if it has.
    pub(crate) fn take(&self) -> Option<Abandoned> {
        let Open { mut round, attempts } = self.0.lock().take()?;
        let now = Utc::now();
        round.ended = Some((now, RoundOutcome::Interrupted));
        let lost = attempts.into_iter().filter(|noted| !noted.recorded);
        let attempts = lost.map(|Noted { node, attempt, .. }| (node, Attempt { ended: now, ..attempt })).collect();
        Some(Abandoned { round, attempts })
    }
}
