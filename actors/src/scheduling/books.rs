//! Records what happens in a round, so that no measurement waits for a recorder, a disk, a database or a log.
//!
//! The code that runs the round notes each event with a [`Pen`], which never blocks. [`Books::keep`] runs at the same
//! time and passes the events on. It ends when the pen has been dropped and every event has been passed on.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use parsec_measure::{Attempt, Node, Round, WhyKept};
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

/// Events that are not rows.
#[derive(Debug)]
enum Note {
    Begun(Round, Vec<Attempt>),
    /// A node is silent, and its server cannot be reached.
    Gone(Node),
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

    /// A node is silent, and its server cannot be reached.
    pub(crate) fn gone(&self, gone: Node) {
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

/// A server that others may still reach keeps writing heartbeats: the database marks offline only who is silent.
async fn mark_offline(store: &Arc<dyn Store>, node: Node, stopping: Stopping) {
    let marking = in_time(store.mark_offline_if_silent(node.id));
    match unless_stopping(stopping, marking).await {
        Some(Ok(true)) => {
            warn!(node = %node.id, region = node.region, endpoint = %node.endpoint, "server silent and unreachable, marked offline");
        }
        Some(Err(error)) => warn!(node = %node.id, %error, "not marked offline"),
        Some(Ok(false)) | None => {}
    }
}

/// The answer of the database, if it comes in time.
pub(crate) async fn in_time<T>(asking: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = timeout(DATABASE_LIMIT, asking).await;
    answer.unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {} s", DATABASE_LIMIT.as_secs()))))
}
