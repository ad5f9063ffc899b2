//! Records what happens in a round, so that no measurement waits for a recorder, a disk, a database or a log.
//!
//! The code that runs the round notes each event with a [`Pen`], which never blocks. [`Books::keep`] runs at the same
//! time and passes the events on. It ends when the pen has been dropped and every event has been passed on.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use parsec_api::client::CallError;
use parsec_measure::{Attempt, Node, OutcomeClass, Round, WhyKept};
use parsec_store::{Row, Store, StoreError};
use tokio::time::timeout;
use tracing::{Span, info, warn};

use super::open_round::OpenRound;
use crate::recording::recorder::RecorderHandle;
use crate::supervision::stop::{Stopping, unless_stopping};

/// How many rows are handed over in one message: more than a usual round has.
const ROWS_AT_ONCE: usize = 256;

/// How long the database is waited for when a server is unreachable. A healthy one answers within milliseconds.
pub(crate) const DATABASE_LIMIT: Duration = Duration::from_secs(5);

/// A server that cannot be reached: it counts as offline until its next heartbeat.
#[derive(Debug)]
pub(crate) struct Gone {
    node: Node,
    error: String,
    at: DateTime<Utc>,
}

impl Gone {
    /// What a failed call says of the server.
    pub(crate) fn if_so(node: &Node, error: &CallError) -> Option<Self> {
        let gone = error.class() == OutcomeClass::ServerUnreachable;
        gone.then(|| Self { node: node.clone(), error: error.to_string(), at: Utc::now() })
    }
}

/// Events that are not rows.
#[derive(Debug)]
enum Note {
    Begun(Round, Vec<Attempt>),
    Gone(Gone),
}

/// A row, and the span in which its end is logged.
#[derive(Debug)]
struct Line(Row, Span);

/// Notes what a round does. Never waits. The queue stays small, because a round notes at most two entries for each
/// attempt and one for each server.
#[derive(Debug)]
pub(crate) struct Pen {
    rows: UnboundedSender<Line>,
    notes: UnboundedSender<Note>,
}

impl Pen {
    /// The round as it is now.
    pub(crate) fn round(&self, round: &Round) {
        let _ = self.rows.unbounded_send(Line(Row::Round(round.clone()), Span::current()));
    }

    /// An attempt has ended.
    pub(crate) fn ended(&self, attempt: &Attempt, span: Span) {
        let _ = self.rows.unbounded_send(Line(Row::Attempt(attempt.clone()), span));
    }

    /// The planned attempts begin.
    pub(crate) fn begun(&self, round: &Round, attempts: Vec<Attempt>) {
        let _ = self.notes.unbounded_send(Note::Begun(round.clone(), attempts));
    }

    /// A server cannot be reached.
    pub(crate) fn gone(&self, gone: Gone) {
        let _ = self.notes.unbounded_send(Note::Gone(gone));
    }
}

/// Receives a round's entries and passes them on.
#[derive(Debug)]
pub(crate) struct Books {
    rows: UnboundedReceiver<Line>,
    notes: UnboundedReceiver<Note>,
}

impl Books {
    /// Empty books, and the pen for them.
    pub(crate) fn open() -> (Pen, Self) {
        let (rows, rows_in) = unbounded();
        let (notes, notes_in) = unbounded();
        (Pen { rows, notes }, Self { rows: rows_in, notes: notes_in })
    }

    /// Passes everything on, in the order in which it was noted, until the pen has been dropped and nothing is left.
    pub(crate) async fn keep(
        self,
        recorder: &RecorderHandle,
        store: &Arc<dyn Store>,
        open: &OpenRound,
        stopping: &Stopping,
    ) {
        let rows = self.rows.ready_chunks(ROWS_AT_ONCE).for_each(|lines| hand_over(lines, recorder, open));
        let notes = self.notes.for_each_concurrent(None, |note| async move {
            match note {
                Note::Begun(round, attempts) => recorder.begin(round, attempts).await,
                Note::Gone(gone) => mark_offline(store, gone, stopping.clone()).await,
            }
        });
        futures::join!(rows, notes);
    }
}

async fn hand_over(lines: Vec<Line>, recorder: &RecorderHandle, open: &OpenRound) {
    let mut rows = Vec::new();
    for Line(row, span) in lines {
        if let Row::Attempt(attempt) = &row {
            span.in_scope(|| log_end(attempt));
        }
        rows.push(row);
    }
    let ended = |row: &Row| if let Row::Attempt(attempt) = row { Some(attempt.id) } else { None };
    let attempts: Vec<_> = rows.iter().filter_map(ended).collect();
    recorder.record(rows);
    attempts.into_iter().for_each(|attempt| open.recorded(attempt));
}

fn log_end(attempt: &Attempt) {
    let Attempt { id, cid, result, why_kept, .. } = attempt;
    info!(
        attempt = %id.0,
        cid,
        outcome = result.class.as_str(),
        duration_seconds = result.duration.as_secs_f64(),
        error = result.error,
        trace = why_kept.map(WhyKept::as_str),
        "attempt ended"
    );
}

async fn mark_offline(store: &Arc<dyn Store>, Gone { node, error, at }: Gone, stopping: Stopping) {
    warn!(node = %node.id, region = node.region, endpoint = %node.endpoint, error, "server unreachable, marked offline");
    let marking = in_time(store.mark_offline(node.id, at));
    if let Some(Err(error)) = unless_stopping(stopping, marking).await {
        warn!(node = %node.id, %error, "not marked offline");
    }
}

/// The answer of the database, if it comes in time.
pub(crate) async fn in_time<T>(asking: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = timeout(DATABASE_LIMIT, asking).await;
    answer.unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {} s", DATABASE_LIMIT.as_secs()))))
}
